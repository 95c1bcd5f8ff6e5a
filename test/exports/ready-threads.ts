/**
 * Waits for the threads of a filter: until they are ready it works on its own, and a short test would never see them.
 * @module
 */
import type { Worker } from 'node:worker_threads';
import { READY } from '../../src/exports/thread-pool.js';

/** Resolves when so many threads that are started from now on are ready. */
export function threadsReady(threadCount: number): Promise<void> {
  return new Promise((resolve) => {
    let readyCount = 0;
    const onWorker = (worker: Worker) => {
      worker.on('message', (message: unknown) => {
        if (message !== READY || ++readyCount < threadCount) return;
        process.off('worker', onWorker);
        resolve();
      });
    };
    process.on('worker', onWorker);
  });
}

/** The pieces, but half of them only when the threads are ready. */
export async function* heldBack(pieces: AsyncIterable<Uint8Array>, bytesBefore: number, ready: Promise<void>) {
  let byteCount = 0;
  for await (const piece of pieces) {
    if (byteCount >= bytesBefore) await ready;
    byteCount += piece.length;
    yield piece;
  }
}
