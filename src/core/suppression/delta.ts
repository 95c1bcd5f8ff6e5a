/**
 * Delta frames: entries of the ledger's log in order, with what the ledger says of itself, as bytes.
 *
 * A frame without entries is a heartbeat. Frames stand one after the other in a stream or file, each saying its own
 * length. Nothing is believed before the checksum agrees, and the signature where one is asked for. Any bytes at all
 * give a frame or a GateError. Byte layout and reasons: docs/delta-format.md.
 * @module
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { GateError } from '../errors.js';
import { areChangesLegal, CHANGE_BYTES, ENTRY_CHANGES_MAX } from './change.js';
import { EPOCH_BYTES_MAX, isEpoch, readEpoch, writeEpoch } from './epoch.js';
import { KEY_ID_BYTES, SIGNATURE_BYTES, type Signer, type Verifier } from './signature.js';

export const FRAME_FORMAT_VERSION = 1;
/** Bytes of one frame at most. */
export const FRAME_BYTES_MAX = 8 * 2 ** 20;
/** Bytes of a frame before its first entry. */
export const FRAME_HEADER_BYTES = 124;
/** Bytes of an entry before its changes. */
export const ENTRY_HEADER_BYTES = 12;

const MAGIC = 0x3144474f; // "OGD1"
const FLAG_SIGNED = 1;
const FLAG_CANARY = 1;
const CHECKSUM_BYTES = 4;
const TRAILER_BYTES = KEY_ID_BYTES + SIGNATURE_BYTES;
/** Every version of the format begins with magic and length. */
const LENGTH_END = 8;
const FRAME_BYTES_MIN = FRAME_HEADER_BYTES + CHECKSUM_BYTES;

/** Offsets of the frame's fields. */
const AT = {
  magic: 0,
  frameBytes: 4,
  formatVersion: 8,
  flags: 9,
  epochBytes: 10,
  reserved: 11,
  entries: 12,
  seed: 16,
  seq: 24,
  settledSeq: 32,
  stateDigest: 40,
  entryCount: 48,
  beat: 56,
  lagMs: 64,
  firstSeq: 72,
  kindMask: 80,
  givenKindMask: 84,
  epoch: 88,
} as const;

/** Offsets of an entry's fields. */
const ENTRY_AT = { atMs: 0, changes: 8, flags: 10 } as const;

/** One transaction's changes. */
export interface Entry {
  readonly seq: number;
  /** When the ledger recorded it, ms since 1970. */
  readonly atMs: number;
  /** Made by the ledger itself, to measure how long changes take. */
  readonly isCanary: boolean;
  /** Records of 20 bytes (change.ts). In a frame that was decoded these are the frame's own bytes, not a copy. */
  readonly changes: Uint8Array;
}

/** What the ledger says of itself. */
export interface Head {
  readonly epoch: string;
  readonly seed: bigint;
  readonly seq: number;
  readonly settledSeq: number;
  /** Of the state at settledSeq. */
  readonly stateDigest: string;
  /** Of the state at settledSeq: keys with rights. */
  readonly entryCount: number;
  readonly kindMask: number;
  readonly givenKindMask: number;
  /** Goes up with every heartbeat and every step of the ledger. */
  readonly beat: number;
  /** How old the content is by the ledger's own clock, in whole ms. */
  readonly lagMs: number;
}

/** Entries, dense and ascending; none: a heartbeat. */
export interface Frame {
  readonly head: Head;
  readonly entries: readonly Entry[];
}

/**
 * A frame as bytes, signed if there is a signer. Throws a GateError `delta.header` for a field that no reader would take,
 * `delta.too_large` for more than {@link FRAME_BYTES_MAX}.
 */
