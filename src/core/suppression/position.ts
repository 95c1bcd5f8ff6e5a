/**
 * How far a table's content reaches: the seq it holds and the time it was known to be fresh, published together.
 *
 * Two records lie side by side and the lowest bit of a version says which one is valid. The writer fills the other one,
 * then counts the version up; a reader reads the version before and after. So readers never see one half of a
 * publication with another's other half, and a writer that dies half-way holds nobody up.
 * @module
 */
import { HEADER, POSITION_WORDS } from './layout.js';

/** Makes `seq` and `freshAtMs` (`null`: not known) what readers see. One thread only. Throws a RangeError. */
export function publishPosition(header: Int32Array, seq: number, freshAtMs: number | null): void {
  if (!isCount(seq)) throw new RangeError('expected a seq from 0 to 2^53 - 1');
  if (freshAtMs !== null && !isCount(freshAtMs)) throw new RangeError('expected a time in whole ms since 1970');
  const version = (Atomics.load(header, HEADER.positionVersion) + 1) | 0;
  const at = HEADER.position + (version & 1) * POSITION_WORDS;
  storeCount(header, at, seq);
  storeCount(header, at + 2, freshAtMs ?? 0);
  Atomics.store(header, HEADER.positionVersion, version);
}

/** Reads positions, and remembers the last: while nothing new is published a read is one Atomics.load (8 ns). */
export class PositionReader {
  private version = -1;
  private seqSeen = 0;
  private freshAtMsSeen = 0;

  constructor(private readonly header: Int32Array) {
    this.version = Atomics.load(header, HEADER.positionVersion) - 1;
  }

  get seq(): number {
    this.read();
    return this.seqSeen;
  }

  get freshAtMs(): number | null {
    this.read();
    return this.freshAtMsSeen === 0 ? null : this.freshAtMsSeen;
  }

  private read(): void {
    const header = this.header;
    for (;;) {
      const version = Atomics.load(header, HEADER.positionVersion);
      if (version === this.version) return;
      const at = HEADER.position + (version & 1) * POSITION_WORDS;
      const seq = loadCount(header, at);
      const freshAtMs = loadCount(header, at + 2);
      if (Atomics.load(header, HEADER.positionVersion) !== version) continue;
      this.version = version;
      this.seqSeen = seq;
      this.freshAtMsSeen = freshAtMs;
      return;
    }
  }
}

function storeCount(header: Int32Array, at: number, count: number): void {
  Atomics.store(header, at, count | 0);
  Atomics.store(header, at + 1, Math.floor(count / 2 ** 32));
}

function loadCount(header: Int32Array, at: number): number {
  return (Atomics.load(header, at) >>> 0) + Atomics.load(header, at + 1) * 2 ** 32;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
