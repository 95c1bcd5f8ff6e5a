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
import type { Signer, Verifier } from './signature.js';
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
import {
  blankSignatureSection,
  SECTION_HEADER_BYTES,
  SECTION_SIGNATURE,
  SIGNATURE_PAYLOAD_BYTES,
  SnapshotHash,
  SnapshotSeal,
  signHead,
} from './snapshot-signature.js';
import { SuppressionTable } from './table.js';

/** Sections of a type with this bit must be understood by the reader; others may be skipped. */
const SECTION_CRITICAL = 0x80000000;

export interface SnapshotReaderOptions {
  /** Larger snapshots are refused before anything is allocated. Default: SNAPSHOT_BYTES_MAX. */
  readonly bytesMax?: number | undefined;
  /** Whose signatures to trust: with it, only signed snapshots are read. Without it, nobody looks at a signature. */
  readonly verifier?: Verifier | undefined;
}

export interface SnapshotWriterOptions {
  /** Bytes under one checksum. Default: 1 MiB. */
  readonly blockBytes?: number | undefined;
  /** Signs the snapshot. */
  readonly signer?: Signer | undefined;
}

/**
 * Reads one snapshot. Give it everything before the first block, fill and verify every {@link SnapshotReader.block} in
 * order, then {@link SnapshotReader.finish}. (Without a verifier any order will do.)
 */
export class SnapshotReader {
  readonly header: SnapshotHeader;
  private readonly checksums: DataView;
  private readonly table: SuppressionTable;
  private readonly isVerified: Uint8Array;
  private readonly seal: SnapshotSeal | null;

  /**
   * `head` is the file up to its first block (dataOffset). Throws a GateError as {@link readSnapshotHeader} does, and with
   * a verifier `signature.missing`, `signature.unknown_key` or `signature.wrong`.
   */
  constructor(head: Uint8Array, fileBytes: number, { bytesMax, verifier }: SnapshotReaderOptions = {}) {
    refuseBigEndian();
    const header = readSnapshotHeader(head, fileBytes, bytesMax);
    if (head.length < dataOffset(header)) throw new GateError('snapshot.truncated');
    const blockTable = head.subarray(SNAPSHOT_HEADER_BYTES, sectionsOffset(header.blockCount));
    if (crc32(blockTable) !== header.blockTableChecksum) throw new GateError('snapshot.checksum', 'block checksums');
    const payloadAt = checkSections(head.subarray(0, dataOffset(header)), header);
    this.seal = verifier === undefined ? null : sealOf(head.subarray(0, dataOffset(header)), payloadAt, verifier);
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
    const block = this.block(index);
    if (crc32(block) !== this.checksums.getUint32(index * 4, true)) {
      throw new GateError('snapshot.checksum', `block ${index}`);
    }
    this.seal?.add(index, block);
    this.isVerified[index] = 1;
  }

  /**
   * The table, ready for use. Throws a GateError `signature.wrong` if this is not what was signed, a TypeError if a block
   * has not been verified.
   */
  finish(): SuppressionTable {
    if (this.isVerified.includes(0)) throw new TypeError('expected every block to be verified');
    this.seal?.check();
    this.table.restore(this.header);
    return this.table;
  }
}

/**
 * Writes one snapshot of a table as it is now. Take every {@link SnapshotWriter.block} in any order, then
 * {@link SnapshotWriter.head}, which belongs in front of them. To sign, {@link SnapshotWriter.checksum} every block, then
 * {@link SnapshotWriter.hash} every block in order, before the head. For the thread that writes to the table, or for a
 * table that nobody writes to.
 */
export class SnapshotWriter {
  readonly blockCount: number;
  private readonly blockBytes: number;
  private readonly signer: Signer | null;
  private readonly sections: Uint8Array;
  private readonly headBytes: number;
  private readonly changeCount: number;
  private readonly blockTable: Uint8Array;
  private readonly isTaken: Uint8Array;
  /** Of a signed snapshot: the head without its signature, and the hash that begins with it. */
  private signing: { readonly head: Uint8Array; readonly hash: SnapshotHash } | null = null;

  constructor(
    private readonly table: SuppressionTable,
    private readonly createdAtMs: number,
    { blockBytes = SNAPSHOT_BLOCK_BYTES, signer }: SnapshotWriterOptions = {},
  ) {
    refuseBigEndian();
    if (!isBlockBytes(blockBytes)) throw new RangeError('expected blocks of 4 KiB to 64 MiB, in whole buckets');
    if (!Number.isSafeInteger(createdAtMs) || createdAtMs < 0) throw new RangeError('expected whole ms since 1970');
    this.blockBytes = blockBytes;
    this.signer = signer ?? null;
    this.sections = signer === undefined ? new Uint8Array(0) : blankSignatureSection(signer);
    this.blockCount = blockCountFor(table.bucketCount, blockBytes);
    this.headBytes = dataOffset({ blockCount: this.blockCount, sectionsBytes: this.sections.length });
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
    this.checksum(index);
    return blockOf(this.table, index, this.blockBytes);
  }

  /** Takes the checksum of block `index`, which goes into the head; {@link SnapshotWriter.block} does it too. */
  checksum(index: number): void {
    if (this.isTaken[index] === 1) return;
    const block = blockOf(this.table, index, this.blockBytes);
    new DataView(this.blockTable.buffer).setUint32(index * 4, crc32(block), true);
    this.isTaken[index] = 1;
  }

