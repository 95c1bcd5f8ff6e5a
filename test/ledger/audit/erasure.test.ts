/**
 * Erasure and retention, in both databases: who it was about is gone, the opt-out is in force, the trail is valid.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { headerLine, TrailVerifier } from '../../../src/ledger/audit/verify-trail.js';
import { IdentifierReader } from '../../../src/ledger/identity.js';
import { type Ledger, openLedger } from '../../../src/ledger/index.js';
import { monthsBefore } from '../../../src/ledger/retention.js';
import { BACKENDS, dump } from '../backends.js';

const email = (name: string) => ({ kind: 'email', value: `${name}@example.com` }) as const;
const MONTH_MS = 31 * 86_400_000;
const KEY = randomBytes(32);

async function validTrail(ledger: Ledger): Promise<Buffer> {
  await ledger.audit.chain();
  const { n, hash, ledgerId } = await ledger.audit.head();
  const lines = [headerLine({ entries: n, head: hash, ledger: ledgerId })];
  for await (const some of ledger.audit.lines(n)) lines.push(...some);
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const trail = new TrailVerifier();
  trail.write(bytes);
  expect(trail.end()).toMatchObject({ fault: null, entryCount: n });
  return bytes;
}

/** Everything that says who somebody is, but for the keys in force and who holds them. */
function tracesOf(name: string): readonly Buffer[] {
  const value = `${name}@example.com`;
  const digests = ['sha256', 'sha1', 'md5'].map((algorithm) => createHash(algorithm).update(value).digest());
  return [Buffer.from(value), ...digests, ...digests.map((digest) => Buffer.from(digest.toString('hex')))];
}

test.each(BACKENDS)('$name: one request', async ({ make }) => {
  const place = await make();
  try {
    let ledger = await openLedger(place.location, { keepClear: { key: KEY } });
    const { requestId } = await ledger.recordOptOut({ identifiers: [email('jane')], channel: 'web_form' });
    const joe = await ledger.recordOptOut({ identifiers: [email('joe')], channel: 'web_form', idempotencyKey: 'joe' });
    const before = await validTrail(ledger);
    expect(await ledger.erase(requestId)).toEqual({ requestId, identifierCount: 1, isRepeat: false });
    expect(await ledger.erase(requestId)).toEqual({ requestId, identifierCount: 0, isRepeat: true });
    const after = await validTrail(ledger);
    expect(after.subarray(after.indexOf(10), before.length)).toEqual(before.subarray(before.indexOf(10)));
    expect(await ledger.audit.entries({ kind: 'request.erased' })).toMatchObject([{ subject: requestId }]);
    // in force as before, and the record is there
    expect((await ledger.statusOf(email('jane'))).rights).toHaveLength(7);
    expect(await ledger.request(requestId)).toMatchObject({ status: 'complied', identifierCount: 1 });
    expect((await ledger.verify()).findings).toEqual([]);
    const asked = await ledger.recordOptIn({ identifiers: [email('jane')], channel: 'web_form' });
    await expect(ledger.erase(asked.requestId)).rejects.toMatchObject({ field: 'requestId' });
    expect((await ledger.confirmOptIn(asked.requestId, asked.confirmation ?? '')).remaining).toEqual([]);
    await ledger.erase(asked.requestId);
    // the same request under the same key is not recorded anew
    await ledger.erase(joe.requestId);
    const again = { identifiers: [email('joe')], channel: 'web_form', idempotencyKey: 'joe' } as const;
    await expect(ledger.recordOptOut(again)).rejects.toMatchObject({ code: 'ledger.idempotency_conflict' });
    await expect(ledger.eachCurrentDigest(async () => {})).rejects.toThrow('erased');
    // who denies another request of the same person leaves what the erased one holds
    const [erased, other] = [
      await ledger.recordOptOut({ identifiers: [email('joe')], channel: 'web_form' }),
      await ledger.recordOptOut({ identifiers: [email('joe')], channel: 'phone' }),
    ];
    await ledger.erase(erased.requestId);
    await ledger.records.deny({ requestId: other.requestId, basis: 'test' });
    expect((await ledger.statusOf(email('joe'))).rights).toHaveLength(7);
    await expect(ledger.records.deny({ requestId: erased.requestId, basis: 'test' })).rejects.toMatchObject({
      field: 'requestId',
    });
    await ledger.erase(other.requestId);
    await ledger.close();
    const bytes = await dump(place.location);
    for (const trace of [...tracesOf('jane'), ...tracesOf('joe')]) expect(bytes.includes(trace)).toBe(false);
    ledger = await openLedger(place.location, { keepClear: { key: KEY } });
    for await (const _ of ledger.clearValuesOf(requestId)) expect.fail('a value is left');
    await ledger.close();
  } finally {
    await place.remove();
  }
});

