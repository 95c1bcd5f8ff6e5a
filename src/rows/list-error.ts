/**
 * A list that cannot be read as one.
 * @module
 */

/** The list as a whole is not laid out as expected: its rows would be read wrongly. The message never quotes it. */
export class ListError extends Error {
  override readonly name = 'ListError';
}
