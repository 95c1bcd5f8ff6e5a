/**
 * The follower over a plain ledger: what it applies, when it is fresh, and what it does when things go wrong.
 * @module
 */
import { expect, test } from 'vitest';
import { until } from './fake-clock.js';
import { expectSame, following } from './following.js';

test('catches up and stays caught up', async () => {
  const { clock, ledger, holder, follower } = following();
  for (let key = 0; key < 20; key++) ledger.write([{ key, rights: 127 }]);
  const started = follower.start();
  await until(() => follower.status().position !== null, 'a table');
  await started;
  await clock.advance(1500);
  expect(follower.status().state).toBe('live');
  for (let key = 10; key < 30; key++) ledger.write([{ key, rights: key % 3 }]);
  await clock.advance(1500);
  expect(holder.seq).toBe(40);
  expectSame(holder.current, ledger);
  await follower.close();
});
