/**
 * The bytes of a file in memory that is used again and again: a new buffer for each piece costs a tenth of an export.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';

/** Bytes read at a time. */
const READ_BYTES = 1024 * 1024;

/**
 * The pieces of a file, a pipe among others. A piece is good until the next one is asked for; that one is read meanwhile.
 * Ends with the error of the system, or the reason of `signal`.
 * @example
 * const { output } = filterRows(fileBytes('audience.csv'), { table, terms, mapping, format: 'csv', isOutputLent: true });
 * for await (const piece of output) await file.write(piece);
 */
export async function* fileBytes(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  let coming: Promise<Uint8Array> | null = null;
  try {
    let [memory, other] = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
    coming = readInto(file, memory);
    for (;;) {
      const piece = await (signal === undefined ? coming : unlessAborted(coming, signal));
      if (piece.length === 0) return;
      [memory, other] = [other, memory];
      coming = readInto(file, memory);
      coming.catch(() => {}); // its turn comes
      yield piece;
    }
  } finally {
    // a pipe may never give what was asked for
    void Promise.resolve(coming)
      .catch(() => {})
      .then(() => file.close())
      .catch(() => {});
  }
}

async function readInto(file: FileHandle, memory: Uint8Array): Promise<Uint8Array> {
  const { bytesRead } = await file.read(memory, 0, memory.length, null);
  return memory.subarray(0, bytesRead);
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