  /** Adds block `index` to what is signed. Throws a TypeError out of order, or before all checksums are taken. */
  hash(index: number): void {
    if (this.signing === null) {
      const head = this.unsignedHead();
      this.signing = { head, hash: new SnapshotHash(head, this.payloadAt) };
    }
    this.signing.hash.add(index, blockOf(this.table, index, this.blockBytes));
  }

  /**
   * Everything before the first block. Throws a GateError `snapshot.table_changed` if the table was written to since
   * the start: what has been written of the snapshot is worthless then.
   */
  head(): Uint8Array {
    const { signer, signing } = this;
    if (this.table.changeCount !== this.changeCount) throw new GateError('snapshot.table_changed');
    if (signer === null) return this.unsignedHead();
    if (signing?.hash.blockCount !== this.blockCount) throw new TypeError('expected every block to be hashed');
    const head = signing.head.slice();
    signHead(head, this.payloadAt, signing.hash.digest(), signer);
    return head;
  }

  /** Where the payload of the signature lies, if there is one. */
  private get payloadAt(): number {
    return sectionsOffset(this.blockCount) + SECTION_HEADER_BYTES;
  }

  private unsignedHead(): Uint8Array {
    if (this.isTaken.includes(0)) throw new TypeError('expected every block to be taken');
    const head = new Uint8Array(this.headBytes);
    head.set(writeSnapshotHeader(this.header()));
    head.set(this.blockTable, SNAPSHOT_HEADER_BYTES);
    head.set(this.sections, sectionsOffset(this.blockCount));
    return head;
  }

  private header(): SnapshotHeader {
    const { bucketCount, displacementMax, kindMask, givenKindMask, entryCount, tombstoneCount } = this.table;
    const { seed, epoch, seq, freshAtMs, stateDigest } = this.table;
    return {
      blockBytes: this.blockBytes,
      blockCount: this.blockCount,
      blockTableChecksum: crc32(this.blockTable),
      sectionsBytes: this.sections.length,
      sectionsChecksum: crc32(this.sections),
      ...{ bucketCount, displacementMax, kindMask, givenKindMask, entryCount, tombstoneCount },
      ...{ seed, epoch, seq, freshAtMs, stateDigest },
      createdAtMs: this.createdAtMs,
    };
  }
}

/** A table from a whole snapshot in memory. Throws a GateError as {@link SnapshotReader} does. */
export function decodeSnapshot(bytes: Uint8Array, options: SnapshotReaderOptions = {}): SuppressionTable {
  const header = readSnapshotHeader(bytes, bytes.length, options.bytesMax);
  const start = dataOffset(header);
  const reader = new SnapshotReader(bytes.subarray(0, start), bytes.length, options);
  for (let index = 0; index < header.blockCount; index++) {
    const block = reader.block(index);
    const from = start + index * header.blockBytes;
    block.set(bytes.subarray(from, from + block.length));
    reader.verify(index);
  }
  return reader.finish();
}

/** A whole snapshot in memory. */
export function encodeSnapshot(
  table: SuppressionTable,
  createdAtMs: number,
  options: SnapshotWriterOptions = {},
): Uint8Array {
  const writer = new SnapshotWriter(table, createdAtMs, options);
  const bytes = new Uint8Array(writer.blockOffset(0) + table.bucketCount * BUCKET_BYTES);
  for (let index = 0; index < writer.blockCount; index++) bytes.set(writer.block(index), writer.blockOffset(index));
  for (let index = 0; index < writer.blockCount && options.signer !== undefined; index++) writer.hash(index);
  bytes.set(writer.head());
  return bytes;
}

function blockOf(table: SuppressionTable, index: number, blockBytes: number): Uint8Array {
  const start = index * blockBytes;
  return table.bucketBytes(start, Math.min(blockBytes, table.bucketCount * BUCKET_BYTES - start));
}

/**
 * Sections and the padding after them. Returns where the payload of the signature lies, `null` if there is none. Other
 * sections are not known: optional ones are skipped and critical ones refused.
 */
function checkSections(
  head: Uint8Array,
  { blockCount, sectionsBytes, sectionsChecksum }: SnapshotHeader,
): number | null {
  const start = sectionsOffset(blockCount);
  const end = start + sectionsBytes;
  if (crc32(head.subarray(start, end)) !== sectionsChecksum) throw new GateError('snapshot.checksum', 'sections');
  if (head.subarray(end).some((byte) => byte !== 0)) throw new GateError('snapshot.checksum', 'padding');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let payloadAt: number | null = null;
  for (let at = start; at < end; ) {
    const type = view.getUint32(at, true);
    const byteLength = view.getUint32(at + 4, true);
    if ((type & SECTION_CRITICAL) !== 0) throw new GateError('snapshot.version', 'a section that must be understood');
    if (type === SECTION_SIGNATURE) {
      if (byteLength !== SIGNATURE_PAYLOAD_BYTES || payloadAt !== null)
        throw new GateError('snapshot.header', 'sections');
      payloadAt = at + SECTION_HEADER_BYTES;
    }
    at += SECTION_HEADER_BYTES + Math.ceil(byteLength / 8) * 8;
    if (at > end) throw new GateError('snapshot.header', 'sections');
  }
  return payloadAt;
}

function sealOf(head: Uint8Array, payloadAt: number | null, verifier: Verifier): SnapshotSeal {
  if (payloadAt === null) throw new GateError('signature.missing');
  return new SnapshotSeal(head, payloadAt, verifier);
}

function refuseBigEndian(): void {
  if (new Uint8Array(Uint32Array.of(1).buffer)[0] !== 1)
    throw new GateError('snapshot.endianness', 'this machine is big-endian');
}
