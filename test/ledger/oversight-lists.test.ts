/**
 * Lists and sums over a ledger: every request once and in order, whatever is asked for; counts and times as a plain look at
 * all rows gives them.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/ledger/database.js';
import { CHANNELS, exportRunIdOf, type Ledger, type ListedRequest, openLedger } from '../../src/ledger/index.js';
import { REQUEST_STATUSES, type RequestFilter } from '../../src/ledger/oversight/index.js';
import { BACKENDS, type TestLocation } from './both-databases.js';

const BEGIN_MS = Date.parse('2026-10-01T00:00:00Z');
const DAY_MS = 86_400_000;
const REQUEST_COUNT = 400;

/** Several requests at the same moment, as an import of old records makes them. */
const FILL = `
insert into optgate.request (public_id, nature, channel, rights, scope, received_at, status, identifier_count, operator)
select 'r_' || lpad(n::text, 22, '0'), case n % 7 when 0 then 'import' when 1 then 'opt_in' else 'opt_out' end,
  ($1::text[])[1 + (n * 7) % 9], 1, 'person', to_timestamp($3::float8 / 1000) + (n / 4) * interval '5 hours 1 microsecond',
  ($2::text[])[1 + (n * 3) % 4], n % 5 + 1, 'desk'
from generate_series(1, ${REQUEST_COUNT}) as n`;

