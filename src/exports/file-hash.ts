/**
 * The SHA-256 of what is read or written, in hexadecimal. Of long files another thread computes it: at a few hundred megabytes a
 * second, where a processor has no instruction for it, it would take longer than the export itself.
 * @module
 */
import { createHash, type Hash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../core/suppression/index.js';

/** Bytes handed over at once, and how many such pieces may be under way. */
const PIECE_BYTES = 1024 * 1024;
const PIECES_MAX = 4;

export interface FileHash {
  /** Takes bytes, which may change when this resolves. One call at a time. */
  update(bytes: Uint8Array): Promise<void>;
  /** Of all of them; nothing follows. */
  digest(): Promise<string>;
  /** Ends its thread, if there is one. Never throws. */
  discard(): Promise<void>;
}

/** On this thread, on one of its own, or not at all. */
export type Hashing = 'here' | 'thread' | 'none';

export function fileHash(hashing: Hashing): FileHash {
  if (hashing === 'none') return new NoHash();
  return hashing === 'thread' ? new ThreadHash() : new HashHere();
}

class NoHash implements FileHash {
  async update(): Promise<void> {}

  async digest(): Promise<string> {
    throw new TypeError('expected to be told to hash');
  }

  async discard(): Promise<void> {}
}

class HashHere implements FileHash {
  readonly #hash: Hash = createHash('sha256');

  async update(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
  }

  async digest(): Promise<string> {
    return this.#hash.digest('hex');
  }

  async discard(): Promise<void> {}
}

/** To the thread: bytes, and `null` behind the last ones. */
export type HashPiece = { readonly memory: ArrayBuffer; readonly length: number } | null;
/** From it: the memory of each piece, and the hash. */
export type HashAnswer = ArrayBuffer | string;

class ThreadHash implements FileHash {
  readonly #worker = new Worker(workerUrl('./hash-thread.js', import.meta.url), { execArgv: [] });
  readonly #spare: ArrayBuffer[] = Array.from({ length: PIECES_MAX }, () => new ArrayBuffer(PIECE_BYTES));
  #hex: string | null = null;
  #failure: unknown = null;
  /** Whoever waits for something to be heard. */
  #wake: () => void = () => {};

  constructor() {
    this.#worker.on('message', (answer: HashAnswer) => {
      if (typeof answer === 'string') this.#hex = answer;
      else this.#spare.push(answer);
      this.#wake();
    });
    const fail = (error: unknown) => {
      this.#failure ??= error;
      this.#wake();
    };
    this.#worker.on('error', fail);
    this.#worker.on('exit', () => fail(new Error('the hashing thread ended')));
  }

  async update(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      const memory = await this.#heard(() => this.#spare.pop());
      new Uint8Array(memory).set(piece);
      this.#worker.postMessage({ memory, length: piece.length } satisfies HashPiece, [memory]);
    }
  }

  async digest(): Promise<string> {
    this.#worker.postMessage(null satisfies HashPiece);
    const hex = await this.#heard(() => this.#hex ?? undefined);
    await this.discard();
    return hex;
  }

  async discard(): Promise<void> {
    await this.#worker.terminate();
  }

  /** What `look` finds as soon as it finds something. */
  async #heard<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
