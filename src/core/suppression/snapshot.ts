/**
 * Snapshots: a table as bytes, and back, block by block, without touching a file.
 *
 * A reader fills the memory of the new table straight from the source and gives the table out only when every checksum
 * has agreed. A writer hands out the table's own memory. Files: src/snapshot-file.ts; bytes: docs/snapshot-format.md.
 * @module
 */
import { crc32 } from 'node:zlib';
import { GateError } from '../errors.js';
import { BUCKET_BYTES } from './layout.js';
import {
  blockCountFor,
  dataOffset,
  isBlockBytes,
  readSnapshotHeader,
  SNAPSHOT_BLOCK_BYTES,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotHeader,
  sectionsOffset,
  writeSnapshotHeader,
} from './snapshot-header.js';
import { SuppressionTable } from './table.js';

/** Sections of a type with this bit must be understood by the reader; others may be skipped. */
const SECTION_CRITICAL = 0x80000000;

/**
 * Reads one snapshot. Give it everything before the first block, fill and verify every {@link SnapshotReader.block} in
 * any order, then {@link SnapshotReader.finish}.
 */
export class SnapshotReader {
  readonly header: SnapshotHeader;
  private readonly checksums: DataView;
  private readonly table: SuppressionTable;
  private readonly isVerified: Uint8Array;

  /** `head` is the file up to its first block (dataOffset). Throws a GateError as {@link readSnapshotHeader} does. */
  constructor(head: Uint8Array, fileBytes: number, bytesMax?: number) {
    refuseBigEndian();
    const header = readSnapshotHeader(head, fileBytes, bytesMax);
    if (head.length < dataOffset(header)) throw new GateError('snapshot.truncated');
    const blockTable = head.subarray(SNAPSHOT_HEADER_BYTES, sectionsOffset(header.blockCount));
    if (crc32(blockTable) !== header.blockTableChecksum) throw new GateError('snapshot.checksum', 'block checksums');
    checkSections(head.subarray(sectionsOffset(header.blockCount), dataOffset(header)), header);
    this.header = header;
    this.checksums = new DataView(blockTable.buffer, blockTable.byteOffset, blockTable.byteLength);
    this.isVerified = new Uint8Array(header.blockCount);
    this.table = SuppressionTable.allocate(header);
  }

  /** The memory that block `index` belongs into. */
  block(index: number): Uint8Array {
    return blockOf(this.table, index, this.header.blockBytes);
  }

  /** Throws a GateError `snapshot.checksum` if the block is not what was written. */
  verify(index: number): void {
    if (crc32(this.block(index)) !== this.checksums.getUint32(index * 4, true)) {
      throw new GateError('snapshot.checksum', `block ${index}`);
    }
    this.isVerified[index] = 1;
  }

  /** The table, ready for use. Throws a TypeError if a block has not been verified. */
  finish(): SuppressionTable {
    if (this.isVerified.includes(0)) throw new TypeError('expected every block to be verified');
    this.table.restore(this.header);
    return this.table;
  }
}

/**
 * Writes one snapshot of a table as it is now. Take every {@link SnapshotWriter.block} in any order, then
 * {@link SnapshotWriter.head}, which belongs in front of them. For the thread that writes to the table, or for a table
 * that nobody writes to.
 */
export class SnapshotWriter {
  readonly blockCount: number;
  private readonly headBytes: number;
  private readonly changeCount: number;
  private readonly blockTable: Uint8Array;
  private readonly isTaken: Uint8Array;

  constructor(
    private readonly table: SuppressionTable,
    private readonly createdAtMs: number,
    private readonly blockBytes: number = SNAPSHOT_BLOCK_BYTES,
  ) {
    refuseBigEndian();
    if (!isBlockBytes(blockBytes)) throw new RangeError('expected blocks of 4 KiB to 64 MiB, in whole buckets');
    if (!Number.isSafeInteger(createdAtMs) || createdAtMs < 0) throw new RangeError('expected whole ms since 1970');
    this.blockCount = blockCountFor(table.bucketCount, blockBytes);
    this.headBytes = dataOffset({ blockCount: this.blockCount, sectionsBytes: 0 });
    this.blockTable = new Uint8Array(this.blockCount * 4);
    this.isTaken = new Uint8Array(this.blockCount);
    this.changeCount = table.changeCount;
  }

