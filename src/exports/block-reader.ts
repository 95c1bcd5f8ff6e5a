/**
 * Cuts a byte stream into blocks of whole lines, whatever the pieces it comes in.
 *
 * A block is cut behind its last line end, which may stand in a quoted cell: whoever reads the rows says so, and the rest
 * is joined to the next block. Memory is bounded by the longest row allowed.
 * @module
 */
import { GrowingBytes } from '../growing-bytes.js';
import type { Block } from './block-filter.js';
import { CARRIAGE_RETURN, LINE_FEED, QUOTE } from './csv/layout.js';
import { type ByteSource, isByteSource } from './file-bytes.js';
import { LINE_END_BYTES, SPARE_BYTES } from './limits.js';

export interface BlockReaderOptions {
  readonly blockBytes: number;
  readonly rowBytesMax: number;
  /** A carriage return alone ends a line, too. */
  readonly endsWithReturn: boolean;
}

const NOTHING = new Uint8Array(0);
/** Bytes that are read at first, for the head. */
const HEAD_READ_BYTES = 64 * 1024;

/** A block that is being read. */
interface Filling {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly capacity: number;
}

export class BlockReader {
  /** Bytes taken from the stream. */
  bytesIn = 0;
  readonly #source: ByteSource | null;
  /** `null`: there is a source, which is read into the blocks themselves. */
  readonly #iterator: AsyncIterator<Uint8Array> | null;
  readonly #options: BlockReaderOptions;
  #piece: Uint8Array = NOTHING;
  #hasEnded = false;
  /** What was read behind the last cut. */
  #rest: Uint8Array = NOTHING;
  /** Memory of blocks that are done with: new memory has to be cleared, page by page, by the system. */
  readonly #spare: Uint8Array[] = [];
  /** Memory that was given for blocks, and belongs to somebody else. */
  #slotsBuffer: ArrayBufferLike | null = null;
  #hasSlots = false;
  /** The next block, which is read from the source meanwhile. */
  #coming: Promise<Filling> | null = null;
  #countsQuotes = false;

  constructor(input: AsyncIterable<Uint8Array>, options: BlockReaderOptions) {
    this.#source = isByteSource(input) ? input : null;
    this.#iterator = this.#source === null ? input[Symbol.asyncIterator]() : null;
    this.#options = options;
  }

  /** Memory to read blocks into, as long as there is enough: each piece for one block. */
  useSlots(slots: readonly Uint8Array[]): void {
    this.#slotsBuffer = slots[0]?.buffer ?? null;
    this.#hasSlots = true;
    this.#spare.push(...slots);
  }

  /**
   * What stands before the first block: `endOf` says where it ends, -1 if it needs more. `null` if that takes more than
   * `bytesMax`. Call it before {@link next}.
   *
   * It is looked for again only when there is twice as much, so that many small pieces take no longer than few large ones.
   */
  async head(endOf: (bytes: Uint8Array, isLast: boolean) => number, bytesMax: number): Promise<Uint8Array | null> {
    const begun = new GrowingBytes(); // a copy: pieces may be good only until the next one comes
    for (let length = 0, lookAt = 0; ; ) {
      const more = await this.#nextPiece();
      if (more !== null) begun.append(more);
      length += more?.length ?? 0;
      if (more !== null && length < lookAt && length <= bytesMax) continue;
      const bytes = begun.take();
      const end = endOf(bytes, more === null);
      if (end > bytesMax || (end < 0 && length > bytesMax)) return null;
      if (end >= 0) {
        this.#piece = bytes.subarray(end);
        return bytes.subarray(0, end);
      }
      begun.append(bytes);
      lookAt = 2 * length;
    }
  }