test.each(BACKENDS)('$name: what was answered long ago', async ({ make }) => {
  const place = await make();
  try {
    let nowMs = Date.now();
    const ledger = await openLedger(place.location, { now: () => nowMs });
    await ledger.recordOptOut({ identifiers: [email('jane'), email('joan')], channel: 'web_form' });
    await ledger.importOptOuts(['a', 'b', 'c'].map(email), { channel: 'drop', batchRows: 2 } as never);
    await ledger.recordOptIn({ identifiers: [email('never')], channel: 'web_form' });
    await ledger.statusOf(email('jane'));
    const nothing = { requestCount: 0, identifierCount: 0, lookUpCount: 0 };
    expect(await ledger.retention()).toMatchObject({ ...nothing, isDryRun: false });
    nowMs += 26 * MONTH_MS;
    for (const months of [23, 0, -1, 24.5, 5000]) {
      await expect(ledger.retention({ months })).rejects.toMatchObject({ field: 'months' });
    }
    const due = { requestCount: 3, identifierCount: 6, lookUpCount: 1 };
    expect(await ledger.retention({ isDryRun: true })).toMatchObject({ ...due, isDryRun: true });
    expect(await ledger.retention({ months: 36 })).toMatchObject(nothing);
    expect(await ledger.retention()).toMatchObject({ ...due, isDryRun: false });
    expect(await ledger.retention()).toMatchObject(nothing);
    await validTrail(ledger);
    const kinds = (await ledger.audit.entries({ limit: 1000 })).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'retention.run')).toHaveLength(4);
    expect(kinds.filter((kind) => kind === 'retention.erased').length).toBeGreaterThanOrEqual(2);
    // said before the first part of the list goes
    expect(kinds.filter((kind) => kind === 'erasure.begun')).toHaveLength(1);
    expect(kinds.indexOf('erasure.begun')).toBeLessThan(kinds.lastIndexOf('retention.erased'));
    for (const name of ['jane', 'joan', 'a', 'b', 'c']) {
      const reader = new IdentifierReader();
      expect(reader.read('email', `${name}@example.com`)).toBe(null);
      expect((await ledger.statusOf(email(name))).rights, name).toHaveLength(7);
    }
    expect((await ledger.verify()).findings).toEqual([]);
    await ledger.close();
    const bytes = await dump(place.location);
    for (const trace of ['jane', 'joan', 'a', 'b', 'c', 'never'].flatMap(tracesOf))
      expect(bytes.includes(trace)).toBe(false);
  } finally {
    await place.remove();
  }
});

test.each([
  ['2028-11-26T10:00:00Z', 24, '2026-11-26T10:00:00Z'],
  ['2028-02-29T00:00:00Z', 24, '2026-02-28T00:00:00Z'],
  ['2028-03-31T00:00:00Z', 25, '2026-02-28T00:00:00Z'],
  ['2028-01-15T00:00:00Z', 25, '2025-12-15T00:00:00Z'],
])('%s less %i months is %s', (now, months, expected) => {
  expect(new Date(monthsBefore(Date.parse(now), months)).toISOString()).toBe(new Date(expected).toISOString());
});
