/**
 * The bytes of a file in memory that is used again and again: a new buffer for each piece costs a tenth of an export.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';

/** Bytes read at a time where nobody says into what. */
const READ_BYTES = 1024 * 1024;

/** Bytes that can be read to where they are wanted. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  /** Reads what comes next into `memory`, as much as there is at the moment; 0 at the end. Not while another call is under way. */
  readInto(memory: Uint8Array): Promise<number>;
  /** Lets go of it. */
  close(): Promise<void>;
}

/**
 * The pieces of a file, a pipe among others. A piece is good until the next one is asked for; that one is read meanwhile.
 * Ends with the error of the system, or the reason of `signal`.
 * @example
 * const { output } = filterRows(fileBytes('audience.csv'), { table, terms, mapping, format: 'csv', isOutputLent: true });
 * for await (const piece of output) await file.write(piece);
 */
export function fileBytes(path: string, signal?: AbortSignal): ByteSource {
  return new FileBytes(path, signal);
}

export function isByteSource(input: AsyncIterable<Uint8Array>): input is ByteSource {
  return 'readInto' in input;
}

class FileBytes implements ByteSource {
  #file: FileHandle | null = null;
  #coming: Promise<unknown> | null = null;
  #isClosed = false;

  constructor(
    private readonly path: string,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async readInto(memory: Uint8Array): Promise<number> {
    if (this.#isClosed) return 0;
    this.#file ??= await open(this.path, 'r');
    const coming = this.#file.read(memory, 0, memory.length, null).then(({ bytesRead }) => bytesRead);
    this.#coming = coming;
    return this.signal === undefined ? coming : unlessAborted(coming, this.signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // not waited for: a pipe may never give what was asked for
    void Promise.resolve(this.#coming)
      .catch(() => {})
      .then(() => this.#file?.close())
      .catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      let [memory, other] = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
      let coming = this.readInto(memory);
      for (;;) {
        const length = await coming;
        if (length === 0) return;
        const piece = memory.subarray(0, length);
        [memory, other] = [other, memory];
        coming = this.readInto(memory);
        coming.catch(() => {}); // its turn comes
        yield piece;
      }
    } finally {
      await this.close();
    }
  }
}

/** What is coming, or the reason of the signal if that is first. Leaves nothing behind: there are as many of these as pieces. */
function unlessAborted<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    coming.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
