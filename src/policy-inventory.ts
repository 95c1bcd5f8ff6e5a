/**
 * A policy and the data inventory of a ledger, put together.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Destination } from './core/index.js';
import type { Policy } from './core/policy/policy.js';
import { parsePolicy } from './policy-file.js';

/** Characters that a ledger's inventory adds to a policy's version. */
const VERSION_MARK_LENGTH = 8;

/**
 * The policy with a ledger's destinations, which stand before those of the policy file. Its version tells one inventory
 * from another, for whoever audits decisions and exports.
 */
export function withInventory(written: Policy, inventory: readonly Destination[]): Policy {
  if (inventory.length === 0) return written;
  const text = JSON.stringify(inventory.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  const mark = createHash('sha256').update(text).digest('hex').slice(0, VERSION_MARK_LENGTH);
  const ids = new Set(inventory.map(({ id }) => id));
  const destinations = [...written.destinations.filter(({ id }) => !ids.has(id)), ...inventory];
  return parsePolicy({ ...written, destinations, version: `${written.version}+${mark}` });
}