for (const backend of BACKENDS) {
  backend.describe(`lists and sums on ${backend.name}`, () => {
    let place: TestLocation;
    let ledger: Ledger;
    let database: Database;
    let all: readonly ListedRequest[];

    beforeAll(async () => {
      place = await backend.create();
      await (await openLedger(place.location, { sequence: false, canaryEveryMs: null })).close();
      database = await openDatabase(place.location);
      const arrays = [`{${CHANNELS.join(',')}}`, `{${REQUEST_STATUSES.join(',')}}`];
      await database.query(FILL, [...arrays, BEGIN_MS]);
      await database.close();
      ledger = await openLedger(place.location, { sequence: false, canaryEveryMs: null });
      all = await everything({});
    });
    afterAll(async () => {
      await ledger?.close();
      await place?.remove();
    });

    async function everything(filter: Partial<RequestFilter>, limit = 37): Promise<readonly ListedRequest[]> {
      const found: ListedRequest[] = [];
      for (;;) {
        const afterRequestId = found.at(-1)?.requestId;
        const page = await ledger.oversight.requests({ ...filter, afterRequestId, limit });
        found.push(...page.requests);
        if (!page.hasMore) return found;
      }
    }
    const numberOf = ({ requestId }: ListedRequest) => Number(requestId.slice(2));

    test('pages hold every request once, the latest first, and of one moment the latest recorded', () => {
      expect(all.map(numberOf)).toEqual(Array.from({ length: REQUEST_COUNT }, (_, index) => REQUEST_COUNT - index));
      expect(all[0]).toMatchObject({ operator: 'desk', nature: 'opt_in', rights: ['sale'] });
      expect(all.find(({ nature }) => nature === 'import')?.rights).toBeNull();
    });

    test('by channel, by status, by day and by all of them: what is left of the whole list', async () => {
      for (const channel of [undefined, ...CHANNELS.slice(0, 3)]) {
        for (const status of [undefined, ...REQUEST_STATUSES]) {
          const [sinceMs, untilMs] = [BEGIN_MS + 2 * DAY_MS, BEGIN_MS + 15 * DAY_MS];
          const expected = all.filter(
            (one) =>
              (channel === undefined || one.channel === channel) &&
              (status === undefined || one.status === status) &&
              one.receivedAtMs >= sinceMs &&
              one.receivedAtMs < untilMs,
          );
          expect(await everything({ channel, status, sinceMs, untilMs }, 10)).toEqual(expected);
        }
      }
    });

    test('a page after a request that is none of those asked for begins at the end of the time', async () => {
      const untilMs = BEGIN_MS + 5 * DAY_MS;
      const first = await ledger.oversight.requests({ untilMs, limit: 5 });
      const afterRequestId = all[0]?.requestId;
      expect(await ledger.oversight.requests({ untilMs, afterRequestId, limit: 5 })).toEqual(first);
    });

    test('pages that cannot be', async () => {
      for (const limit of [0, 101, 1.5]) {
        await expect(ledger.oversight.requests({ limit })).rejects.toMatchObject({ field: 'limit' });
      }
      for (const afterRequestId of ['x', `r_${'A'.repeat(22)}`]) {
        await expect(ledger.oversight.requests({ limit: 1, afterRequestId })).rejects.toMatchObject({ field: 'after' });
      }
    });

    test('opt-outs by day and channel: a list counts whom it names, an opt-in does not count', async () => {
      const expected = new Map<string, number>();
      for (const { nature, channel, receivedAtMs, identifierCount } of all) {
        const day = new Date(receivedAtMs).toISOString().slice(0, 10);
        if (nature === 'opt_in' || day < '2026-10-03' || day >= '2026-10-20') continue;
        const key = `${day} ${channel}`;
        expected.set(key, (expected.get(key) ?? 0) + (nature === 'import' ? identifierCount : 1));
      }
      const counts = await ledger.oversight.optOutCounts(Date.parse('2026-10-03'), Date.parse('2026-10-20'));
      expect(counts.map(({ day, channel, count }) => [`${day} ${channel}`, count]).sort()).toEqual(
        [...expected].sort(),
      );
      expect(expected.size).toBeGreaterThan(20);
    });

    test('exports: the latest first, in pages', async () => {
      const runIds: string[] = [];
      for (let index = 0; index < 5; index++) {
        const runId = exportRunIdOf(randomBytes(16));
        const times = { startedAtMs: BEGIN_MS, finishedAtMs: BEGIN_MS + index };
        const run = {
          runId,
          destination: index === 2 ? 'other' : 'acme',
          purpose: 'audience',
          rights: [],
          ...times,
        } as const;
        await ledger.recordExport({ ...run, manifest: { index } }, []);
        runIds.unshift(runId);
      }
      const first = await ledger.oversight.exports({ limit: 3 });
      expect([first.runs.map(({ runId }) => runId), first.hasMore]).toEqual([runIds.slice(0, 3), true]);
      const rest = await ledger.oversight.exports({ limit: 3, afterRunId: runIds[2] });
      expect([rest.runs.map(({ runId }) => runId), rest.hasMore]).toEqual([runIds.slice(3), false]);
      const some = await ledger.oversight.exports({ limit: 50, destination: 'other' });
      expect(some.runs.map(({ manifest }) => manifest)).toEqual([{ index: 2 }]);
    });
  });

  backend.describe(`times to effect on ${backend.name}`, () => {
    let place: TestLocation;
    beforeAll(async () => {
      place = await backend.create();
    });
    afterAll(() => place?.remove());

    test('from the entry to the acknowledgement that includes it, by interval', async () => {
      await (await openLedger(place.location, { sequence: false, canaryEveryMs: null })).close();
      const database = await openDatabase(place.location);
      const at = (ms: number) => new Date(BEGIN_MS + ms).toISOString();
      const entry = (seq: number, ms: number, requestId: number | null) =>
        database.query(
          `insert into optgate.change_log (at, request_id, changes, digest_high, digest_low, entry_count, kind_mask,
             given_kind_mask, behind, seq) values ($1, $2, '', 0, 0, 0, 0, 0, 0, $3)`,
          [at(ms), requestId, seq],
        );
      await entry(1, 1000, 1);
      await entry(2, 2000, null); // a canary
      await entry(3, 3000, 2);
      await entry(4, 65_000, 3);
      const enforcer = (id: string, registeredMs: number) =>
        database.query(
          `insert into optgate.enforcer (id, name, role, source, version, lease_ms, state, registered_at)
           values ($1, $1, 'sidecar', 'x', '1', 1000, 'live', $2)`,
          [id, at(registeredMs)],
        );
      await enforcer('a', 0);
      await enforcer('b', 60_000); // came after the first two
      const [head] = await database.query<{ epoch: string }>('select epoch from optgate.head');
      const ack = (id: string, seq: number, ms: number) =>
        database.query('insert into optgate.enforcer_ack values ($1, $2, $3, $4)', [id, head?.epoch, seq, at(ms)]);
      await ack('a', 2, 1500);
      await ack('a', 4, 64_000); // by a clock that was put back: not before it was written
      await ack('b', 4, 67_000);
      await database.close();
      const ledger = await openLedger(place.location, { sequence: false, canaryEveryMs: null });
      const found = await ledger.oversight.effectTimes(BEGIN_MS, BEGIN_MS + 120_000, 60_000);
      expect(found).toEqual([
        { atMs: BEGIN_MS, count: 2, p50Ms: 30_750, p95Ms: expect.closeTo(57_975, 0), maxMs: 61_000 },
        { atMs: BEGIN_MS + 60_000, count: 2, p50Ms: 1000, p95Ms: 1900, maxMs: 2000 },
      ]);
      await expect(ledger.oversight.effectTimes(0, 1, 0)).rejects.toThrow(RangeError);
      await ledger.close();
    });
  });
}
