/**
 * Lineage files: the fingerprints of everybody who left with a run, in ascending order, each once.
 *
 *     0    8        magic "OGLINE\0\1"
 *     8    8        count, u64
 *     16   8        digest of the seed that the fingerprints are made with (fingerprint.ts), first 8 bytes of its SHA-256
 *     24   8·count  fingerprints, i64: ordered as signed numbers, as the ledger orders its keys
 *     …    32       SHA-256 over the 24 bytes of the header and the SHA-256 of the fingerprints
 *
 * All little-endian. Fingerprints come unordered and in any number: they are sorted in memory up to a limit, spilled in
 * sorted pieces, and merged.
 * @module
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { GateError } from '../core/errors.js';
import { distinct, isBefore, sortedFingerprints } from './sort-fingerprints.js';

/** Fingerprints that are sorted in memory at a time: 32 MiB, and as much again while they are sorted. */
export const SORT_COUNT_MAX = 4 * 1024 * 1024;
/** Fingerprints that are read at a time, of each spilled piece, and written. */
const PIECE_COUNT = 8192;
/** Those that are written at a time where there is nothing to merge. */
const WRITE_COUNT = 131_072;
const MAGIC = Buffer.from('OGLINE\0\x01', 'latin1');
const HEADER_BYTES = 24;
const CHECKSUM_BYTES = 32;

export interface LineageOptions {
  /** Default: {@link SORT_COUNT_MAX}. */
  readonly sortCountMax?: number;
}

/** Collects the fingerprints of one run beside a path; {@link finish} writes the file. */
export class LineageBuilder {
  /** Where the file is after {@link finish}. */
  readonly path: string;
  #buffer: BigInt64Array;
  #count = 0;
  #isClosed = false;
  /** Files of sorted pieces. */
  readonly #spills: string[] = [];
  /** The spill in progress; fingerprints arrive without waiting for it. */
  #spilling: Promise<void> = Promise.resolve();

  /** @param path Where the file is written to, and with more behind its name the spilled pieces. */
  constructor(path: string, { sortCountMax = SORT_COUNT_MAX }: LineageOptions = {}) {
    this.path = path;
    this.#buffer = new BigInt64Array(sortCountMax);
  }

