/**
 * What the ledger keeps of an identifier besides its identity, packed into bytes: its kind, its own key where that is not
 * a digest, and its digests in every dialect.
 *
 *     0x80 | tag   0                      an identifier that is a digest: the digest follows
 *     0x80 | tag   8   high u32, low u32  any other: its own mixed key, little-endian
 *     tag          n   n bytes            a digest, after the identifier it is of; repeated
 *
 * Each record starts with two bytes: what it is, and how many bytes follow. From these all keys of the identifier can be
 * found again, and nothing of a clear value can.
 * @module
 */
import { GateError } from '../core/errors.js';
import { DIGEST_HEAD_BYTES } from './identity.js';
import { highOfSqlKey, type KeyMixer, lowOfSqlKey, sqlKey } from './keys.js';

const MARK = 0x80;
/** Bytes of an own key. */
const KEY_BYTES = 8;
/** Bytes of the longest record that is not a digest. */
export const MARK_BYTES_MAX = DIGEST_HEAD_BYTES + KEY_BYTES;

/** One identifier, unpacked. */
export interface PackedIdentifier {
  readonly tag: number;
  /** Mixed; `null` where the identifier is a digest. */
  readonly ownKey: bigint | null;
  readonly digests: readonly PackedDigest[];
}

export interface PackedDigest {
  readonly tag: number;
  readonly bytes: Buffer;
}

/** Writes the record that begins an identifier which is a digest; returns where it ends. */
export function writeMark(out: Buffer, at: number, tag: number): number {
  out[at] = MARK | tag;
  out[at + 1] = 0;
  return at + DIGEST_HEAD_BYTES;
}

/** {@link writeMark} for an identifier that is no digest: with its own key. */
export function writeOwnKey(out: Buffer, at: number, tag: number, high: number, low: number): number {
  out[at] = MARK | tag;
  out[at + 1] = KEY_BYTES;
  out.writeInt32LE(high, at + DIGEST_HEAD_BYTES);
  out.writeInt32LE(low, at + DIGEST_HEAD_BYTES + 4);
  return at + MARK_BYTES_MAX;
}

/** An identifier packed. */
export function packIdentifier(tag: number, ownKey: bigint | null, digests: Uint8Array): Buffer {
  const mark = Buffer.alloc(MARK_BYTES_MAX);
  const end =
    ownKey === null ? writeMark(mark, 0, tag) : writeOwnKey(mark, 0, tag, highOfSqlKey(ownKey), lowOfSqlKey(ownKey));
  return Buffer.concat([mark.subarray(0, end), digests]);
}

/** The identifiers in some packed bytes. Throws a GateError `ledger.damaged` for bytes that are none. */
export function* unpackIdentifiers(bytes: Uint8Array): Generator<PackedIdentifier> {
  const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < packed.length; ) {
    const mark = recordAt(packed, at);
    if ((mark.head & MARK) === 0 || (mark.bytes.length !== 0 && mark.bytes.length !== KEY_BYTES)) throw damaged();
    at = mark.end;
    const digests: PackedDigest[] = [];
    while (at < packed.length && ((packed[at] ?? 0) & MARK) === 0) {
      const digest = recordAt(packed, at);
      digests.push({ tag: digest.head, bytes: digest.bytes });
      at = digest.end;
    }
    const ownKey = mark.bytes.length === 0 ? null : sqlKey(mark.bytes.readInt32LE(0), mark.bytes.readInt32LE(4));
    yield { tag: mark.head & ~MARK, ownKey, digests };
  }
}

/** All keys of an identifier. */
export function keysOfPacked({ ownKey, digests }: PackedIdentifier, mixer: KeyMixer): readonly bigint[] {
  const keys = digests.map(({ tag, bytes }) =>
    mixer.keyOf(tag, bytes.readInt32BE(0), bytes.readInt32BE(4), bytes.readInt32BE(8), bytes.readInt32BE(12)),
  );
  return ownKey === null ? keys : [ownKey, ...keys];
}

function recordAt(packed: Buffer, at: number): { head: number; bytes: Buffer; end: number } {
  const start = at + DIGEST_HEAD_BYTES;
  const end = start + (packed[at + 1] ?? 0);
  if (end > packed.length) throw damaged();
  return { head: packed[at] ?? 0, bytes: packed.subarray(start, end), end };
}

function damaged(): GateError {
  return new GateError('ledger.damaged', 'digests of an identifier');
}
