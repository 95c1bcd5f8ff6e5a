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
  const aborted = abortOf(signal);
  let coming: Promise<Uint8Array> | null = null;
  try {
    let [memory, other] = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
    coming = readInto(file, memory);
    for (;;) {
      const piece = await Promise.race([coming, aborted]);
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
      .then(() => file.close());
  }
}

async function readInto(file: FileHandle, memory: Uint8Array): Promise<Uint8Array> {
  const { bytesRead } = await file.read(memory, 0, memory.length, null);
  return memory.subarray(0, bytesRead);
}

/** Rejects when the signal does. */
function abortOf(signal: AbortSignal | undefined): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    if (signal?.aborted === true) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  return aborted;
}