  /** The next block; `null` at the end; `'too_long'` where a line is longer than a row may be. */
  async next(): Promise<Block | 'too_long' | null> {
    const { rowBytesMax } = this.#options;
    let { bytes, length, capacity } = await (this.#coming ?? this.#begin());
    this.#coming = null;
    for (;;) {
      if (length < capacity) {
        this.#rest = NOTHING;
        return length === 0 ? null : { bytes, length, isLast: true };
      }
      const cut = this.#cut(bytes, length);
      if (cut > 0) {
        this.#rest = Uint8Array.prototype.slice.call(bytes, cut, length); // a copy: the scanner writes behind the block
        if (this.#source !== null) {
          this.#coming = this.#begin();
          this.#coming.catch(() => {}); // its turn comes
        }
        return { bytes, length: cut, isLast: false };
      }
      if (length > rowBytesMax + LINE_END_BYTES) return 'too_long';
      capacity = 2 * length;
      const larger = newBlock(capacity);
      larger.set(bytes.subarray(0, length));
      bytes = larger;
      length = await this.#fill(bytes, length, capacity);
    }
  }

  /** Takes back memory that nobody uses any more. */
  recycle(memory: Uint8Array): void {
    if (this.isSlot(memory)) {
      if (this.#hasSlots) this.#spare.push(memory);
    } else if (memory.byteLength === this.#options.blockBytes + SPARE_BYTES && this.#spare.length < SPARE_COUNT_MAX) {
      this.#spare.push(memory);
    }
  }

  /** Reads no more blocks into that memory. */
  leaveSlots(): void {
    this.#hasSlots = false;
    const others = this.#spare.filter((memory) => !this.isSlot(memory));
    this.#spare.splice(0, this.#spare.length, ...others);
  }

  /** Whether these bytes stand in the memory given. */
  isSlot({ buffer }: Uint8Array): boolean {
    return buffer === this.#slotsBuffer;
  }

  /** Memory for a block of the usual size, or for what leaves of it. */
  memory(): Uint8Array {
    return this.#spare.pop() ?? newBlock(this.#options.blockBytes);
  }

  /**
   * Cuts from now on where an even number of quotes stands before, which takes a look at every byte: for files that have
   * turned out to have line ends in quoted cells.
   */
  cutByQuotes(): void {
    this.#countsQuotes = true;
  }

  /** Lets go of the stream before its end. */
  async close(): Promise<void> {
    const hadEnded = this.#hasEnded;
    this.#hasEnded = true; // a block that is being read asks for no more
    if (this.#source !== null) await this.#source.close();
    else if (!hadEnded) await this.#iterator?.return?.();
  }

  /** Reads into the memory of the next block, behind what was left of the one before. */
  async #begin(): Promise<Filling> {
    const { blockBytes } = this.#options;
    const rest = this.#rest;
    const capacity = Math.max(blockBytes, 2 * rest.length);
    const bytes = capacity === blockBytes ? this.memory() : newBlock(capacity);
    bytes.set(rest);
    return { bytes, length: await this.#fill(bytes, rest.length, capacity), capacity };
  }

  /** Puts more behind `length` until there are `capacity` bytes, or no more. */
  async #fill(bytes: Uint8Array, length: number, capacity: number): Promise<number> {
    let filled = length;
    while (filled < capacity) {
      if (this.#source !== null && this.#piece.length === 0) {
        const read = this.#hasEnded ? 0 : await this.#source.readInto(bytes.subarray(filled, capacity));
        if (read === 0) break;
        this.bytesIn += read;
        filled += read;
        continue;
      }
      if (this.#piece.length === 0) {
        const piece = await this.#nextPiece();
        if (piece === null) break;
        this.#piece = piece;
      }
      const taken = Math.min(this.#piece.length, capacity - filled);
      bytes.set(this.#piece.subarray(0, taken), filled);
      this.#piece = this.#piece.subarray(taken);
      filled += taken;
    }
    if (filled < capacity) this.#hasEnded = true;
    return filled;
  }

  async #nextPiece(): Promise<Uint8Array | null> {
    if (this.#hasEnded) return null;
    const piece = this.#iterator === null ? await this.#readPiece() : await nextOf(this.#iterator);
    if (piece === null) this.#hasEnded = true;
    else this.bytesIn += piece.length;
    return piece;
  }

  /** For the head, which stands in no block. */
  async #readPiece(): Promise<Uint8Array | null> {
    const memory = new Uint8Array(HEAD_READ_BYTES);
    const length = (await this.#source?.readInto(memory)) ?? 0;
    return length === 0 ? null : memory.subarray(0, length);
  }

  /** Behind the last line end; 0 if there is none. A carriage return at the very end may lack its line feed. */
  #cut(bytes: Uint8Array, length: number): number {
    if (this.#countsQuotes) {
      const evenCut = cutOfEvenQuotes(bytes, length);
      if (evenCut > 0) return evenCut;
    }
    const cut = bytes.lastIndexOf(LINE_FEED, length - 1) + 1;
    if (cut > 0 || !this.#options.endsWithReturn || length < 2) return cut;
    return bytes.lastIndexOf(CARRIAGE_RETURN, length - 2) + 1;
  }
}

/** HOT. Behind the last line feed that has an even number of quotes before it; 0 if there is none. */
function cutOfEvenQuotes(bytes: Uint8Array, length: number): number {
  let quoteCount = 0;
  let cut = 0;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte > QUOTE) continue;
    if (byte === QUOTE) quoteCount++;
    else if (byte === LINE_FEED && (quoteCount & 1) === 0) cut = at + 1;
  }
  return cut;
}

async function nextOf(iterator: AsyncIterator<Uint8Array>): Promise<Uint8Array | null> {
  const { done, value } = await iterator.next();
  return done === true ? null : value;
}

/** A block of what did not end in one and what comes next; `null` where there is neither. */
export function joined(tail: Uint8Array, next: Block | null): Block | null {
  if (tail.length === 0) return next;
  const length = tail.length + (next?.length ?? 0);
  const bytes = newBlock(length);
  bytes.set(tail);
  if (next !== null) bytes.set(next.bytes.subarray(0, next.length), tail.length);
  return { bytes, length, isLast: next === null || next.isLast };
}

/** Pieces of memory that are kept for later. */
const SPARE_COUNT_MAX = 16;

function newBlock(capacity: number): Uint8Array {
  return Buffer.allocUnsafeSlow(capacity + SPARE_BYTES);
}
