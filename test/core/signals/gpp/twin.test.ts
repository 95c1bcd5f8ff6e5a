/**
 * The fast decoder and the fast verdict against their slow twins: same values, same refusals, on strings as writers
 * write them and on the same strings damaged.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeGpp } from '../../../../src/core/signals/gpp/decode.js';
import { findingsOfMask, GPP_FINDINGS } from '../../../../src/core/signals/gpp/findings.js';
import { GPP_MALFORMED_CODES } from '../../../../src/core/signals/gpp/malformed.js';
import { prefixOf, US_SECTION_IDS } from '../../../../src/core/signals/gpp/sections.js';
import { judgeGpp } from '../../../../src/core/signals/gpp/verdict.js';
import { cases } from '../../../cases.js';
import { referenceDecode } from '../../../reference/gpp.js';
import { referenceFindings } from '../../../reference/gpp-findings.js';
import { damaged, pickFrom, randomGpp } from '../../../reference/gpp-writer.js';

/** What decoder and verdict should say of a string, by the slow twins. */
function expected(gpp: string) {
  const reference = referenceDecode(gpp);
  if ('code' in reference) {
    return {
      decoded: { kind: 'malformed', malformed: reference },
      verdict: { malformed: reference, presentMask: 0, sections: [] },
    };
  }
  const { headerVersionUnknown, padded, ...decoded } = reference;
  const ids = reference.sectionIds.filter((id) => US_SECTION_IDS.includes(id));
  const sections = ids.map((id) => {
    const prefix = prefixOf(id);
    const fields = reference.sections[prefix];
    const isMalformed = reference.malformedSections.some(({ section }) => section === id);
    if (fields === undefined || isMalformed) return [id, ['sectionMalformed']];
    return [id, referenceFindings(prefix, fields, headerVersionUnknown.includes(prefix), padded.includes(prefix))];
  });
  const presentMask = ids.reduce((mask, id) => mask | (1 << id), 0);
  return { decoded: { kind: 'parsed', ...decoded }, verdict: { malformed: null, presentMask, sections } };
}

function actual(gpp: string) {
  const { malformed, presentMask, sectionIds, findings } = judgeGpp(gpp);
  const sections = sectionIds.map((id, index) => [id, findingsOfMask(findings[index]!)]);
  return { decoded: decodeGpp(gpp), verdict: { malformed, presentMask, sections } };
}

const STRINGS_PER_SEED = 50;

describe('decodeGpp and judgeGpp agree with the reference', () => {
  test('on strings as writers write them', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pick = pickFrom(seed);
        for (let count = 0; count < STRINGS_PER_SEED; count++) {
          const gpp = randomGpp(pick);
          expect(actual(gpp), gpp).toEqual(expected(gpp));
        }
      }),
      { numRuns: cases(150) },
    );
  });

  test('on damaged strings', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pick = pickFrom(seed);
        for (let count = 0; count < STRINGS_PER_SEED; count++) {
          const gpp = damaged(randomGpp(pick), pick);
          expect(actual(gpp), gpp).toEqual(expected(gpp));
        }
      }),
      { numRuns: cases(250) },
    );
  });

  test('on any text', () => {
    const letters = fc.constantFrom(...'DBAJLMQYZaw019-_.~~+ =\n');
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: letters, maxLength: 60 }),
      fc.string({ unit: letters, maxLength: 60 }).map((tail) => `DBA${tail}`),
      fc.string({ unit: letters, maxLength: 60 }).map((tail) => `DBABEY~Y${tail}`),
    );
    fc.assert(
      fc.property(texts, (gpp) => {
        expect(actual(gpp), gpp).toEqual(expected(gpp));
      }),
      { numRuns: cases(10_000) },
    );
  });
});

test('the strings drawn here reach every finding and every fault', () => {
  const pick = pickFrom(7);
  const seen = new Set<string>();
  for (let count = 0; count < 30_000; count++) {
    const written = randomGpp(pick);
    for (const gpp of [written, damaged(written, pick)]) {
      const decoded = decodeGpp(gpp);
      if (decoded.kind === 'malformed') seen.add(decoded.malformed.code);
      else for (const { code } of decoded.malformedSections) seen.add(code);
      for (const mask of judgeGpp(gpp).findings) for (const finding of findingsOfMask(mask)) seen.add(finding);
    }
  }
  // A string that is too long has tests of its own.
  const faults = Object.keys(GPP_MALFORMED_CODES).filter((code) => code !== 'too_long');
  expect([...faults, ...GPP_FINDINGS].filter((name) => !seen.has(name))).toEqual([]);
});

test('no text at all makes either throw, and both see the same sections', () => {
  const pick = pickFrom(20_260_101);
  for (let count = 0; count < 100_000; count++) {
    const gpp = damaged(randomGpp(pick), pick);
    const decoded = decodeGpp(gpp);
    const verdict = judgeGpp(gpp);
    const ids = decoded.kind === 'parsed' ? decoded.sectionIds.filter((id) => US_SECTION_IDS.includes(id)) : [];
    if (verdict.sectionIds.join() !== ids.join()) expect.fail(`${gpp}: ${verdict.sectionIds} and ${ids}`);
    if (verdict.findings.length !== ids.length) expect.fail(gpp);
  }
});
