/**
 * Follows the frames of a zstd stream (RFC 8878, section 3.1), to know whether the last one is all there.
 *
 * Node's decoder ends without an error where a frame is cut off, so a half of a file would be taken for the whole. Only
 * lengths are read here; what the blocks hold is the decoder's business.
 * @module
 */
import { RowError } from './row-error.js';

const MAGIC = 0xfd2fb528;
/** Of frames that hold nothing for a decoder: sixteen numbers in a row. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const RLE_BLOCK = 1;

type Part = 'magic' | 'skippable' | 'descriptor' | 'block' | 'behind';

export class ZstdFrames {
  #part: Part = 'magic';
  /** Bytes of a header that came so far, and how many it has. */
  #header: number[] = [];
  #headerBytes = MAGIC_BYTES;
  /** Bytes to be passed by before the next header. */
  #skipBytes = 0;
  #isLastBlock = false;
  #hasChecksum = false;

  /** All frames that were begun have ended. */
  get isAtEnd(): boolean {
    return this.#part === 'magic' && this.#header.length === 0 && this.#skipBytes === 0;
  }

  /** Takes the next bytes of the stream. @throws {RowError} `compression.damaged` where no frame begins that should. */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#skipBytes > 0) {
        const taken = Math.min(this.#skipBytes, bytes.length - at);
        this.#skipBytes -= taken;
        at += taken;
        continue;
      }
      this.#header.push(bytes[at] ?? 0);
      at++;
      if (this.#header.length === this.#headerBytes) this.#read(this.#header);
    }
  }

  #read(header: readonly number[]): void {
    const value = header.reduceRight((high, byte) => high * 256 + byte, 0);
    this.#header = [];
    switch (this.#part) {
      case 'magic':
        if (value === MAGIC) this.#expect('descriptor', 1);
        else if (value >= SKIPPABLE_MAGIC && value < SKIPPABLE_MAGIC + 16) this.#expect('skippable', 4);
        else throw new RowError('compression.damaged', null);
        return;
      case 'skippable':
        this.#skipBytes = value;
        this.#expect('magic', MAGIC_BYTES);
        return;
      case 'descriptor':
        this.#readDescriptor(value);
        return;
      case 'block':
        this.#isLastBlock = (value & 1) === 1;
        this.#skipBytes = ((value >> 1) & 3) === RLE_BLOCK ? 1 : value >> 3;
        if (!this.#isLastBlock) return;
        if (this.#hasChecksum) this.#expect('behind', CHECKSUM_BYTES);
        else this.#expect('magic', MAGIC_BYTES);
        return;
      case 'behind':
        this.#expect('magic', MAGIC_BYTES);
        return;
      default:
        this.#part satisfies never;
    }
  }

  /** Section 3.1.1.1.1: which fields the rest of the frame's header has. */
  #readDescriptor(descriptor: number): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const contentSizeBytes = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0;
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#skipBytes =
      (isSingleSegment ? 0 : 1) +
      (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) +
      (isSingleSegment && contentSizeBytes === 0 ? 1 : contentSizeBytes);
    this.#expect('block', BLOCK_HEADER_BYTES);
  }

  #expect(part: Part, headerBytes: number): void {
    this.#part = part;
    this.#headerBytes = headerBytes;
  }
}

/** The bytes as they come; ends with a {RowError} `compression.damaged` where the last frame is not all there. */
export async function* wholeFrames(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  for await (const bytes of input) {
    frames.take(bytes);
    yield bytes;
  }
  if (!frames.isAtEnd) throw new RowError('compression.damaged', null);
}
