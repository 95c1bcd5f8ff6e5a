/**
 * The record of requests: what 11 CCR 7101(b) asks for, in pages, as CSV and JSON.
 * @module
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuditRecord, openLedger, recordsText } from '../../../src/ledger/index.js';
import { csvLine } from '../../../src/ledger/records/report-text.js';
import { BACKENDS } from '../both-databases.js';
import { all, DAY_MS, openStand, type Stand, seqOf, someMaid } from './stand.js';

const KEY = Buffer.alloc(32, 7);

/** Reads CSV the plain way. */
function readCsv(text: string): readonly Readonly<Record<string, string>>[] {
  const rows: string[][] = [[]];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (isQuoted && char === '"' && text[at + 1] === '"') cell += text[at++];
    else if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted || !/[,\r\n]/.test(char)) cell += char;
    else if (char !== '\r') {
      rows.at(-1)?.push(cell);
      cell = '';
      if (char === '\n') rows.push([]);
    }
  }
  const [names = [], ...lines] = rows.slice(0, -1);
  return lines.map((cells) => Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])));
}

describe('CSV', () => {
  test('takes no formula for one, and keeps what it quotes', () => {
    const cells = ['=1+1', '+1', '-1', '@x', '\tx', '\rx', 'a,b', 'say "so"', 'two\nlines', null, -1, true, ' =1'];
    const line = csvLine(cells);
    expect(line).toBe(`'=1+1,'+1,'-1,'@x,'\tx,"'\rx","a,b","say ""so""","two\nlines",,-1,true, =1\r\n`);
  });
});

