/**
 * Deadlines: the calendar of business days, time zones, and the table of deadlines, against a slow twin and by example.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RIGHTS, RIGHTS_ALL, rightsMask } from '../../../src/core/vocabulary.js';
import { holidaysOf } from '../../../src/ledger/records/business-days.js';
import { deadlineOf, deadlineState, pathOfChannel } from '../../../src/ledger/records/deadline.js';
import { DEADLINES, type DeadlinePath, deadlineRow } from '../../../src/ledger/records/deadline-table.js';
import { dayAt, dayText, startOfDay, timeZoneOf } from '../../../src/ledger/records/local-days.js';
import { CALIFORNIA_HOLIDAYS, dateIn, endOfCountedDays, FEDERAL_HOLIDAYS } from '../../reference/deadlines.js';

const SALE = rightsMask(['sale', 'share']);
const due = (receivedAt: string, more: { state?: string | null; rights?: number; path?: DeadlinePath } = {}) => {
  const { state = 'CA', rights = SALE, path = 'recorded' } = more;
  const { dueAtMs, dueOn, row } = deadlineOf({ state, rights, path, receivedAtMs: Date.parse(receivedAt) });
  return [dueOn, new Date(dueAtMs).toISOString(), row.id];
};

describe('holidays', () => {
  test.each(Object.keys(FEDERAL_HOLIDAYS).map(Number))('of %i are those that were published', (year) => {
    const shown = (calendar: 'us_federal' | 'california') =>
      holidaysOf(calendar, year)
        .map((day) => dayText(day).slice(5))
        .join(' ');
    expect(shown('us_federal')).toBe(FEDERAL_HOLIDAYS[year]);
    expect(shown('california')).toBe(CALIFORNIA_HOLIDAYS[year]);
  });

  test('are skipped only where both calendars have them, so that no deadline is late by any reading', () => {
    expect(holidaysOf('california_and_federal', 2026).map(dayText)).toEqual([
      ...['2026-01-01', '2026-01-19', '2026-02-16', '2026-05-25', '2026-09-07', '2026-11-11', '2026-11-26'],
      '2026-12-25',
    ]);
  });
});

describe('days in a zone', () => {
  test('begin at midnight, also when clocks change', () => {
    for (const [date, start] of [
      ['2026-03-08', '2026-03-08T08:00:00.000Z'], // forward at 2:00
      ['2026-03-09', '2026-03-09T07:00:00.000Z'],
      ['2026-11-01', '2026-11-01T07:00:00.000Z'], // back at 2:00
      ['2026-11-02', '2026-11-02T08:00:00.000Z'],
    ] as const) {
      const day = Date.parse(date) / 86_400_000;
      expect(new Date(startOfDay(day, 'America/Los_Angeles')).toISOString()).toBe(start);
    }
  });

  test('are those of the clocks there', () => {
    const zones = ['CA', 'NY', 'TX', 'HI', 'AZ', 'AK', null].map(timeZoneOf);
    const moment = fc.integer({ min: Date.parse('2020-01-01'), max: Date.parse('2035-01-01') });
    fc.assert(
      fc.property(moment, fc.constantFrom(...zones), (ms, zone) => {
        const day = dayAt(ms, zone);
        expect(dayText(day)).toBe(dateIn(ms, zone));
        const start = startOfDay(day, zone);
        expect([dateIn(start, zone), dateIn(start - 1, zone)]).toEqual([dayText(day), dayText(day - 1)]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('deadlines', () => {
  test('by example', () => {
    // Thanksgiving (26 November) is skipped, the day after is not
    expect(due('2026-11-20T18:00:00Z')).toEqual(['2026-12-14', '2026-12-15T08:00:00.000Z', 'ca-opt-out']);
    // 7:59 in the evening of 31 December in California is already the new year in UTC
    expect(due('2027-01-01T03:59:00Z')[0]).toBe('2027-01-25');
    expect(due('2027-01-01T08:00:00Z')[0]).toBe('2027-01-25'); // 1 January is no business day, so nothing is gained
    expect(due('2026-12-31T07:59:00Z')[0]).toBe('2027-01-22');
    // over 29 February
    expect(due('2028-02-14T12:00:00Z')).toEqual(['2028-03-07', '2028-03-08T08:00:00.000Z', 'ca-opt-out']);
    // over the change of clocks on 8 March
    expect(due('2026-03-02T12:00:00Z')).toEqual(['2026-03-23', '2026-03-24T07:00:00.000Z', 'ca-opt-out']);
    // on a Saturday and on the Friday before the last day is the same
    expect(due('2026-08-08T18:00:00Z')[0]).toBe(due('2026-08-07T18:00:00Z')[0]);
  });

  test('45 days only where it applies', () => {
    const at = '2026-08-03T18:00:00Z';
    expect(due(at, { rights: rightsMask(['deletion']) })).toEqual([
      '2026-09-17',
      '2026-09-18T07:00:00.000Z',
      'ca-deletion',
    ]);
    expect(due(at, { rights: RIGHTS_ALL })[2]).toBe('ca-opt-out');
    expect(due(at, { rights: rightsMask(['sensitive']) })).toEqual([
      '2026-08-24',
      '2026-08-25T07:00:00.000Z',
      'ca-sensitive',
    ]);
    expect(due(at, { rights: RIGHTS_ALL, path: pathOfChannel('drop') })[2]).toBe('drop');
    expect(due(at, { state: 'TX' })).toEqual(['2026-09-17', '2026-09-18T05:00:00.000Z', 'tx']);
    expect(due(at, { state: 'NJ' })[0]).toBe('2026-08-18');
    expect(due(at, { state: 'IA' })[0]).toBe('2026-11-01');
    for (const state of [null, 'WY', 'CA']) expect(due(at, { state })[0]).toBe('2026-08-24');
    expect(due(at, { path: 'bid' })).toEqual(['2026-08-03', '2026-08-03T18:00:00.000Z', 'bid']);
  });

  test('as a slow twin counts them', () => {
    const moment = fc.integer({ min: Date.parse('2024-01-02'), max: Date.parse('2028-11-20') });
    const state = fc.constantFrom(null, 'CA', 'CO', 'TX', 'NJ', 'IA', 'VA', 'HI');
    fc.assert(
      fc.property(moment, state, fc.constantFrom(...RIGHTS), (receivedAtMs, inState, right) => {
        const row = deadlineRow(inState, right, 'recorded');
        if (row.kind === 'immediate') throw new Error('only on the bid path');
        const { dueAtMs, dueOn } = deadlineOf({
          state: inState,
          rights: rightsMask([right]),
          path: 'recorded',
          receivedAtMs,
        });
        expect({ dueOn, dueAtMs }).toEqual(endOfCountedDays(receivedAtMs, timeZoneOf(inState), row.count, row.kind));
      }),
      { numRuns: 40 },
    );
  });

  test('of several rights is the first of theirs', () => {
    const receivedAtMs = Date.parse('2026-05-01T12:00:00Z');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: RIGHTS_ALL }), fc.constantFrom('CA', 'CO', 'IA'), (rights, state) => {
        const each = RIGHTS.filter((_, bit) => (rights & (1 << bit)) !== 0).map((right) => rightsMask([right]));
        const all = each.map((one) => deadlineOf({ state, rights: one, path: 'recorded', receivedAtMs }).dueAtMs);
        expect(deadlineOf({ state, rights, path: 'recorded', receivedAtMs }).dueAtMs).toBe(Math.min(...all));
      }),
    );
  });

  test('have states: open, nearly overdue, overdue, met', () => {
    const deadline = deadlineOf({
      state: 'CA',
      rights: SALE,
      path: 'recorded',
      receivedAtMs: Date.parse('2026-11-20T18:00:00Z'),
    });
    const { dueAtMs, nearlyAtMs } = deadline;
    expect(new Date(nearlyAtMs).toISOString()).toBe('2026-12-09T08:00:00.000Z'); // Wednesday; Thursday, Friday, Monday are left
    expect(deadlineState(deadline, null, nearlyAtMs - 1)).toBe('open');
    expect(deadlineState(deadline, null, nearlyAtMs)).toBe('nearly_overdue');
    expect(deadlineState(deadline, null, dueAtMs - 1)).toBe('nearly_overdue');
    expect(deadlineState(deadline, null, dueAtMs)).toBe('overdue');
    expect(deadlineState(deadline, dueAtMs - 1, dueAtMs + 1)).toBe('met');
    expect(deadlineState(deadline, dueAtMs, dueAtMs + 1)).toBe('overdue');
  });

  test('every row has a citation and an id of its own', () => {
    expect(new Set(DEADLINES.map(({ id }) => id)).size).toBe(DEADLINES.length);
    for (const { citation } of DEADLINES) expect(citation).toMatch(/\d/);
  });
});
