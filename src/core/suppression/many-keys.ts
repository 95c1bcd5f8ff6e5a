/**
 * Many keys looked up together, for exports: mixed already, one found in every few.
 * @module
 */
import { FIND_AT_ONCE, type KeyFinder } from './find-keys.js';
import { RIGHTS_MASK } from './layout.js';

/** Keys whose cache lines are loaded before any of them is looked at, so that the waits overlap. */
const KEYS_NEAR = 64;
const touchedWords = new Int32Array(1);

/** HOT. The rights of every key, `outRights[i]` for key `i`; returns their union. */
export function rightsOfMany(
  finder: KeyFinder,
  high: Int32Array,
  low: Int32Array,
  keyCount: number,
  outRights: Uint8Array,
): number {
  let union = 0;
  for (let from = 0; from < keyCount; from += KEYS_NEAR) {
    const to = Math.min(keyCount, from + KEYS_NEAR);
    let touched = 0;
    for (let at = from; at < to; at += FIND_AT_ONCE) {
      touched |= finder.touch4(high[at]!, high[at + 1]!, high[at + 2]!, high[at + 3]!);
    }
    touchedWords[0] = touched; // stored, so that the loads are not dropped as dead code
    for (let at = from; at < to; at += FIND_AT_ONCE) {
      const found = finder.find4(
        high[at]!,
        low[at]!,
        high[at + 1]!,
        low[at + 1]!,
        high[at + 2]!,
        low[at + 2]!,
        high[at + 3]!,
        low[at + 3]!,
      );
      const rights = at + FIND_AT_ONCE <= to ? found : found & (0xff_ffff >> (8 * (FIND_AT_ONCE - 1 - to + at)));
      outRights[at] = rights;
      if (at + 1 < to) outRights[at + 1] = rights >> 8;
      if (at + 2 < to) outRights[at + 2] = rights >> 16;
      if (at + 3 < to) outRights[at + 3] = rights >> 24;
      union |= rights;
    }
  }
  union |= union >> 16;
  return (union | (union >> 8)) & RIGHTS_MASK;
}
