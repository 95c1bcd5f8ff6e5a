/**
 * Damaged and hostile GPP strings: the verdict recommended for each, stable codes, and work that stays linear.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeGpp } from '../../../../src/core/signals/gpp/decode.js';
import { FINDING_SECTION_MALFORMED, findingsOfMask } from '../../../../src/core/signals/gpp/findings.js';
import { GPP_LENGTH_MAX } from '../../../../src/core/signals/gpp/malformed.js';
import { judgeGpp } from '../../../../src/core/signals/gpp/verdict.js';

interface Row {
  readonly why: string;
  readonly gpp: string;
  /** The length of the string; `gpp` then shows only its beginning, which goes on with `A`. */
  readonly gppRepeat?: number;
  readonly recommend: string;
}

const rows: readonly Row[] = JSON.parse(
  readFileSync(new URL('../../../vectors/gpp-malformed.json', import.meta.url), 'utf8'),
);

/** Where the recommendation leaves a choice: what optgate does. */
const CHOICES: Readonly<Record<string, 'string' | 'section' | 'accept'>> = {
  'reject that section only or trim': 'section',
  'reject that section only (or map to -)': 'section',
  'reject that section only or treat as absent': 'section',
  'reject string or skip': 'string',
  'accept (ignore) or reject': 'accept',
  'accept or reject by length cap': 'string',
  // Lower case gives other bits, but here the type of the sub-section gives it away.
  'accept (undetectable)': 'section',
  // The sub-section is honoured rather than ignored.
  'accept (ignore it)': 'accept',
};

function recommended({ recommend }: Row): 'string' | 'section' | 'accept' {
  const choice = CHOICES[recommend];
  if (choice !== undefined) return choice;
  if (recommend.startsWith('reject string')) return 'string';
  if (recommend.startsWith('reject that section only')) return 'section';
  if (recommend.startsWith('accept')) return 'accept';
  throw new Error(`unknown recommendation: ${recommend}`);
}

function textOf({ gpp, gppRepeat }: Row): string {
  if (gppRepeat === undefined) return gpp;
  return gpp.slice(0, gpp.indexOf('…')).padEnd(gppRepeat, 'A');
}

describe('each row gets the recommended verdict', () => {
  for (const row of rows) {
    test(`${row.why}: ${row.recommend}`, () => {
      const gpp = textOf(row);
      const decoded = decodeGpp(gpp);
      const verdict = judgeGpp(gpp);
      const outcome =
        decoded.kind === 'malformed' ? 'string' : decoded.malformedSections.length > 0 ? 'section' : 'accept';
      expect(outcome).toBe(recommended(row));
      expect(verdict.malformed).toEqual(decoded.kind === 'malformed' ? decoded.malformed : null);
      const anyMalformed = verdict.findings.some((mask) => (mask & FINDING_SECTION_MALFORMED) !== 0);
      expect(anyMalformed).toBe(outcome === 'section');
    });
  }
});

const USNAT = 'BVVqAAAAAgA';

describe('codes and offsets of whole strings', () => {
  const cases: readonly [name: string, gpp: string, code: string, at: number][] = [
    ['nothing', '', 'empty', 0],
    ['one character too many', `DBABLA~${'A'.repeat(GPP_LENGTH_MAX - 6)}`, 'too_long', GPP_LENGTH_MAX],
    ['a bare TC string', 'CPXxRfAPXxRf', 'not_gpp', 0],
    ['a bare US Privacy string', '1YNN', 'not_gpp', 0],
    ['only the type', 'D', 'header_truncated', 1],
    ['type and version', 'DB', 'header_truncated', 2],
    ['half a count', 'DBA', 'header_truncated', 3],
    ['a count and no item', 'DBAB', 'header_truncated', 4],
    ['a group bit and half a code', 'DBABQ~A', 'header_truncated', 5],
    ['header version 2', 'DCABLA~A', 'header_version', 1],
    ['a space in the header', 'DBAB LA~A', 'illegal_character', 4],
    ['padding with =', 'DBABLA==~A', 'illegal_character', 6],
    ['id 64', 'DBABAEY~A', 'range_invalid', 4],
    ['a code of more than ten bits', 'DBABAAAD~A', 'range_invalid', 4],
    ['a group up to 1,134,903,171', 'DBAB4AAAAAAD~A', 'range_invalid', 4],
    ['no section', 'DBABLA', 'section_count', 6],
    ['a section too many', `DBABLA~${USNAT}~A`, 'section_count', 18],
    ['a section where none is named', 'DBAA~', 'section_count', 4],
    ['a blank section', 'DBABLA~', 'section_blank', 7],
    ['a blank section of another region', 'DBACMMA~~A', 'section_blank', 8],
  ];
  for (const [name, gpp, code, at] of cases) {
    test(name, () => {
      const section = code === 'section_blank' ? { section: gpp.startsWith('DBAC') ? 2 : 7 } : {};
      expect(decodeGpp(gpp)).toEqual({ kind: 'malformed', malformed: { code, at, ...section } });
    });
  }
});

