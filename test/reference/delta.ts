/**
 * A second reader and writer of delta frames, made from docs/delta-format.md and from nothing else of ours: field by
 * field, in BigInt, without a view of anything.
 * @module
 */
import { createHash, type KeyObject, verify } from 'node:crypto';

export interface PlainChange {
  readonly high: number;
  readonly low: number;
  readonly version: bigint;
  readonly tag: number;
  readonly rightsBefore: number;
  readonly rights: number;
  readonly isDerived: boolean;
}

export interface PlainEntry {
  readonly seq: bigint;
  readonly atMs: bigint;
  readonly isCanary: boolean;
  readonly changes: readonly PlainChange[];
}

export interface PlainHead {
  readonly epoch: string;
  readonly seed: bigint;
  readonly seq: bigint;
  readonly settledSeq: bigint;
  readonly stateDigest: string;
  readonly entryCount: bigint;
  readonly kindMask: number;
  readonly givenKindMask: number;
  readonly beat: bigint;
  readonly lagMs: bigint;
}

export interface PlainFrame {
  readonly head: PlainHead;
  readonly entries: readonly PlainEntry[];
}

/** A frame, or the code of what is wrong with it. */
export type PlainAnswer = PlainFrame | string;

const COUNT_END = 2n ** 53n;

/** What a reader with these trusted keys (`null`: it asks for no signature) makes of some bytes. */
export function plainDecode(bytes: Uint8Array, trusted: readonly KeyObject[] | null = null): PlainAnswer {
  const number = (at: number, length: number): bigint => {
    let value = 0n;
    for (let index = length - 1; index >= 0; index--) value = value * 256n + BigInt(bytes[at + index] ?? 0);
    return value;
  };
  if (bytes.length < 8) return 'delta.truncated';
  if (Buffer.from(bytes.slice(0, 4)).toString('latin1') !== 'OGD1') return 'delta.magic';
  const frameBytes = number(4, 4);
  if (frameBytes > 8_388_608n) return 'delta.too_large';
  if (frameBytes < 128n) return 'delta.header';
  if (BigInt(bytes.length) < frameBytes) return 'delta.truncated';
  if (BigInt(bytes.length) > frameBytes) return 'delta.trailing_bytes';
  if (bytes[8] !== 1) return 'delta.version';
  if (plainCrc(bytes.slice(0, -4)) !== Number(number(bytes.length - 4, 4))) return 'delta.checksum';
  if ((bytes[9] !== 0 && bytes[9] !== 1) || bytes[11] !== 0) return 'delta.header';
  const end = bytes[9] === 1 ? bytes.length - 76 : bytes.length - 4;
  if (end < 124) return 'delta.header';
  const signatureFault = trusted === null ? null : signatureFaultOf(bytes, end, trusted);
  if (signatureFault !== null) return signatureFault;

  const epochBytes = bytes[10] ?? 0;
  if (epochBytes < 1 || epochBytes > 36) return 'delta.header';
  const epoch = Buffer.from(bytes.slice(88, 88 + epochBytes)).toString('latin1');
  if (![...epoch].every((character) => character >= '!' && character <= '~')) return 'delta.header';
  if (bytes.slice(88 + epochBytes, 124).some((byte) => byte !== 0)) return 'delta.header';
  const head: PlainHead = {
    epoch,
    seed: number(16, 8),
    seq: number(24, 8),
    settledSeq: number(32, 8),
    stateDigest: number(40, 8).toString(16).padStart(16, '0'),
    entryCount: number(48, 8),
    beat: number(56, 8),
    lagMs: number(64, 8),
    kindMask: Number(BigInt.asIntN(32, number(80, 4))),
    givenKindMask: Number(BigInt.asIntN(32, number(84, 4))),
  };
  const counts = [head.seq, head.settledSeq, head.entryCount, head.beat, head.lagMs];
  if (counts.some((count) => count >= COUNT_END) || head.settledSeq > head.seq) return 'delta.header';
  for (let tag = 0; tag < 32; tag++) {
    const isThere = ((head.kindMask >>> tag) & 1) === 1;
    const isGiven = ((head.givenKindMask >>> tag) & 1) === 1;
    if ((tag === 0 && isThere) || (isGiven && !isThere)) return 'delta.header';
  }

  const entriesCount = number(12, 4);
  const firstSeq = number(72, 8);
  if (entriesCount === 0n ? firstSeq !== 0n : firstSeq === 0n) return 'delta.header';
  if (entriesCount > 0n && firstSeq + entriesCount - 1n > head.seq) return 'delta.header';
  const entries: PlainEntry[] = [];
  let at = 124;
  for (let seq = firstSeq; seq < firstSeq + entriesCount; seq++) {
    if (at + 12 > end) return 'delta.header';
    const [atMs, changeCount, flags] = [number(at, 8), Number(number(at + 8, 2)), number(at + 10, 2)];
    at += 12;
    if (atMs >= COUNT_END || flags > 1n || changeCount > 4096 || at + 20 * changeCount > end) return 'delta.header';
    const changes: PlainChange[] = [];
    for (let index = 0; index < changeCount; index++, at += 20) {
      const change: PlainChange = {
        high: Number(number(at, 4)),
        low: Number(number(at + 4, 4)),
        version: number(at + 8, 8),
        tag: bytes[at + 16] ?? 0,
        rightsBefore: bytes[at + 17] ?? 0,
        rights: bytes[at + 18] ?? 0,
        isDerived: bytes[at + 19] === 1,
      };
      const { high, low, version, tag, rightsBefore, rights } = change;
      if (high % 2 ** 25 === 0 || low === 0 || version === 0n || version >= COUNT_END) return 'delta.header';
      if (tag < 1 || tag > 31 || rightsBefore > 127 || rights > 127 || (bytes[at + 19] ?? 0) > 1) return 'delta.header';
      changes.push(change);
    }
    entries.push({ seq, atMs, isCanary: flags === 1n, changes });
  }
  return at === end ? { head, entries } : 'delta.header';
}

