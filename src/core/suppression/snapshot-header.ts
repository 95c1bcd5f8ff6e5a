/**
 * The first 256 bytes of a snapshot: what is in the file, and whether it can be what it says.
 *
 * Byte layout and reasons: docs/snapshot-format.md. Nothing is believed before the checksum agrees, and no size is used
 * before it has been compared with the size of the file.
 * @module
 */
import { crc32 } from 'node:zlib';
import { GateError } from '../errors.js';
import { EPOCH_BYTES_MAX, isEpoch, readEpoch, writeEpoch } from './epoch.js';
import {
  BUCKET_BYTES,
  BUCKET_COUNT_MAX,
  BUCKET_COUNT_MIN,
  SLOTS_PER_BUCKET,
  windowBuckets,
  windowBucketsMax,
} from './layout.js';

export const SNAPSHOT_FORMAT_VERSION = 1;
export const SNAPSHOT_HEADER_BYTES = 256;
/** Largest snapshot that is read unless the caller says otherwise: the largest table, its checksums and sections. */
export const SNAPSHOT_BYTES_MAX = 4 * 2 ** 30 + 2 * 2 ** 20;
/** Bytes under one checksum, unless the writer chooses otherwise. */
export const SNAPSHOT_BLOCK_BYTES = 2 ** 20;
export const SNAPSHOT_BLOCK_BYTES_MIN = 4096;
export const SNAPSHOT_BLOCK_BYTES_MAX = 2 ** 26;
export const SNAPSHOT_SECTIONS_BYTES_MAX = 2 ** 16;
/** Limit on the displacement a file may ask lookups to search. */
const DISPLACEMENT_LIMIT = 255;

const MAGIC = Uint8Array.of(0x89, 0x4f, 0x47, 0x53, 0x0d, 0x0a, 0x1a, 0x0a); // "\x89OGS\r\n\x1a\n"
const ENDIAN_MARK = 0x01020304;
const DATA_ALIGNMENT_BYTES = 4096;

/** Offsets of the header's fields. */
const AT = {
  formatVersion: 8,
  endianMark: 12,
  headerBytes: 16,
  blockBytes: 20,
  blockCount: 24,
  blockTableChecksum: 28,
  sectionsBytes: 32,
  sectionsChecksum: 36,
  bucketCount: 40,
  displacementMax: 44,
  kindMask: 48,
  entryCount: 52,
  tombstoneCount: 56,
  epochBytes: 60,
  seed: 64,
  seq: 72,
  createdAtMs: 80,
  freshAtMs: 88,
  stateDigest: 96,
  epoch: 104,
  givenKindMask: 140,
  reserved: 144,
  headerChecksum: 252,
} as const;

/** What a snapshot says of itself. */
export interface SnapshotHeader {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly blockTableChecksum: number;
  readonly sectionsBytes: number;
  readonly sectionsChecksum: number;
  readonly bucketCount: number;
  readonly displacementMax: number;
  readonly kindMask: number;
  readonly givenKindMask: number;
  readonly entryCount: number;
  readonly tombstoneCount: number;
  readonly epoch: string;
  readonly seed: bigint;
  readonly seq: number;
  readonly createdAtMs: number;
  readonly freshAtMs: number | null;
  readonly stateDigest: string;
}

/**
 * Reads the header of a snapshot of `fileBytes` bytes from its first 256. Throws a GateError whose code says what is
 * wrong: `snapshot.truncated`, `.trailing_bytes`, `.magic`, `.version`, `.endianness`, `.checksum`, `.header`,
 * `.too_large`.
 */