  /** Takes fingerprints in any order. The memory stays the caller's. */
  add(fingerprints: BigUint64Array): void {
    if (this.#isClosed) return; // from a filter that has not heard yet that its run failed
    const signed = new BigInt64Array(fingerprints.buffer, fingerprints.byteOffset, fingerprints.length);
    for (let from = 0; from < signed.length; ) {
      const some = signed.subarray(from, from + this.#buffer.length - this.#count);
      this.#buffer.set(some, this.#count);
      this.#count += some.length;
      from += some.length;
      if (this.#count === this.#buffer.length) this.#spill();
    }
  }

  /** Resolves when what was taken is in memory or on disk. @throws the system's error where it could not be. */
  settled(): Promise<void> {
    return this.#spilling;
  }

  /** Sorts and writes it all, to disk. @returns How many fingerprints there are. */
  async finish(seed: bigint): Promise<number> {
    await this.#spilling;
    const rest = distinct(sortedFingerprints(this.#buffer.subarray(0, this.#count)));
    this.#close();
    // a list alone: 0.4 s for 4 M, and 0.6 through the heap of one
    if (this.#spills.length === 0) return writeLineage(this.path, seed, piecesOf(rest, WRITE_COUNT));
    const files = await Promise.all(this.#spills.map((path) => open(path, 'r')));
    try {
      return await writeLineage(
        this.path,
        seed,
        merged([piecesOf(rest, PIECE_COUNT), ...files.map((file) => readPieces(file, 0, null))]),
      );
    } finally {
      await Promise.all(files.map((file) => file.close()));
      await this.#removeSpills();
    }
  }

  /** Gives the file another name in the same folder. Only after {@link finish}. */
  publish(path: string): Promise<void> {
    return rename(this.path, path);
  }

  /** Removes what was written, unless it was published. Never throws. */
  async discard(): Promise<void> {
    this.#close();
    await this.#spilling.catch(() => {});
    await this.#removeSpills();
    await rm(this.path, { force: true }).catch(() => {});
  }

  /** Takes no more, and lets go of the memory. */
  #close(): void {
    this.#isClosed = true;
    this.#buffer = new BigInt64Array(0);
  }

  #spill(): void {
    const sorted = sortedFingerprints(this.#buffer);
    this.#count = 0;
    const path = `${this.path}.${this.#spills.length}`;
    this.#spills.push(path);
    this.#spilling = this.#spilling.then(() => writePieces(path, sorted));
    this.#spilling.catch(() => {}); // told by settled()
  }

  async #removeSpills(): Promise<void> {
    await Promise.all(this.#spills.splice(0).map((path) => rm(path, { force: true }).catch(() => {})));
  }
}

/** A lineage file that is complete. */
export class LineageFile {
  private constructor(
    private readonly file: FileHandle,
    readonly count: number,
  ) {}

  /**
   * Opens a file and checks all of it.
   * @throws {GateError} `lineage.damaged`; `lineage.seed`: its fingerprints were made with another seed.
   */
  static async open(path: string, seed: bigint): Promise<LineageFile> {
    const file = await open(path, 'r');
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      await file.read(header, 0, HEADER_BYTES, 0);
      const count = Number(header.readBigUInt64LE(8));
      const { size } = await file.stat();
      if (!header.subarray(0, 8).equals(MAGIC) || size !== HEADER_BYTES + 8 * count + CHECKSUM_BYTES)
        throw new GateError('lineage.damaged');
      const body = createHash('sha256');
      for await (const piece of readPieces(file, HEADER_BYTES, count)) body.update(bytesOf(piece));
      const checksum = Buffer.alloc(CHECKSUM_BYTES);
      await file.read(checksum, 0, CHECKSUM_BYTES, size - CHECKSUM_BYTES);
      if (!checksum.equals(checksumOf(header, body.digest()))) throw new GateError('lineage.damaged');
      if (!header.subarray(16).equals(seedDigest(seed))) throw new GateError('lineage.seed');
      return new LineageFile(file, count);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Whether a fingerprint is in it: a search that reads about log2(count) of them. */
  async has(fingerprint: bigint): Promise<boolean> {
    const wanted = BigInt.asIntN(64, fingerprint);
    const one = new BigInt64Array(1);
    for (let from = 0, to = this.count; from < to; ) {
      const middle = (from + to) >>> 1;
      await this.file.read(bytesOf(one), 0, 8, HEADER_BYTES + 8 * middle);
      const found = one[0] ?? 0n;
      if (found === wanted) return true;
      if (found < wanted) from = middle + 1;
      else to = middle;
    }
    return false;
  }

  /** All of them, in order. */
  fingerprints(): AsyncGenerator<BigInt64Array> {
    return readPieces(this.file, HEADER_BYTES, this.count);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

async function writeLineage(path: string, seed: bigint, ascending: AsyncIterable<BigInt64Array>): Promise<number> {
  const file = await open(path, 'w', 0o600);
  try {
    const body = createHash('sha256');
    let count = 0;
    let position = HEADER_BYTES;
    for await (const piece of ascending) {
      body.update(bytesOf(piece));
      await writeAt(file, bytesOf(piece), position);
      position += piece.byteLength;
      count += piece.length;
    }
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeBigUInt64LE(BigInt(count), 8);
    seedDigest(seed).copy(header, 16);
    await writeAt(file, header, 0);
    await writeAt(file, checksumOf(header, body.digest()), position);
    await file.sync();
    return count;
  } finally {
    await file.close();
  }
}

/**
 * What several ascending lists hold, ascending, each once. The list with the least head is at the root of a heap. The memory of
 * a piece is used again for the next one.
 */
async function* merged(lists: readonly AsyncIterable<BigInt64Array>[]): AsyncGenerator<BigInt64Array> {
  const heap: Cursor[] = [];
  for (const list of lists) {
    const cursor = new Cursor(list[Symbol.asyncIterator]());
    if (await cursor.fill()) heap.push(cursor);
  }
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) sink(heap, at);
  const out = new BigInt64Array(PIECE_COUNT);
  const halves = new Int32Array(out.buffer);
  let end = 0;
  let [lastHigh, lastLow, isFirst] = [0, 0, true];
  for (let least = heap[0]; least !== undefined; least = heap[0]) {
    const { high, low } = least;
    if (isFirst || high !== lastHigh || low !== lastLow) {
      [lastHigh, lastLow, isFirst] = [high, low, false];
      halves[end] = low;
      halves[end + 1] = high;
      end += 2;
      if (end === halves.length) {
        yield out;
        end = 0;
      }
    }
    if (!(least.step() || (await least.fill()))) {
      const end = heap.pop();
      if (end !== undefined && end !== least) heap[0] = end;
    }
    sink(heap, 0);
  }
  if (end > 0) yield out.subarray(0, end / 2);
}

/** Where one list is: its head as halves, since a number of 64 bits would be an object each. */
class Cursor {
  high = 0;
  low = 0;
  #halves: Int32Array = new Int32Array(0);
  #at = 0;

  constructor(private readonly pieces: AsyncIterator<BigInt64Array>) {}

  /** Moves to the next one in the piece; false at its end. */
  step(): boolean {
    this.#at += 2;
    if (this.#at >= this.#halves.length) return false;
    this.low = this.#halves[this.#at] ?? 0;
    this.high = this.#halves[this.#at + 1] ?? 0;
    return true;
  }

  /** Moves to the first one of the next piece; false at the end of all. */
  async fill(): Promise<boolean> {
    const next = await this.pieces.next();
    if (next.done === true) return false;
    const { buffer, byteOffset, length } = next.value;
    this.#halves = new Int32Array(buffer, byteOffset, 2 * length);
    this.#at = -2;
    return this.step();
  }

  isBefore({ high, low }: Cursor): boolean {
    return isBefore(this.high, this.low, high, low);
  }
}

function sink(heap: Cursor[], from: number): void {
  for (let at = from; ; ) {
    const left = 2 * at + 1;
    let least = at;
    for (const child of [left, left + 1]) {
      const [one, other] = [heap[child], heap[least]];
      if (one !== undefined && other !== undefined && one.isBefore(other)) least = child;
    }
    const [here, there] = [heap[at], heap[least]];
    if (least === at || here === undefined || there === undefined) return;
    [heap[at], heap[least]] = [there, here];
    at = least;
  }
}

async function* piecesOf(list: BigInt64Array, pieceCount: number): AsyncGenerator<BigInt64Array> {
  for (let from = 0; from < list.length; from += pieceCount) yield list.subarray(from, from + pieceCount);
}

/** `count`: how many; `null`: to the end of the file. */
async function* readPieces(file: FileHandle, start: number, count: number | null): AsyncGenerator<BigInt64Array> {
  const end = count === null ? (await file.stat()).size : start + 8 * count;
  for (let position = start; position < end; position += 8 * PIECE_COUNT) {
    const piece = new BigInt64Array(Math.min(PIECE_COUNT, (end - position) / 8));
    const bytes = bytesOf(piece);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) throw new GateError('lineage.damaged');
      done += bytesRead;
    }
    yield piece;
  }
}

async function writePieces(path: string, sorted: BigInt64Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await writeAt(file, bytesOf(sorted), 0);
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

function bytesOf(list: BigInt64Array): Uint8Array {
  return new Uint8Array(list.buffer, list.byteOffset, list.byteLength);
}

function checksumOf(header: Uint8Array, bodyDigest: Uint8Array): Buffer {
  return createHash('sha256').update(header).update(bodyDigest).digest();
}

function seedDigest(seed: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, seed));
  return createHash('sha256').update(bytes).digest().subarray(0, 8);
}
