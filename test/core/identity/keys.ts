/**
 * Reads keys back from a list, for tests.
 * @module
 */
import { createKeyList, KEY_WORDS, type KeyList, type KeyOutcome } from '../../../src/core/identity/index.js';

/** What one appender did to a list emptied after use: its outcome, and the keys as `tag:hex`. */
export function appended(append: (list: KeyList) => KeyOutcome): { outcome: KeyOutcome; keys: readonly string[] } {
  const list = createKeyList(32);
  list.words.fill(0x5a5a5a5a);
  const outcome = append(list);
  return { outcome, keys: keysOf(list) };
}

/** The keys of a list as `tag:hex`, in order. */
export function keysOf(list: KeyList): readonly string[] {
  return Array.from({ length: list.count }, (_, index) => {
    const [tag, ...words] = list.words.subarray(index * KEY_WORDS, (index + 1) * KEY_WORDS);
    return keyText(tag ?? 0, words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(''));
  });
}

export function keyText(tag: number, hex: string): string {
  return `${tag}:${hex.slice(0, 32)}`;
}