describe('codes and offsets of one section', () => {
  const cases: readonly [name: string, gpp: string, code: string, at: number][] = [
    ['an illegal character', 'DBABLA~BVVq!AAAAgA', 'illegal_character', 11],
    ['a trailing newline', 'DBABLA~BVVqAAAAAgA\n', 'illegal_character', 18],
    ['a core cut off', 'DBABLA~BVVqAAAAA.YA', 'section_too_short', 16],
    ['version 2 in the shorter layout', 'DBABLA~CVVVkkkkkpF', 'section_too_short', 18],
    ['a blank sub-section', 'DBABLA~BVVqAAAAAgA.', 'subsection_invalid', 19],
    ['two dots', 'DBABLA~BVVqAAAAAgA..YA', 'subsection_invalid', 19],
    ['a sub-section of type 2', 'DBABLA~BVVqAAAAAgA.oA', 'subsection_invalid', 19],
    ['sensitive data cut off', 'DBABUY~BVVV.kk', 'subsection_invalid', 12],
    ['sensitive data twice', 'DBABUY~BVVV.kkk.kkk', 'subsection_invalid', 16],
    ['a section header with too short a list', 'DBABEY~YBA.BVVU', 'section_header_invalid', 7],
    ['a section header that ends before its version', 'DBABEY~Y.AA', 'section_header_invalid', 7],
    ['a section header that ends before its version, and a core', 'DBABEY~Y.AAVVVVVV', 'section_header_invalid', 7],
    ['a section header that ends before its list', 'DBABEY~YB.AAVVVVVV', 'section_header_invalid', 7],
    ['a section header that lists a part that is not there', 'DBABEY~YBABY.BVVU', 'section_header_invalid', 7],
    ['a section header without its core', 'DBABEY~YBAA.', 'section_too_short', 12],
    ['US Privacy in lower case', 'DBABTA~1YnN', 'us_privacy_invalid', 9],
    ['US Privacy too long', 'DBABTA~1YNNN', 'us_privacy_invalid', 11],
  ];
  for (const [name, gpp, code, at] of cases) {
    test(name, () => {
      const decoded = decodeGpp(gpp);
      if (decoded.kind === 'malformed') expect.fail(decoded.malformed.code);
      const [section] = decoded.sectionIds;
      expect(decoded.malformedSections).toEqual([{ code, at, section }]);
      expect(decoded.sections).toEqual({});
    });
  }

  test('the other sections stay readable', () => {
    const { findings } = judgeGpp('DBABrw~BVVqAAAAAgA!~BVWSSSVY.YA');
    expect(findings.map(findingsOfMask)).toEqual([['sectionMalformed'], expect.arrayContaining(['gpc'])]);
  });
});

/** Strings of the greatest length that is read, each aimed at one loop. */
const HOSTILE: readonly string[] = [
  `DBA${'A'.repeat(GPP_LENGTH_MAX - 3)}`,
  `DB__${'A'.repeat(GPP_LENGTH_MAX - 4)}`,
  `DB__${'Y'.repeat(GPP_LENGTH_MAX - 4)}`,
  `DBABLA~${'A'.repeat(GPP_LENGTH_MAX - 7)}`,
  `DBABLA~BVVqAAAAAgAA${'A'.repeat(GPP_LENGTH_MAX - 19)}`,
  `DBABLA~BVVqAAAAAgA${'.Y'.repeat((GPP_LENGTH_MAX - 18) / 2)}`,
  `DBABLA~${'.'.repeat(GPP_LENGTH_MAX - 7)}`,
  `DBABLA${'~'.repeat(GPP_LENGTH_MAX - 6)}`,
  `DBABEY~Y${'.'.repeat(GPP_LENGTH_MAX - 8)}`,
  `DBABEY~YB__${'Y'.repeat(GPP_LENGTH_MAX - 15)}.BVV`,
  `DBABTA~${'1'.repeat(GPP_LENGTH_MAX - 7)}`,
  `DBABMA~${'~'.repeat(GPP_LENGTH_MAX - 7)}`,
];

test('the longest hostile strings take microseconds, not milliseconds', () => {
  for (const gpp of HOSTILE) expect(gpp.length).toBeLessThanOrEqual(GPP_LENGTH_MAX);
  const repeats = 50;
  const start = performance.now();
  for (let count = 0; count < repeats; count++) {
    for (const gpp of HOSTILE) {
      judgeGpp(gpp);
      decodeGpp(gpp);
    }
  }
  // About 10 microseconds a string; a decoder that looks at each character once for every other takes 50 ms.
  expect((performance.now() - start) / (repeats * HOSTILE.length)).toBeLessThan(5);
});