export function readSnapshotHeader(
  bytes: Uint8Array,
  fileBytes: number,
  bytesMax: number = SNAPSHOT_BYTES_MAX,
): SnapshotHeader {
  if (bytes.length < SNAPSHOT_HEADER_BYTES) throw new GateError('snapshot.truncated');
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) throw new GateError('snapshot.magic');
  const view = new DataView(bytes.buffer, bytes.byteOffset, SNAPSHOT_HEADER_BYTES);
  const formatVersion = view.getUint32(AT.formatVersion, true);
  if (formatVersion !== SNAPSHOT_FORMAT_VERSION) throw new GateError('snapshot.version', `format ${formatVersion}`);
  if (view.getUint32(AT.endianMark, true) !== ENDIAN_MARK) throw new GateError('snapshot.endianness');
  if (crc32(bytes.subarray(0, AT.headerChecksum)) !== view.getUint32(AT.headerChecksum, true)) {
    throw new GateError('snapshot.checksum', 'header');
  }
  const header = readFields(view);
  checkFields(view, header);
  checkSize(snapshotBytes(header), fileBytes, bytesMax);
  return header;
}

/** The header's bytes. */
export function writeSnapshotHeader(header: SnapshotHeader): Uint8Array {
  const bytes = new Uint8Array(SNAPSHOT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(AT.formatVersion, SNAPSHOT_FORMAT_VERSION, true);
  view.setUint32(AT.endianMark, ENDIAN_MARK, true);
  view.setUint32(AT.headerBytes, SNAPSHOT_HEADER_BYTES, true);
  view.setUint32(AT.blockBytes, header.blockBytes, true);
  view.setUint32(AT.blockCount, header.blockCount, true);
  view.setUint32(AT.blockTableChecksum, header.blockTableChecksum, true);
  view.setUint32(AT.sectionsBytes, header.sectionsBytes, true);
  view.setUint32(AT.sectionsChecksum, header.sectionsChecksum, true);
  view.setUint32(AT.bucketCount, header.bucketCount, true);
  view.setUint32(AT.displacementMax, header.displacementMax, true);
  view.setUint32(AT.kindMask, header.kindMask, true);
  view.setUint32(AT.givenKindMask, header.givenKindMask, true);
  view.setUint32(AT.entryCount, header.entryCount, true);
  view.setUint32(AT.tombstoneCount, header.tombstoneCount, true);
  view.setUint32(AT.epochBytes, header.epoch.length, true);
  view.setBigUint64(AT.seed, header.seed, true);
  view.setBigUint64(AT.seq, BigInt(header.seq), true);
  view.setBigUint64(AT.createdAtMs, BigInt(header.createdAtMs), true);
  view.setBigUint64(AT.freshAtMs, BigInt(header.freshAtMs ?? 0), true);
  view.setBigUint64(AT.stateDigest, BigInt(`0x${header.stateDigest}`), true);
  writeEpoch(header.epoch, bytes.subarray(AT.epoch));
  view.setUint32(AT.headerChecksum, crc32(bytes.subarray(0, AT.headerChecksum)), true);
  return bytes;
}

/** Makes the checksums of sections and header right again in the bytes before the first block. */
export function resealHead(head: Uint8Array): void {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const sectionsAt = sectionsOffset(view.getUint32(AT.blockCount, true));
  const sections = head.subarray(sectionsAt, sectionsAt + view.getUint32(AT.sectionsBytes, true));
  view.setUint32(AT.sectionsChecksum, crc32(sections), true);
  view.setUint32(AT.headerChecksum, crc32(head.subarray(0, AT.headerChecksum)), true);
}

/** Where the sections begin: after the header and the block checksums. */
export function sectionsOffset(blockCount: number): number {
  return SNAPSHOT_HEADER_BYTES + blockCount * 4;
}

/** Where the first block begins. */
export function dataOffset(header: Pick<SnapshotHeader, 'blockCount' | 'sectionsBytes'>): number {
  const end = sectionsOffset(header.blockCount) + header.sectionsBytes;
  return Math.ceil(end / DATA_ALIGNMENT_BYTES) * DATA_ALIGNMENT_BYTES;
}

/** Size of the whole snapshot. */
export function snapshotBytes(header: SnapshotHeader): number {
  return dataOffset(header) + header.bucketCount * BUCKET_BYTES;
}

/** How many blocks a table of this size is cut into; only the last may be shorter than the others. */
export function blockCountFor(bucketCount: number, blockBytes: number): number {
  return Math.ceil((bucketCount * BUCKET_BYTES) / blockBytes);
}

export function isBlockBytes(blockBytes: number): boolean {
  const inRange = blockBytes >= SNAPSHOT_BLOCK_BYTES_MIN && blockBytes <= SNAPSHOT_BLOCK_BYTES_MAX;
  return inRange && blockBytes % BUCKET_BYTES === 0;
}

function readFields(view: DataView): SnapshotHeader {
  const epochBytes = Math.min(view.getUint32(AT.epochBytes, true), EPOCH_BYTES_MAX);
  const freshAtMs = Number(view.getBigUint64(AT.freshAtMs, true));
  return {
    blockBytes: view.getUint32(AT.blockBytes, true),
    blockCount: view.getUint32(AT.blockCount, true),
    blockTableChecksum: view.getUint32(AT.blockTableChecksum, true),
    sectionsBytes: view.getUint32(AT.sectionsBytes, true),
    sectionsChecksum: view.getUint32(AT.sectionsChecksum, true),
    bucketCount: view.getUint32(AT.bucketCount, true),
    displacementMax: view.getUint32(AT.displacementMax, true),
    kindMask: view.getInt32(AT.kindMask, true),
    givenKindMask: view.getInt32(AT.givenKindMask, true),
    entryCount: view.getUint32(AT.entryCount, true),
    tombstoneCount: view.getUint32(AT.tombstoneCount, true),
    epoch: readEpoch(new Uint8Array(view.buffer, view.byteOffset + AT.epoch, epochBytes)),
    seed: view.getBigUint64(AT.seed, true),
    seq: Number(view.getBigUint64(AT.seq, true)),
    createdAtMs: Number(view.getBigUint64(AT.createdAtMs, true)),
    freshAtMs: freshAtMs === 0 ? null : freshAtMs,
    stateDigest: view.getBigUint64(AT.stateDigest, true).toString(16).padStart(16, '0'),
  };
}

/** A checksum keeps out accidents; this keeps out whoever can compute one. */
function checkFields(view: DataView, header: SnapshotHeader): void {
  const { bucketCount, displacementMax, epoch, seq, createdAtMs, freshAtMs } = header;
  let reserved = 0;
  for (let at: number = AT.epoch + epoch.length; at < AT.givenKindMask; at++) reserved |= view.getUint8(at);
  for (let at: number = AT.reserved; at < AT.headerChecksum; at++) reserved |= view.getUint8(at);
  const legal =
    view.getUint32(AT.headerBytes, true) === SNAPSHOT_HEADER_BYTES &&
    bucketCount >= BUCKET_COUNT_MIN &&
    bucketCount <= BUCKET_COUNT_MAX &&
    isBlockBytes(header.blockBytes) &&
    header.blockCount === blockCountFor(bucketCount, header.blockBytes) &&
    header.sectionsBytes <= SNAPSHOT_SECTIONS_BYTES_MAX &&
    header.sectionsBytes % 8 === 0 &&
    displacementMax <= DISPLACEMENT_LIMIT &&
    windowBuckets(displacementMax) <= windowBucketsMax(bucketCount) &&
    (header.kindMask & 1) === 0 &&
    (header.givenKindMask & ~header.kindMask) === 0 &&
    header.entryCount + header.tombstoneCount <= bucketCount * SLOTS_PER_BUCKET &&
    view.getUint32(AT.epochBytes, true) === epoch.length &&
    isEpoch(epoch) &&
    [seq, createdAtMs, freshAtMs ?? 0].every(Number.isSafeInteger) &&
    reserved === 0;
  if (!legal) throw new GateError('snapshot.header');
}

function checkSize(expectedBytes: number, fileBytes: number, bytesMax: number): void {
  if (expectedBytes > bytesMax)
    throw new GateError('snapshot.too_large', `${expectedBytes} bytes, at most ${bytesMax}`);
  if (fileBytes < expectedBytes) throw new GateError('snapshot.truncated', `${fileBytes} of ${expectedBytes} bytes`);
  if (fileBytes > expectedBytes) throw new GateError('snapshot.trailing_bytes', `${fileBytes - expectedBytes} bytes`);
}