export function encodeFrame(frame: Frame, signer?: Signer): Uint8Array {
  const { head, entries } = frame;
  let frameBytes = FRAME_HEADER_BYTES + CHECKSUM_BYTES + (signer === undefined ? 0 : TRAILER_BYTES);
  for (const { changes } of entries) frameBytes += ENTRY_HEADER_BYTES + changes.length;
  if (frameBytes > FRAME_BYTES_MAX) throw tooLarge(frameBytes);
  checkFrame(frame);
  const bytes = new Uint8Array(frameBytes);
  const view = viewOf(bytes);
  writeHead(view, head);
  view.setUint32(AT.frameBytes, frameBytes, true);
  view.setUint8(AT.flags, signer === undefined ? 0 : FLAG_SIGNED);
  view.setUint32(AT.entries, entries.length, true);
  setCount(view, AT.firstSeq, entries[0]?.seq ?? 0);
  let at = FRAME_HEADER_BYTES;
  for (const { atMs, isCanary, changes } of entries) {
    setCount(view, at + ENTRY_AT.atMs, atMs);
    view.setUint16(at + ENTRY_AT.changes, changes.length / CHANGE_BYTES, true);
    view.setUint16(at + ENTRY_AT.flags, isCanary ? FLAG_CANARY : 0, true);
    bytes.set(changes, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + changes.length;
  }
  if (signer !== undefined) {
    bytes.set(signer.keyId, at);
    bytes.set(signer.sign(digestOf(bytes.subarray(0, at))), at + KEY_ID_BYTES);
    at += TRAILER_BYTES;
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true);
  return bytes;
}

/**
 * The one frame that fills `bytes`; its changes are views of them. With a verifier the frame must be signed by a key it
 * trusts. Throws a GateError `delta.truncated`, `.trailing_bytes`, `.magic`, `.version`, `.header`, `.checksum`,
 * `.too_large`, `signature.missing`, `.unknown_key` or `.wrong`.
 */
export function decodeFrame(bytes: Uint8Array, verifier?: Verifier): Frame {
  const frameBytes = frameBytesAt(bytes, 0);
  const view = viewOf(bytes);
  if (bytes.length < frameBytes) throw new GateError('delta.truncated', `${bytes.length} of ${frameBytes} bytes`);
  if (bytes.length > frameBytes) throw new GateError('delta.trailing_bytes', `${bytes.length - frameBytes} bytes`);
  const formatVersion = view.getUint8(AT.formatVersion);
  if (formatVersion !== FRAME_FORMAT_VERSION) throw new GateError('delta.version', `format ${formatVersion}`);
  const checksumAt = frameBytes - CHECKSUM_BYTES;
  if (crc32(bytes.subarray(0, checksumAt)) !== view.getUint32(checksumAt, true)) throw new GateError('delta.checksum');
  const entriesEnd = verifiedEnd(bytes, view, checksumAt, verifier);
  const head = readHead(view);
  checkHead(head);
  return { head, entries: readEntries(bytes, view, entriesEnd, head) };
}

/**
 * How long the frame is that starts at `at`; its bytes need not be there yet. Throws a GateError `delta.truncated` if
 * fewer than 8 bytes are, `delta.magic`, `delta.too_large`, or `delta.header` for a length that no frame has.
 */
export function frameBytesAt(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < LENGTH_END) throw new GateError('delta.truncated');
  const view = viewOf(bytes);
  if (view.getUint32(at + AT.magic, true) !== MAGIC) throw new GateError('delta.magic');
  const frameBytes = view.getUint32(at + AT.frameBytes, true);
  if (frameBytes > FRAME_BYTES_MAX) throw tooLarge(frameBytes);
  if (frameBytes < FRAME_BYTES_MIN) throw illegal('frameBytes');
  return frameBytes;
}

/** Checks flags and signature; returns where the entries end. */
function verifiedEnd(bytes: Uint8Array, view: DataView, checksumAt: number, verifier: Verifier | undefined): number {
  const flags = view.getUint8(AT.flags);
  if ((flags & ~FLAG_SIGNED) !== 0 || view.getUint8(AT.reserved) !== 0) throw illegal('flags');
  if (flags === 0) {
    if (verifier !== undefined) throw new GateError('signature.missing');
    return checksumAt;
  }
  const trailerAt = checksumAt - TRAILER_BYTES;
  if (trailerAt < FRAME_HEADER_BYTES) throw illegal('frameBytes');
  if (verifier !== undefined) {
    const signatureAt = trailerAt + KEY_ID_BYTES;
    const digest = digestOf(bytes.subarray(0, trailerAt));
    verifier.verify(bytes.subarray(trailerAt, signatureAt), digest, bytes.subarray(signatureAt, checksumAt));
  }
  return trailerAt;
}

function readEntries(bytes: Uint8Array, view: DataView, end: number, head: Head): readonly Entry[] {
  const count = view.getUint32(AT.entries, true);
  const firstSeq = getCount(view, AT.firstSeq);
  if (count === 0 ? firstSeq !== 0 : !isCount(firstSeq) || firstSeq === 0 || firstSeq + count - 1 > head.seq)
    throw illegal('firstSeq');
  const entries: Entry[] = [];
  let at = FRAME_HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    const changesAt = at + ENTRY_HEADER_BYTES;
    if (changesAt > end) throw illegal('entries');
    const atMs = getCount(view, at + ENTRY_AT.atMs);
    const changeCount = view.getUint16(at + ENTRY_AT.changes, true);
    const flags = view.getUint16(at + ENTRY_AT.flags, true);
    at = changesAt + changeCount * CHANGE_BYTES;
    if (at > end || changeCount > ENTRY_CHANGES_MAX || !isCount(atMs) || flags > FLAG_CANARY) throw illegal('entry');
    if (!areChangesLegal(view, changesAt, at)) throw illegal('changes');
    const changes = bytes.subarray(changesAt, at);
    entries.push({ seq: firstSeq + index, atMs, isCanary: flags === FLAG_CANARY, changes });
  }
  if (at !== end) throw illegal('entries');
  return entries;
}

