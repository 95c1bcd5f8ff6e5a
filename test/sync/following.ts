/**
 * What the tests of the follower share: one over a plain ledger, and the comparison of its table with that ledger.
 * @module
 */
import { expect } from 'vitest';
import { type SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import type { Clock } from '../../src/sync/clock.js';
import { Follower } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { keyOf, ReferenceLedger, type ReferenceOptions, randomFrom } from '../reference/feed.js';
import { FakeClock } from './fake-clock.js';

export interface Following {
  readonly clock: FakeClock;
  readonly ledger: ReferenceLedger;
  readonly holder: TableHolder;
  readonly follower: Follower;
}

export const ENFORCER = { role: 'library', version: '0.0.0' } as const;

/** A follower of a plain ledger, both on one clock that stands still. */
export function following(options: Partial<FollowerOptions> = {}, ledgerOptions: ReferenceOptions = {}): Following {
  const clock = new FakeClock();
  const ledger = new ReferenceLedger({ clock, ...ledgerOptions });
  return { clock, ledger, ...followerOf(ledger, clock, options) };
}

export function followerOf(
  ledger: ReferenceLedger,
  clock: Clock,
  options: Partial<FollowerOptions> = {},
): { readonly holder: TableHolder; readonly follower: Follower } {
  const holder = new TableHolder();
  const source = createLedgerSource(ledger, { clock });
  const follower = new Follower({ source, holder, enforcer: ENFORCER, clock, random: randomFrom(7), ...options });
  return { holder, follower };
}

/** Every key has exactly the rights it has in the ledger at the table's seq. */
export function expectSame(table: SuppressionTable | null, ledger: ReferenceLedger, keyCount = 60): void {
  if (table === null) throw new Error('expected a table');
  const fold = ledger.fold(table.seq);
  const expected = Array.from({ length: keyCount }, (_, key) => rightsIn(fold, key));
  const found = Array.from({ length: keyCount }, (_, key) => {
    const { high, low } = keyOf(key);
    return table.rightsOfMixed(high, low);
  });
  expect(found).toEqual(expected);
  expect(table.entryCount).toBe(fold.size);
  expect(table.stateDigest).toBe(ledger.tableAt(table.seq).stateDigest);
}

function rightsIn(fold: ReadonlyMap<string, number>, key: number): number {
  const { high, low } = keyOf(key);
  return fold.get(`${high}:${low}`) ?? 0;
}
