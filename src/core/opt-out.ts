/**
 * One person's opt-out: enters an identifier with every dialect it is known under, and finds it under any of them.
 * @module
 */
import { ALL_TAGS } from './identity/device-digests.js';
import { appendIdentifier } from './identity/dialects.js';
import { createKeyList, KEY_WORDS, type KeyList, resetKeyList } from './identity/key.js';
import { KEYS_PER_IDENTIFIER_MAX } from './identity/limits.js';
import type { TableHolder } from './suppression/holder.js';
import type { SuppressionTable } from './suppression/table.js';
import { type Identifier, RIGHTS_ALL } from './vocabulary.js';

export interface EnterOptions {
  /** Enter the identifier's own key only, without the digests of a clear value. Default: false. */
  readonly exact?: boolean;
}

/**
 * Adds rights to those an identifier has opted out of; none that was entered before is taken away. A clear value is
 * entered with its digests in every dialect.
 * @param rights From {@link rightsMask}; `RIGHTS_ALL` for every right.
 * @returns False if the identifier names nobody (all zeros, a digest of nothing): nothing was entered.
 * @throws {TypeError} where the identifier is not one of its kind; the message does not show it.
 * @throws {RangeError} where `rights` is no mask of at least one right.
 * @throws {GateError} `table.not_loaded`, `table.memory` or `table.too_large`.
 * @example
 * enterIdentifier(holder, { kind: 'email', value: 'jane@example.com' }, rightsMask(['sale', 'share'])); // true
 */
export function enterIdentifier(
  holder: TableHolder,
  identifier: Identifier,
  rights: number,
  options: EnterOptions = {},
): boolean {
  if (!Number.isInteger(rights) || rights < 1 || rights > RIGHTS_ALL) {
    throw new RangeError(`rights: expected a mask from 1 to ${RIGHTS_ALL}`);
  }
  const keys = keysOf(identifier, options.exact === true ? 0 : ALL_TAGS);
  if (keys === null) return false;
  const { words } = keys;
  for (let at = 0; at < keys.count * KEY_WORDS; at += KEY_WORDS) {
    const [tag, w0, w1, w2, w3] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, words[at + 4]!];
    const before = holder.current?.rightsOf(tag, w0, w1, w2, w3) ?? 0;
    holder.set(tag, w0, w1, w2, w3, before | rights, at > 0);
  }
  return true;
}

/**
 * The rights an identifier has opted out of under any dialect, as a mask; 0 if it has not, or names nobody.
 * @throws {TypeError} as {@link enterIdentifier}.
 * @example
 * rightsOfMask(rightsOfIdentifier(table, { kind: 'email', value: ' JANE@example.com' })); // ['sale', 'share']
 */
export function rightsOfIdentifier(table: SuppressionTable, identifier: Identifier): number {
  const keys = keysOf(identifier, ALL_TAGS);
  return keys === null ? 0 : table.rightsOfKeys(keys, keyRights);
}

const scratch = createKeyList(KEYS_PER_IDENTIFIER_MAX);
const keyRights = new Uint8Array(KEYS_PER_IDENTIFIER_MAX);

/** The keys of an identifier, valid until the next call; `null` if it names nobody. */
function keysOf(identifier: Identifier, wantedTags: number): KeyList | null {
  resetKeyList(scratch);
  const outcome = appendIdentifier(scratch, identifier, { wantedTags });
  if (outcome === 'malformed') throw new TypeError('identifier: expected a kind and a value of that kind');
  if (outcome === 'overflow') throw new Error('unreachable: the list has room for the keys of any identifier');
  return outcome === 'ok' ? scratch : null;
}
