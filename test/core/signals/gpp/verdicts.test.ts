/**
 * Findings against what Prebid.js and Prebid Server Java were seen to decide on the same strings.
 *
 * Both are second opinions: optgate must never be looser than the stricter of the two on a section that is listed and
 * present. What a listed section that is missing means is policy, and tested there.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeGpp } from '../../../../src/core/signals/gpp/decode.js';
import { findingsOfMask, type GppFinding } from '../../../../src/core/signals/gpp/findings.js';
import { prefixOf, sectionIdOf } from '../../../../src/core/signals/gpp/sections.js';
import { judgeGpp } from '../../../../src/core/signals/gpp/verdict.js';
import type { ReferenceFields } from '../../../reference/gpp.js';
import { deniedBy, referenceFindings } from '../../../reference/gpp-findings.js';

type Verdict = 'allow' | 'deny' | 'abstain';
type Activity = 'syncUser' | 'enrichUfpd' | 'enrichEids' | 'transmitEids' | 'transmitUfpd' | 'transmitPreciseGeo';
interface Row {
  readonly note: string;
  readonly gpp: string;
  readonly gpp_sid: readonly number[];
  readonly fields?: Readonly<Record<string, ReferenceFields>>;
  readonly pbsJava: Partial<Record<Activity, Verdict>>;
  readonly prebidJs: Partial<Record<Activity, Verdict>>;
  /** Prebid.js compares Gpc with 1 where the decoder gives true, and so lets these through. */
  readonly gpcBooleanMissed?: unknown;
}

const rows: readonly Row[] = readFileSync(new URL('../../../vectors/gpp-verdicts.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** The findings of one section of a string, by name; `null` if it is not there. */
function findingsOf(gpp: string, sectionId: number): readonly GppFinding[] | null {
  const { sectionIds, findings } = judgeGpp(gpp);
  const index = sectionIds.indexOf(sectionId);
  return index < 0 ? null : findingsOfMask(findings[index]!);
}

test('the findings of every section are those of its fields by the truth table', () => {
  let sectionCount = 0;
  for (const { gpp, fields } of rows) {
    for (const [prefix, stated] of Object.entries(fields ?? {})) {
      // Some rows state the fields of a section without its version, which no rule of Prebid reads.
      const complete = { Version: 1, ...stated };
      expect(findingsOf(gpp, sectionIdOf(prefix)!), gpp).toEqual(referenceFindings(prefix, complete));
      sectionCount++;
    }
  }
  expect(sectionCount).toBeGreaterThan(850);
});

/** What each activity is denied by, and by whom: Java asks more of transmitEids than Prebid.js does. */
const RULES: Readonly<Record<Activity, 'consent' | 'ufpd' | 'geo'>> = {
  syncUser: 'consent',
  enrichUfpd: 'consent',
  enrichEids: 'consent',
  transmitEids: 'ufpd',
  transmitUfpd: 'ufpd',
  transmitPreciseGeo: 'geo',
};

describe('denials by activity, for listed sections that are present', () => {
  const judged = rows
    .filter(({ gpp_sid: sids }) => sids.length > 0 && sids[0] !== -1)
    .map((row) => ({ row, listed: row.gpp_sid.map((id) => findingsOf(row.gpp, id)) }))
    .filter(({ listed }) => listed.every((findings) => findings !== null && !findings.includes('sectionMalformed')));

  test('800 of the rows', () => expect(judged).toHaveLength(800));

  for (const activity of Object.keys(RULES) as Activity[]) {
    test(`${activity}: never looser than the stricter of the two`, () => {
      for (const { row, listed } of judged) {
        const ours = listed.some((findings) => deniedBy(findings!)[RULES[activity]]);
        const theirs = row.pbsJava[activity] === 'deny' || row.prebidJs[activity] === 'deny';
        if (theirs) expect(ours, `${row.note}: ${row.gpp}`).toBe(true);
      }
    });

    test(`${activity}: and not stricter either`, () => {
      for (const { row, listed } of judged) {
        const ours = listed.some((findings) => deniedBy(findings!)[RULES[activity]]);
        const theirs = row.pbsJava[activity] === 'deny' || row.prebidJs[activity] === 'deny';
        const gpcMissed = activity === 'enrichEids' && row.gpcBooleanMissed !== undefined;
        if (ours && !theirs) expect(gpcMissed, `${row.note}: ${row.gpp}`).toBe(true);
      }
    });
  }
});

test('a listed section that cannot be read is told apart from one that denies nothing', () => {
  const bad = rows.filter(({ note }) => note.startsWith('invalid: '));
  expect(bad.length).toBeGreaterThan(20);
  for (const { gpp, gpp_sid: sids, note } of bad) {
    const decoded = decodeGpp(gpp);
    const listed = sids.map((id) => findingsOf(gpp, id));
    const unusable =
      decoded.kind === 'malformed' || listed.every((found) => found === null || found.includes('sectionMalformed'));
    expect(unusable, `${note} ${sids.map(prefixOf)}`).toBe(true);
  }
});
