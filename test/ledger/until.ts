/**
 * Waiting in tests for what will be so.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** The first answer that is neither undefined, null nor false. Throws if there is none in time. */
export async function until<T>(what: string, look: () => Promise<T> | T, waitMs = 20_000): Promise<NonNullable<T>> {
  for (const endMs = performance.now() + waitMs; ; await sleep(10)) {
    const answer = await look();
    if (answer !== undefined && answer !== null && answer !== false) return answer as NonNullable<T>;
    if (performance.now() > endMs) throw new Error(`not in time: ${what}`);
  }
}
