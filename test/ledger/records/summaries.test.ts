/**
 * Metrics of a year and the report of a quarter, counted again by hand; and spreads against sorted lists.
 * @module
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quarterJson, quarterMarkdown } from '../../../src/ledger/index.js';
import { periodOfYear } from '../../../src/ledger/records/metrics.js';
import { periodOfQuarter } from '../../../src/ledger/records/quarter.js';
import { Spread } from '../../../src/ledger/records/spread.js';
import { BACKENDS } from '../both-databases.js';
import { DAY_MS, openStand, type Stand, someMaid } from './stand.js';

test('years and quarters are those of California, and follow each other without a gap', () => {
  const shown = ({ sinceMs, untilMs }: { sinceMs: number; untilMs: number }) =>
    [sinceMs, untilMs].map((ms) => new Date(ms).toISOString());
  expect(shown(periodOfYear(2026))).toEqual(['2026-01-01T08:00:00.000Z', '2027-01-01T08:00:00.000Z']);
  expect(shown(periodOfQuarter('2026Q2'))).toEqual(['2026-04-01T07:00:00.000Z', '2026-07-01T07:00:00.000Z']);
  expect(shown(periodOfQuarter('2026-Q4'))).toEqual(['2026-10-01T07:00:00.000Z', '2027-01-01T08:00:00.000Z']);
  for (const bad of ['2026', '2026Q5', '2026q1', 'Q1']) expect(() => periodOfQuarter(bad)).toThrow('quarter');
});

test('a spread is right to 2 %, and its mean and maximum are exact', () => {
  const durations = fc.array(fc.integer({ min: 0, max: 200 * DAY_MS }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, (list) => {
      const spread = new Spread();
      for (const ms of list) spread.add(ms);
      const sorted = [...list].sort((a, b) => a - b);
      const { count, meanMs, maxMs } = spread.summary();
      expect([count, maxMs]).toEqual([list.length, sorted.at(-1)]);
      expect(meanMs).toBeCloseTo(list.reduce((sum, ms) => sum + ms, 0) / list.length, 3);
      for (const q of [0.5, 0.9, 0.99]) {
        const exact = sorted[Math.ceil(q * list.length) - 1] ?? 0;
        expect(spread.quantile(q)).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(spread.quantile(q)).toBeLessThanOrEqual(exact * 1.02 + 1e-6);
      }
    }),
  );
  expect(new Spread().summary()).toEqual({
    count: 0,
    meanMs: null,
    p50Ms: null,
    p90Ms: null,
    p99Ms: null,
    maxMs: null,
  });
});

for (const backend of BACKENDS) {
  backend.describe(`metrics and quarters on ${backend.name}`, () => {
    let stand: Stand;
    const nowMs = Date.now();
    const year = Number(
      new Intl.DateTimeFormat('sv-SE', { timeZone: 'America/Los_Angeles', year: 'numeric' }).format(nowMs),
    );
    beforeAll(async () => {
      stand = await openStand(backend);
      const { ledger } = stand;
      await stand.report('a', 0);
      const out = (channel: 'web_form' | 'gpc', more: object) =>
        ledger.recordOptOut({ identifiers: [someMaid(), someMaid()], channel, receivedAtMs: nowMs, ...more });
      await out('web_form', { rights: ['sale', 'share'] });
      await out('gpc', { rights: ['sale'] });
      const lastYear = periodOfYear(year).sinceMs - 1;
      await out('gpc', { rights: ['sale'], receivedAtMs: lastYear });
      await ledger.importOptOuts([someMaid(), someMaid(), { kind: 'fax', value: '1' } as never], {
        receivedAtMs: nowMs,
      });
      await ledger.recordOptIn({ identifiers: [someMaid()], channel: 'phone', receivedAtMs: nowMs });
      await stand.applyAll('a');
      await out('web_form', { rights: ['sensitive'] }); // not in force
      await ledger.records.applyInventory([{ id: 'acme' }, { id: 'pipe|`x`' }]);
      const rows = {
        in: 11,
        kept: 7,
        blanked: 0,
        droppedSuppressed: 2,
        droppedUnidentifiable: 1,
        droppedUnreadable: 1,
      };
      const manifest = { rows, terms: { kind: 'filter', reason: 'destination.third_party' } };
      for (const finishedAtMs of [nowMs, nowMs - 1]) await stand.sent([someMaid()], { manifest, finishedAtMs });
      const exempt = { manifest: { rows: { in: 5, kept: 5 }, terms: { reason: 'exempt.measurement' } }, rights: [] };
      await stand.sent([someMaid()], { ...exempt, destination: 'beta', purpose: 'measurement', finishedAtMs: nowMs });
      await stand.sent([someMaid()], { manifest, finishedAtMs: nowMs - 200 * DAY_MS });
    });
    afterAll(() => stand.close());

    test('metrics count requests by right, rows of lists one by one', async () => {
      const { rights } = await stand.ledger.records.metrics(year);
      const of = (right: string) => rights.find((one) => one.right === right);
      expect(of('sale')).toMatchObject({
        received: 4,
        imported: 2,
        compliedInWhole: 4,
        compliedInPart: 1,
        denied: 0,
        open: 0,
      });
      expect(of('share')).toMatchObject({ received: 3, imported: 2, compliedInWhole: 3, open: 0 });
      expect(of('sensitive')).toMatchObject({ received: 3, imported: 2, compliedInWhole: 2, open: 1 });
      expect(of('sale')?.medianDays).toBeGreaterThanOrEqual(0);
      expect(of('sale')?.meanDays).toBeLessThan(1);
      const before = await stand.ledger.records.metrics(year - 1);
      expect(before.rights.find(({ right }) => right === 'sale')).toMatchObject({ received: 1, compliedInWhole: 1 });
      expect(before.rights.find(({ right }) => right === 'share')).toMatchObject({ received: 0, medianDays: null });
    });

    test('a quarter says what came, what went, what changed and what was late', async () => {
      const [, month = '1'] = new Date(nowMs - 8 * 3_600_000).toISOString().split('-');
      const name = `${year}Q${Math.ceil(Number(month) / 3)}`;
      const report = await stand.ledger.records.quarter(name);
      expect(report.channels).toMatchObject({
        web_form: { optOuts: 2, identifiers: 4, imports: 0 },
        ...{ gpc: { optOuts: 1 }, import: { imports: 1, identifiers: 2 }, phone: { optIns: 1, optOuts: 0 } },
      });
      expect(report.outcomes).toEqual({ complied: 3, denied: 0, open: 1 });
      expect(report.timeToEffect.count).toBe(3);
      expect(report.exports).toEqual([
        {
          ...{ destination: 'acme', purpose: 'audience', isExempt: false, reason: 'destination.third_party', runs: 2 },
          ...{ rowsIn: 22, rowsKept: 14, rowsBlanked: 0, rowsDropped: 8 },
        },
        {
          ...{ destination: 'beta', purpose: 'measurement', isExempt: true, reason: 'exempt.measurement', runs: 1 },
          ...{ rowsIn: 5, rowsKept: 5, rowsBlanked: 0, rowsDropped: 0 },
        },
      ]);
      expect(report.inventory).toMatchObject({
        changeCount: 2,
        changes: [{ id: 'acme', before: null }, { id: 'pipe|`x`' }],
      });
      expect(report.unlisted.map(({ id }) => id)).toEqual(['beta']);
      expect(report.now.openCount).toBe(1);
      expect(quarterJson(report)).toMatchObject({ quarter: name, exemptions: [{ destination: 'beta', rowsKept: 5 }] });
      const text = quarterMarkdown(report);
      expect(text).toContain('| acme | audience | 2 | 22 | 14 | 0 | 8 |');
      expect(text).toContain('pipe\\|\\`x\\`');
      expect(text).toContain('In force everywhere: 3. Denied: 0. Not yet: 1.');
      const older = await stand.ledger.records.quarter(`${year - 1}Q1`);
      expect(older).toMatchObject({ outcomes: { complied: 0, open: 0 }, exports: [], late: { count: 0 } });
    });

    test('what was late in a quarter stays in its report', async () => {
      const receivedAtMs = nowMs - 800 * DAY_MS;
      const { requestId } = await stand.ledger.recordOptOut({
        identifiers: [someMaid()],
        channel: 'mail',
        receivedAtMs,
      });
      await stand.applyAll('a');
      const date = new Date(receivedAtMs - 8 * 3_600_000);
      const name = `${date.getUTCFullYear()}Q${Math.floor(date.getUTCMonth() / 3) + 1}`;
      const { late, outcomes } = await stand.ledger.records.quarter(name);
      expect(late).toMatchObject({ count: 1, requests: [{ requestId, channel: 'mail', receivedAtMs }] });
      expect(late.requests[0]?.compliedAtMs).toBeGreaterThan(late.requests[0]?.dueAtMs ?? 0);
      expect(outcomes.complied).toBe(1);
    });
  });
}
