/**
 * Which jurisdiction a place is in, and where GPC is a duty.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { gpcDutyIn, jurisdictionOf, STATE_LAWS } from '../../../src/core/policy/jurisdiction.js';

const PLACES: readonly (readonly [string | null, string | null, string])[] = [
  ['USA', 'CA', 'CA'],
  ['USA', 'ca', 'CA'],
  ['US', 'US-TX', 'TX'],
  ['usa', null, 'US'],
  ['USA', 'California', 'US'],
  ['USA', '', 'US'],
  ['PRI', null, 'US'],
  ['CAN', 'ON', 'outside_us'],
  ['DE', null, 'outside_us'],
  [null, 'CA', 'unknown'],
  [null, null, 'unknown'],
  ['', 'CA', 'unknown'],
  ['United States', null, 'unknown'],
  ['840', null, 'unknown'],
];
test.each(PLACES)('country %s, region %s is %s', (country, region, expected) => {
  expect(jurisdictionOf(country, region)).toBe(expected);
});

const DUTIES: readonly (readonly [string, string, boolean])[] = [
  ['CA', '2026-11-23', true],
  ['VA', '2026-11-23', false],
  ['NY', '2026-11-23', false],
  ['OR', '2025-12-31', false],
  ['OR', '2026-01-01', true],
  ['VT', '2026-11-23', false],
  ['US', '2026-11-23', true],
  ['unknown', '2026-11-23', true],
];
test.each(DUTIES)('GPC in %s on %s: %s', (state, day, expected) => {
  expect(gpcDutyIn(state, Date.parse(day))).toBe(expected);
});

test('the rows are those of the state table', () => {
  const { states } = JSON.parse(readFileSync('test/vectors/us-states.json', 'utf8'));
  const rows = STATE_LAWS.map(({ state, effective, gppSectionId }) => ({ state, effective, gppSectionId }));
  expect(rows).toEqual(
    states.map((row: Record<string, unknown>) => ({
      state: row.state,
      effective: row.effective,
      gppSectionId: row.gpp_section_id ?? null,
    })),
  );
  for (const row of STATE_LAWS) {
    const source = states.find(({ state }: { state: string }) => state === row.state);
    const asked = ['yes', 'conditional', 'yes_disputed', 'unknown'].includes(source.uoom);
    expect([row.state, row.gpcSince !== null]).toEqual([row.state, asked]);
    if (source.uoom_since) expect(row.gpcSince).toBe(source.uoom_since);
  }
});
