/**
 * The file that a pass reads: its rows as bytes, decompressed, or the file in place for a format that is read here and there.
 *
 * What is counted and hashed are the bytes on disk. A file that is read in place is hashed after it was filtered, so it must
 * be the same file then.
 * @module
 */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { GateError } from '../core/errors.js';
import { type Compression, decompressedSource } from './compression.js';
import { type ByteSource, fileBytes } from './file-bytes.js';
import { type FileHash, fileHash, type Hashing } from './file-hash.js';
import { HASH_THREAD_BYTES_MIN } from './limits.js';

export interface InputFileOptions {
  /** How it is compressed; its first bytes say so unless told. */
  readonly compression?: Compression | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: by a thread of its own if it is as long as `HASH_THREAD_BYTES_MIN`, or a pipe, whose length nobody knows. */
  readonly hashing?: Hashing | undefined;
}

export class InputFile implements AsyncIterable<Uint8Array> {
  readonly #options: InputFileOptions;
  readonly #found: Stats;
  /** How it is hashed. */
  readonly hashing: Hashing;
  readonly #hash: FileHash;
  #bytesRead = 0;
  #isStream = false;

  private constructor(
    /** Where a format that is read in place finds it. */
    readonly path: string,
    found: Stats,
    options: InputFileOptions,
  ) {
    this.#found = found;
    this.#options = options;
    const isLong = !found.isFile() || found.size >= HASH_THREAD_BYTES_MIN;
    this.hashing = options.hashing ?? (isLong ? 'thread' : 'here');
    this.#hash = fileHash(this.hashing);
  }

  /** @throws the system's error where there is no such file. */
  static async open(path: string, options: InputFileOptions = {}): Promise<InputFile> {
    return new InputFile(path, await stat(path), options);
  }

  /** Bytes on disk; 0 for a pipe. */
  get bytesTotal(): number {
    return this.#found.size;
  }

  /** Bytes on disk that were read as a stream; `null` where it is read in place. */
  get bytesStreamed(): number | null {
    return this.#isStream ? this.#bytesRead : null;
  }

  /** Its rows. To be asked for once. */
  rows(): ByteSource {
    this.#isStream = true;
    return decompressedSource(this.#onDisk(), this.#options.compression);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.rows()[Symbol.asyncIterator]();
  }

  /**
   * What was read, when it was read to its end.
   * @throws {GateError} `export.input_changed`: it was read in place, and is not what it was.
   */
  async finish(): Promise<{ readonly bytes: number; readonly sha256: string }> {
    if (!this.#isStream) {
      for await (const _ of this.#onDisk()) this.#options.signal?.throwIfAborted();
      const now = await stat(this.path);
      const isSame = (['dev', 'ino', 'size', 'mtimeMs'] as const).every((name) => now[name] === this.#found[name]);
      if (!isSame || this.#bytesRead !== now.size) throw new GateError('export.input_changed');
    }
    return { bytes: this.#bytesRead, sha256: await this.#hash.digest() };
  }

  /** Lets go of it. Never throws. */
  discard(): Promise<void> {
    return this.#hash.discard();
  }

  /** What is on disk, counted and hashed as it is read. */
  #onDisk(): ByteSource {
    const source = fileBytes(this.path, this.#options.signal);
    const note = (bytes: Uint8Array): Promise<void> => {
      this.#bytesRead += bytes.length;
      return this.#hash.update(bytes);
    };
    return {
      readInto: async (memory) => {
        const length = await source.readInto(memory);
        await note(memory.subarray(0, length));
        return length;
      },
      close: () => source.close(),
      async *[Symbol.asyncIterator]() {
        for await (const bytes of source) {
          await note(bytes);
          yield bytes;
        }
      },
    };
  }
}