  /** Where block `index` belongs in the file. */
  blockOffset(index: number): number {
    return this.headBytes + index * this.blockBytes;
  }

  /** Block `index`: the table's own memory, to be read before anything else is done with the table. */
  block(index: number): Uint8Array {
    const block = blockOf(this.table, index, this.blockBytes);
    new DataView(this.blockTable.buffer).setUint32(index * 4, crc32(block), true);
    this.isTaken[index] = 1;
    return block;
  }

  /**
   * Everything before the first block. Throws a GateError `snapshot.table_changed` if the table was written to since
   * the start: what has been written of the snapshot is worthless then.
   */
  head(): Uint8Array {
    if (this.isTaken.includes(0)) throw new TypeError('expected every block to be taken');
    if (this.table.changeCount !== this.changeCount) throw new GateError('snapshot.table_changed');
    const head = new Uint8Array(this.headBytes);
    head.set(writeSnapshotHeader(this.header()));
    head.set(this.blockTable, SNAPSHOT_HEADER_BYTES);
    return head;
  }

  private header(): SnapshotHeader {
    const { bucketCount, displacementMax, kindMask, givenKindMask, entryCount, tombstoneCount } = this.table;
    const { seed, epoch, seq, freshAtMs, stateDigest } = this.table;
    return {
      blockBytes: this.blockBytes,
      blockCount: this.blockCount,
      blockTableChecksum: crc32(this.blockTable),
      sectionsBytes: 0,
      sectionsChecksum: 0,
      ...{ bucketCount, displacementMax, kindMask, givenKindMask, entryCount, tombstoneCount },
      ...{ seed, epoch, seq, freshAtMs, stateDigest },
      createdAtMs: this.createdAtMs,
    };
  }
}

/** A table from a whole snapshot in memory. Throws a GateError as {@link SnapshotReader} does. */
export function decodeSnapshot(bytes: Uint8Array, bytesMax?: number): SuppressionTable {
  const header = readSnapshotHeader(bytes, bytes.length, bytesMax);
  const start = dataOffset(header);
  const reader = new SnapshotReader(bytes.subarray(0, start), bytes.length, bytesMax);
  for (let index = 0; index < header.blockCount; index++) {
    const block = reader.block(index);
    const from = start + index * header.blockBytes;
    block.set(bytes.subarray(from, from + block.length));
    reader.verify(index);
  }
  return reader.finish();
}

/** A whole snapshot in memory. */
export function encodeSnapshot(table: SuppressionTable, createdAtMs: number, blockBytes?: number): Uint8Array {
  const writer = new SnapshotWriter(table, createdAtMs, blockBytes);
  const bytes = new Uint8Array(writer.blockOffset(0) + table.bucketCount * BUCKET_BYTES);
  for (let index = 0; index < writer.blockCount; index++) bytes.set(writer.block(index), writer.blockOffset(index));
  bytes.set(writer.head());
  return bytes;
}

function blockOf(table: SuppressionTable, index: number, blockBytes: number): Uint8Array {
  const start = index * blockBytes;
  return table.bucketBytes(start, Math.min(blockBytes, table.bucketCount * BUCKET_BYTES - start));
}

/** Sections and the padding after them. None is known yet, so optional ones are skipped and critical ones refused. */
function checkSections(bytes: Uint8Array, { sectionsBytes, sectionsChecksum }: SnapshotHeader): void {
  const sections = bytes.subarray(0, sectionsBytes);
  if (crc32(sections) !== sectionsChecksum) throw new GateError('snapshot.checksum', 'sections');
  if (bytes.subarray(sectionsBytes).some((byte) => byte !== 0)) throw new GateError('snapshot.checksum', 'padding');
  const view = new DataView(sections.buffer, sections.byteOffset, sections.byteLength);
  for (let at = 0; at < sectionsBytes; ) {
    const type = view.getUint32(at, true);
    const byteLength = view.getUint32(at + 4, true);
    if ((type & SECTION_CRITICAL) !== 0) throw new GateError('snapshot.version', 'a section that must be understood');
    at += 8 + Math.ceil(byteLength / 8) * 8;
    if (at > sectionsBytes) throw new GateError('snapshot.header', 'sections');
  }
}

function refuseBigEndian(): void {
  if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1)
    throw new GateError('snapshot.endianness', 'this machine is big-endian');
}