/** The bytes of a frame that is not signed. */
export function plainEncode({ head, entries }: PlainFrame): Uint8Array {
  const bytes: number[] = [];
  const push = (value: bigint | number, length: number): void => {
    for (let index = 0; index < length; index++) bytes.push(Number((BigInt(value) >> BigInt(8 * index)) & 255n));
  };
  const changeCount = entries.reduce((sum, { changes }) => sum + changes.length, 0);
  push(0x3144474f, 4);
  push(128 + 12 * entries.length + 20 * changeCount, 4);
  push(1, 1);
  push(0, 1);
  push(head.epoch.length, 1);
  push(0, 1);
  push(entries.length, 4);
  for (const value of [head.seed, head.seq, head.settledSeq, BigInt(`0x${head.stateDigest}`)]) push(value, 8);
  for (const value of [head.entryCount, head.beat, head.lagMs, entries[0]?.seq ?? 0n]) push(value, 8);
  push(head.kindMask, 4);
  push(head.givenKindMask, 4);
  for (let index = 0; index < 36; index++) push(index < head.epoch.length ? head.epoch.charCodeAt(index) : 0, 1);
  for (const { atMs, isCanary, changes } of entries) {
    push(atMs, 8);
    push(changes.length, 2);
    push(isCanary ? 1 : 0, 2);
    for (const change of changes) {
      push(change.high, 4);
      push(change.low, 4);
      push(change.version, 8);
      for (const byte of [change.tag, change.rightsBefore, change.rights, change.isDerived ? 1 : 0]) push(byte, 1);
    }
  }
  push(plainCrc(Uint8Array.from(bytes)), 4);
  return Uint8Array.from(bytes);
}

/** CRC-32, bit by bit. */
export function plainCrc(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0xedb88320 : register >>> 1;
  }
  return ~register >>> 0;
}

function signatureFaultOf(bytes: Uint8Array, end: number, trusted: readonly KeyObject[]): string | null {
  if (bytes[9] !== 1) return 'signature.missing';
  const keyId = Buffer.from(bytes.slice(end, end + 8)).toString('hex');
  const key = trusted.find((candidate) => plainKeyId(candidate) === keyId);
  if (key === undefined) return 'signature.unknown_key';
  const digest = createHash('sha256').update(bytes.slice(0, end)).digest();
  return verify(null, digest, key, bytes.slice(end + 8, end + 72)) ? null : 'signature.wrong';
}

/** The id of a public key, in hex. */
export function plainKeyId(publicKey: KeyObject): string {
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  return createHash('sha256').update(raw).digest('hex').slice(0, 16);
}
