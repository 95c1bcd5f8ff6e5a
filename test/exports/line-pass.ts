/**
 * The plainest filter there is, for what surrounds filters: a line is a MAID, and leaves unless it is suppressed. And a
 * set that moves when it is told to.
 * @module
 */
import type { Identifier } from '../../src/core/vocabulary.js';
import type { PassCounts } from '../../src/exports/manifest.js';
import type { ExportSet, Pass } from '../../src/exports/run.js';

export const maidOf = (n: number): Identifier => ({ kind: 'maid', value: (n + 1).toString(16).padStart(32, '0') });
export const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${maidOf(from + index).value}\n`).join('');

/** A set of which the table may be behind: opt-outs that are recorded come into it when somebody catches up. */
export class TestSet implements ExportSet {
  readonly seed = 7n;
  readonly epoch = 'e';
  /** In the table. */
  readonly suppressed = new Set<string>();
  readonly #waiting: string[] = [];
  #seq = 0;
  catchUps = 0;

  record(n: number): void {
    this.#waiting.push(maidOf(n).value);
  }

  apply(): void {
    for (const value of this.#waiting.splice(0)) {
      this.suppressed.add(value);
      this.#seq++;
    }
  }

  get seq(): number {
    return this.#seq;
  }

  catchUp(): Promise<number> {
    this.catchUps++;
    this.apply();
    return Promise.resolve(this.#seq);
  }
}

/** @param onChunk Called after each chunk has left. */
export function linePass(
  { suppressed }: TestSet,
  onChunk: (isRecheck: boolean) => void | Promise<void> = () => {},
): Pass {
  return (input, { isRecheck, onFingerprints }) => {
    const none = { keptUnidentifiable: 0, rowsBlanked: 0, droppedUnidentifiable: 0, droppedUnreadable: 0 };
    const counts = { rowsIn: 0, rowsKept: 0, droppedSuppressed: 0, ...none };
    let end: (counts: PassCounts) => void = () => {};
    let fail: (error: unknown) => void = () => {};
    const done = new Promise<PassCounts>((resolve, reject) => {
      [end, fail] = [resolve, reject];
    });
    async function* output(): AsyncGenerator<Uint8Array> {
      let rest = '';
      try {
        for await (const chunk of input) {
          const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
          rest = lines.pop() ?? '';
          const kept = lines.filter((value) => !suppressed.has(value));
          counts.rowsIn += lines.length;
          counts.rowsKept += kept.length;
          counts.droppedSuppressed += lines.length - kept.length;
          if (kept.length > 0) yield Buffer.from(`${kept.join('\n')}\n`);
          onFingerprints(BigUint64Array.from(kept, (value) => BigInt(`0x${value.slice(16)}`)));
          await onChunk(isRecheck);
        }
        end({ ...counts, byKind: { maid: counts.droppedSuppressed } });
      } catch (error) {
        fail(error);
        throw error;
      }
    }
    return { output: output(), done };
  };
}