for (const backend of BACKENDS) {
  backend.describe(`the record of requests on ${backend.name}`, () => {
    let stand: Stand;
    const startMs = Date.now() - 10 * DAY_MS;
    const untilMs = Date.now() + DAY_MS;
    beforeAll(async () => {
      stand = await openStand(backend, { keepClear: { key: KEY } });
    });
    afterAll(() => stand.close());

    const records = (more: object = {}) =>
      all<AuditRecord>(stand.ledger.records.requests({ sinceMs: startMs - DAY_MS, untilMs, ...more }));

    test('one record answers: what was asked, what was answered, when sharing ceased, who was sent what', async () => {
      const email = 'jane.records@example.com';
      const digest = createHash('sha256').update(email).digest('hex');
      const before = await stand.sent([{ kind: 'email_sha256', value: digest }], { finishedAtMs: startMs - 1000 });
      await stand.report('a', 0);
      const { requestId, token } = await stand.ledger.recordOptOut({
        identifiers: [{ kind: 'email', value: email }],
        ...{ channel: 'phone', state: 'CA', operator: 'jane', rights: ['sale', 'share'], receivedAtMs: startMs },
      });
      const after = await stand.sent([{ kind: 'email_sha256', value: digest }], { destination: 'beta', rights: [] });
      const [open] = await records();
      expect(open).toMatchObject({
        inForceEverywhereAtMs: null,
        inForceOn: 0,
        enforcerCount: 1,
        deadlineState: 'open',
      });
      await stand.report('a', seqOf(token));
      const [record] = await records();
      expect(record).toMatchObject({
        ...{ requestId, row: null, receivedAtMs: startMs, nature: 'opt_out', rights: ['sale', 'share'] },
        ...{ channel: 'phone', agent: null, state: 'CA', status: 'complied', response: 'complied', denialBasis: null },
        ...{ recordedBy: 'jane', deniedBy: null, inForceOn: 1, enforcerCount: 1, deadlineState: 'met' },
        ...{ identifierCount: 1, refusedCount: 0, exportsAfterCount: 1, deadlineRule: 'ca-opt-out' },
      });
      expect(record?.respondedAtMs).toBeGreaterThan(startMs);
      const { inForceEverywhereAtMs } = await stand.ledger.propagation(requestId);
      expect(record?.inForceEverywhereAtMs).toBe(inForceEverywhereAtMs);
      expect(record?.identifiers).toMatchObject([{ kind: 'email' }]);
      expect(record?.identifiers[0]?.digests).toContainEqual({ kind: 'email_sha256', hex: digest });
      expect(record?.notices).toEqual([
        { destination: 'acme', sentFirstMs: startMs - 1000, sentLastMs: startMs - 1000, isSentAfterRequest: false },
      ]);
      expect(record?.exportsAfter).toMatchObject([{ runId: after, destination: 'beta', isExempt: true }]);
      expect(before).not.toBe(after);
      expect(JSON.stringify(record)).not.toContain(email);
    });

    test('clear values come only where they are asked for, with the key they were sealed with', async () => {
      const [record] = await records({ withClear: true });
      expect(record?.identifiers[0]?.value).toBe('jane.records@example.com');
      await stand.ledger.audit.chain();
      const read = await stand.ledger.audit.entries({ kind: 'records.read' });
      expect(read.at(-1)?.body).toMatchObject({ rows: false, withClear: true });
      const csv = (await all(recordsText(await records({ withClear: true }), 'csv'))).join('');
      expect(csv).toContain('jane.records@example.com');
      expect((await all(recordsText(await records(), 'csv'))).join('')).not.toContain('jane.records');
      if (backend.name === 'pglite') return; // the folder has one owner
      for (const keepClear of [null, { key: Buffer.alloc(32, 8) }]) {
        const other = await openLedger(stand.location, { sequence: false, keepClear });
        const asked = all(other.records.requests({ sinceMs: startMs, untilMs, withClear: true }));
        await expect(asked).rejects.toMatchObject({ code: 'ledger.clear_key' });
        await other.close();
      }
    });

    test('an import is one record, or one for each of its rows', async () => {
      const people = Array.from({ length: 5000 }, someMaid);
      const sentTo = people[4321] ?? someMaid();
      const run = await stand.sent([sentTo], { finishedAtMs: Date.now() + 1000 });
      const receivedAtMs = startMs + 1000;
      const { requestId } = await stand.ledger.importOptOuts(people, { receivedAtMs, channel: 'mail' });
      const whole = (await records()).filter((record) => record.requestId === requestId);
      expect(whole).toMatchObject([
        { row: null, nature: 'import', rights: null, channel: 'mail', identifierCount: 5000 },
      ]);
      expect(whole[0]?.identifiers).toEqual([]);
      const rows = (await records({ eachRow: true, withClear: true })).filter((one) => one.requestId === requestId);
      expect(rows.map(({ row }) => row).sort((a, b) => Number(a) - Number(b))).toEqual(people.map((_, n) => n + 1));
      expect(new Map(rows.map(({ row, identifiers }) => [row, identifiers[0]?.value])).get(4322)).toBe(sentTo.value);
      const sent = rows.filter(({ exportsAfterCount }) => exportsAfterCount > 0);
      expect(sent).toMatchObject([{ row: 4322, exportsAfter: [{ runId: run }], notices: [{ destination: 'acme' }] }]);
    });

    test('pages leave nobody out and take nobody twice, also of the same moment', async () => {
      const ids = new Set<string>();
      const receivedAtMs = startMs + 5000;
      for (let count = 0; count < 230; count++) {
        const { requestId } = await stand.ledger.recordOptOut({
          identifiers: [someMaid()],
          channel: 'api',
          receivedAtMs,
        });
        ids.add(requestId);
      }
      const found = await records({ sinceMs: receivedAtMs, untilMs: receivedAtMs + 1 });
      expect(found.map(({ requestId }) => requestId).sort()).toEqual([...ids].sort());
      expect(await records({ sinceMs: receivedAtMs + 1, untilMs: receivedAtMs + 2 })).toEqual([]);
      await expect(records({ sinceMs: 2, untilMs: 1 })).rejects.toMatchObject({ field: 'untilMs' });
    });

    test('as CSV and as JSON they say the same', async () => {
      const list = await records();
      const json = JSON.parse((await all(recordsText(list, 'json'))).join(''));
      const csv = readCsv((await all(recordsText(list, 'csv'))).join(''));
      expect(json).toHaveLength(list.length);
      expect(csv.map((row) => [row.request_id, row.date_of_request, row.manner_of_request])).toEqual(
        // biome-ignore lint/suspicious/noExplicitAny: a test looks at what is there
        json.map((one: any) => [one.requestId, one.dateOfRequest, one.mannerOfRequest]),
      );
      expect(Object.keys(csv[0] ?? {}).slice(0, 6)).toEqual([
        ...['date_of_request', 'nature_of_request', 'manner_of_request', 'date_of_response', 'nature_of_response'],
        'basis_of_denial',
      ]);
      expect(JSON.parse((await all(recordsText([], 'json'))).join(''))).toEqual([]);
    });

    test('a cell that came from outside is no formula', async () => {
      const receivedAtMs = startMs + 9000;
      const operator = '=HYPERLINK("http://attacker.example","x")';
      await stand.ledger.recordOptOut({ identifiers: [someMaid()], channel: 'api', receivedAtMs, operator });
      const found = await records({ sinceMs: receivedAtMs, untilMs: receivedAtMs + 1 });
      const [row] = readCsv((await all(recordsText(found, 'csv'))).join(''));
      expect(row?.recorded_by).toBe(`'${operator}`);
    });
  });
}
