/**
 * Epochs: the name of the history that a seq counts. Printable ASCII without spaces, so that it fits into a header of
 * fixed size and into a token of the form `epoch.seq`.
 * @module
 */

export const EPOCH_BYTES_MAX = 36;

export function isEpoch(text: string): boolean {
  return text.length <= EPOCH_BYTES_MAX && /^[\x21-\x7e]+$/.test(text);
}

/** Puts an epoch into memory of its length. */
export function writeEpoch(epoch: string, bytes: Uint8Array): void {
  for (let index = 0; index < epoch.length; index++) bytes[index] = epoch.charCodeAt(index);
}

/** One character per byte, whatever the bytes are. (Text decoders refuse shared memory.) */
export function readEpoch(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
