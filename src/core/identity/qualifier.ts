/**
 * Eid sources and account name spaces: their canonical form and the hash that keys start from.
 *
 * The hashes are remembered, bounded in number and length, since requests name the same few sources over and over: an
 * eid takes 80 ns with this and 130 without.
 * @module
 */
import { IDENTIFIER_LENGTH_MAX, QUALIFIER_MEMO_COUNT_MAX, QUALIFIER_MEMO_LENGTH_MAX } from './limits.js';
import { hashText } from './string-hash.js';

const remembered = new Map<string, Int32Array>();

/** Qualifiers as bytes and their states, each in the place its bytes hash to; a later one takes the place over. */
const PLACES = 256;
const bytesAt: Uint8Array[] = new Array<Uint8Array>(PLACES).fill(new Uint8Array(0));
const stateAt: (Int32Array | null)[] = new Array<Int32Array | null>(PLACES).fill(null);

/** HOT. The four words that keys under this qualifier start from; `null` if it is empty or too long. */
export function qualifierState(qualifier: string): Int32Array | null {
  return remembered.get(qualifier) ?? hashQualifier(qualifier);
}

/** HOT. The same for the ASCII text in `bytes[from..to)`. */
export function qualifierStateAt(bytes: Uint8Array, from: number, to: number): Int32Array | null {
  const length = to - from;
  let hash = length;
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
  const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
  const known = bytesAt[place]!;
  if (known.length === length) {
    let index = 0;
    while (index < length && known[index] === bytes[from + index]) index++;
    if (index === length && length > 0) return stateAt[place]!;
  }
  const own = Uint8Array.prototype.slice.call(bytes, from, to);
  const state = qualifierState(Buffer.from(own).toString('latin1'));
  if (state !== null && length <= QUALIFIER_MEMO_LENGTH_MAX) {
    bytesAt[place] = own;
    stateAt[place] = state;
  }
  return state;
}

/** The canonical form of a qualifier: lower case, no white space around it. */
export function canonicalQualifier(qualifier: string): string {
  return qualifier.trim().toLowerCase();
}

function hashQualifier(qualifier: string): Int32Array | null {
  if (qualifier.length > IDENTIFIER_LENGTH_MAX) return null;
  const canonical = canonicalQualifier(qualifier);
  if (canonical === '' || canonical.length > IDENTIFIER_LENGTH_MAX) return null;
  const state = new Int32Array(4);
  hashText(canonical, state, 0);
  if (qualifier.length <= QUALIFIER_MEMO_LENGTH_MAX) {
    if (remembered.size >= QUALIFIER_MEMO_COUNT_MAX) remembered.clear();
    remembered.set(qualifier, state);
  }
  return state;
}
