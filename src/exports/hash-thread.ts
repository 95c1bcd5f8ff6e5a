/**
 * The thread that hashes for another (file-hash.ts), piece by piece, and gives the memory back.
 * @module
 */
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashPiece } from './file-hash.js';

function serve(): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const hash = createHash('sha256');
  port.on('message', (piece: HashPiece) => {
    if (piece === null) {
      port.postMessage(hash.digest('hex') satisfies HashAnswer);
      return;
    }
    hash.update(new Uint8Array(piece.memory, 0, piece.length));
    port.postMessage(piece.memory satisfies HashAnswer, [piece.memory]);
  });
}

serve();