function readHead(view: DataView): Head {
  const epochBytes = Math.min(view.getUint8(AT.epochBytes), EPOCH_BYTES_MAX);
  for (let at = AT.epoch + epochBytes; at < FRAME_HEADER_BYTES; at++) {
    if (view.getUint8(at) !== 0) throw illegal('epoch');
  }
  if (view.getUint8(AT.epochBytes) !== epochBytes) throw illegal('epoch');
  return {
    epoch: readEpoch(new Uint8Array(view.buffer, view.byteOffset + AT.epoch, epochBytes)),
    seed: view.getBigUint64(AT.seed, true),
    seq: getCount(view, AT.seq),
    settledSeq: getCount(view, AT.settledSeq),
    stateDigest: view.getBigUint64(AT.stateDigest, true).toString(16).padStart(16, '0'),
    entryCount: getCount(view, AT.entryCount),
    kindMask: view.getInt32(AT.kindMask, true),
    givenKindMask: view.getInt32(AT.givenKindMask, true),
    beat: getCount(view, AT.beat),
    lagMs: getCount(view, AT.lagMs),
  };
}

function writeHead(view: DataView, head: Head): void {
  view.setUint32(AT.magic, MAGIC, true);
  view.setUint8(AT.formatVersion, FRAME_FORMAT_VERSION);
  view.setUint8(AT.epochBytes, head.epoch.length);
  view.setBigUint64(AT.seed, head.seed, true);
  setCount(view, AT.seq, head.seq);
  setCount(view, AT.settledSeq, head.settledSeq);
  view.setBigUint64(AT.stateDigest, BigInt(`0x${head.stateDigest}`), true);
  setCount(view, AT.entryCount, head.entryCount);
  setCount(view, AT.beat, head.beat);
  setCount(view, AT.lagMs, head.lagMs);
  view.setInt32(AT.kindMask, head.kindMask, true);
  view.setInt32(AT.givenKindMask, head.givenKindMask, true);
  writeEpoch(head.epoch, new Uint8Array(view.buffer, view.byteOffset + AT.epoch));
}

function checkFrame({ head, entries }: Frame): void {
  checkHead(head);
  const firstSeq = entries[0]?.seq ?? 1;
  if (!isCount(firstSeq) || firstSeq === 0 || firstSeq + entries.length - 1 > head.seq) throw illegal('seq');
  for (const [index, { seq, atMs, changes }] of entries.entries()) {
    if (seq !== firstSeq + index) throw illegal('seq');
    if (!isCount(atMs)) throw illegal('atMs');
    const isLegal = changes.length % CHANGE_BYTES === 0 && areChangesLegal(viewOf(changes), 0, changes.length);
    if (!isLegal || changes.length > ENTRY_CHANGES_MAX * CHANGE_BYTES) throw illegal('changes');
  }
}

function checkHead(head: Head): void {
  if (!isEpoch(head.epoch)) throw illegal('epoch');
  if (BigInt.asUintN(64, head.seed) !== head.seed) throw illegal('seed');
  if (!isCount(head.seq)) throw illegal('seq');
  if (!isCount(head.settledSeq) || head.settledSeq > head.seq) throw illegal('settledSeq');
  if (!/^[0-9a-f]{16}$/.test(head.stateDigest)) throw illegal('stateDigest');
  if (!isCount(head.entryCount)) throw illegal('entryCount');
  if (!isKindMask(head.kindMask)) throw illegal('kindMask');
  if (!isKindMask(head.givenKindMask) || (head.givenKindMask & ~head.kindMask) !== 0) throw illegal('givenKindMask');
  if (!isCount(head.beat)) throw illegal('beat');
  if (!isCount(head.lagMs)) throw illegal('lagMs');
}

/** A set of tags as 32 bits, signed or not. */
function isKindMask(mask: number): boolean {
  return ((mask | 0) === mask || mask >>> 0 === mask) && (mask & 1) === 0;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A number of 64 bits; above 2^53 it is not exact, and no count. */
function getCount(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function setCount(view: DataView, at: number, count: number): void {
  view.setUint32(at, count, true);
  view.setUint32(at + 4, count / 2 ** 32, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

function tooLarge(frameBytes: number): GateError {
  return new GateError('delta.too_large', `${frameBytes} bytes, at most ${FRAME_BYTES_MAX}`);
}

function illegal(field: string): GateError {
  return new GateError('delta.header', field);
}
