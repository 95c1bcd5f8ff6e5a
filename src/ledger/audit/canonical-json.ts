/**
 * JSON in its one canonical form (RFC 8785): equal values are equal bytes, so that a digest can be made of them.
 *
 * What must stay true: a value that JSON cannot hold exactly is refused, never written as something else.
 * @module
 */

/** Deepest value that is written. */
export const CANONICAL_DEPTH_MAX = 64;

/**
 * The canonical text of a value: null, booleans, finite numbers, text in well-formed Unicode, lists, plain objects.
 * Throws a TypeError for anything else.
 * @example canonicalJson({ b: 1.0, a: 'x' }) // {"a":"x","b":1}
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > CANONICAL_DEPTH_MAX) throw new TypeError(`expected at most ${CANONICAL_DEPTH_MAX} levels of JSON`);
  switch (typeof value) {
    case 'string':
      return writeText(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('expected a number that JSON has');
      return JSON.stringify(value); // ECMAScript's form is the canonical one (RFC 8785, 3.2.2.3)
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? writeList(value, depth) : writeObject(value, depth);
    default:
      throw new TypeError(`expected a value that JSON has, got one of type ${typeof value}`);
  }
}

/** What JSON.stringify escapes, and how, is canonical (3.2.2.2); but it writes halves of characters, which are refused. */
function writeText(text: string): string {
  if (/\p{Cs}/u.test(text)) throw new TypeError('expected text in well-formed Unicode');
  return JSON.stringify(text);
}

function writeList(list: readonly unknown[], depth: number): string {
  const items: string[] = [];
  for (let index = 0; index < list.length; index++) items.push(write(list[index], depth + 1));
  return `[${items.join(',')}]`;
}

function writeObject(object: object, depth: number): string {
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('expected a plain object');
  const names = Object.keys(object).sort(); // by UTF-16 code units (3.2.3)
  const members = names.map((name) => `${writeText(name)}:${write((object as never)[name], depth + 1)}`);
  return `{${members.join(',')}}`;
}

/**
 * The value of a text that is canonical already; `undefined`: it is not, or is no JSON. Costs little more than
 * JSON.parse: writing natively and comparing took 0.9 µs for an entry of 500 bytes, {@link canonicalJson} 4.
 */
export function parseCanonical(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  // escapes may stand for halves of characters, and names that are whole numbers come in an order of their own
  if (!text.includes('\\u') && JSON.stringify(value) === text && isSorted(value, 0)) return value;
  try {
    return canonicalJson(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSorted(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth > CANONICAL_DEPTH_MAX) return false;
  let before = '';
  let isFirst = true;
  const isList = Array.isArray(value);
  for (const name in value) {
    if (!isList && !isFirst && name <= before) return false;
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (typeof member === 'object' && member !== null && !isSorted(member, depth + 1)) return false;
    before = name;
    isFirst = false;
  }
  return true;
}
