/**
 * THE TABLE of sections against the layouts extracted from the specification's own tables.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { prefixOf, sectionIdOf, US_SECTION_IDS, US_SECTIONS } from '../../../../src/core/signals/gpp/sections.js';
import { REFERENCE_SECTIONS } from '../../../reference/gpp.js';

describe('every section is laid out as the specification says', () => {
  test('the same sections', () => {
    expect(US_SECTIONS.map(({ id, prefix }) => [id, prefix])).toEqual(
      REFERENCE_SECTIONS.map(({ id, prefix }) => [id, prefix]),
    );
  });
  for (const reference of REFERENCE_SECTIONS) {
    test(`${reference.id} ${reference.prefix}`, () => {
      const section = US_SECTIONS.find(({ id }) => id === reference.id)!;
      const layouts = section.layouts.map(({ specVersion, version, fields, bitCount }) => ({
        specVersion,
        coreBits: bitCount,
        fields: [
          [version?.name, 6],
          ...fields.map(({ name, items, isList }) => (isList ? [name, 2, items.length] : [name, 2])),
        ],
      }));
      expect(layouts).toEqual(reference.layouts);
      expect(section.mayHaveHeader).toBe(reference.sectionHeader);
      const subsection = typeof section.subsection === 'object' ? 'sensitive' : section.subsection;
      const { gpcSubsection, sensitiveSubsection } = reference;
      expect(subsection).toBe(gpcSubsection ? 'gpc' : sensitiveSubsection === undefined ? 'none' : 'sensitive');
    });
  }
});

test('ids and prefixes', () => {
  expect(US_SECTION_IDS).toEqual(Array.from({ length: 22 }, (_, index) => index + 6));
  for (const id of US_SECTION_IDS) expect(sectionIdOf(prefixOf(id))).toBe(id);
  expect([prefixOf(6), prefixOf(8), prefixOf(28), prefixOf(2)]).toEqual(['uspv1', 'usca', 'section28', 'section2']);
  expect(sectionIdOf('tcfeuv2')).toBeUndefined();
});
