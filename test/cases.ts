/**
 * How many cases the large property tests try, in one place: `OPTGATE_CASES` multiplies them all.
 * @module
 */

const FACTOR = Number(process.env.OPTGATE_CASES ?? 1);
if (!(FACTOR > 0)) throw new RangeError('OPTGATE_CASES: expected a number above 0');

/** True for more cases than every run of the suite tries. */
export const HAS_MORE_CASES = FACTOR > 1;

/** So many cases, unless the environment asks for more or fewer. */
export function cases(count: number): number {
  return Math.max(1, Math.round(count * FACTOR));
}

/** Time for a test of that many, with the usual time as the least. */
export function casesTimeoutMs(timeoutMs: number): number {
  return timeoutMs * Math.max(1, FACTOR);
}
