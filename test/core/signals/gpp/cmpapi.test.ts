/**
 * A second opinion: strings written by IAB's own encoder (@iabgpp/cmpapi) from random field values are read back here.
 * @module
 */
import { GppModel } from '@iabgpp/cmpapi';
import { describe, expect, test } from 'vitest';
import { decodeGpp } from '../../../../src/core/signals/gpp/decode.js';
import { FINDING_COVERED_TRANSACTION_ZERO } from '../../../../src/core/signals/gpp/findings.js';
import { judgeGpp } from '../../../../src/core/signals/gpp/verdict.js';
import { REFERENCE_SECTIONS, type ReferenceField, type ReferenceFields } from '../../../reference/gpp.js';
import { type Pick, pickFrom } from '../../../reference/gpp-writer.js';

const STRINGS_PER_SECTION = 40;

/** The encoder refuses 0 where the specification does. */
function randomFields(fields: readonly ReferenceField[], pick: Pick): ReferenceFields {
  return Object.fromEntries(
    fields
      .filter(([, width]) => width === 2)
      .map(([name, , itemCount]) => {
        const draw = (): number => (name === 'MspaCoveredTransaction' ? 1 + pick(2) : pick(3));
        return [name, itemCount === undefined ? draw() : Array.from({ length: itemCount }, draw)];
      }),
  );
}

describe('what cmpapi writes is read back', () => {
  for (const section of REFERENCE_SECTIONS) {
    for (const layout of section.layouts) {
      test(`${section.prefix} version ${layout.specVersion}`, () => {
        const pick = pickFrom(100 * section.id + layout.specVersion);
        for (let count = 0; count < STRINGS_PER_SECTION; count++) {
          const model = new GppModel();
          const version = layout.fields[0]![0] === 'Version' ? { Version: layout.specVersion } : { MspaVersion: 1 };
          const written = { ...version, ...randomFields(layout.fields, pick) };
          const expected: ReferenceFields = { ...written };
          for (const [name, value] of Object.entries(written)) model.setFieldValue(section.prefix, name, value);
          if (section.gpcSubsection) {
            const gpc = pick(2) === 1;
            const included = pick(3) > 0;
            model.setFieldValue(section.prefix, 'Gpc', gpc);
            model.setFieldValue(section.prefix, 'GpcSegmentIncluded', included);
            if (included) expected.Gpc = gpc;
          }
          if (section.sensitiveSubsection !== undefined) {
            const sensitive = randomFields(section.sensitiveSubsection, pick);
            const included = pick(3) > 0;
            for (const [name, value] of Object.entries(sensitive)) model.setFieldValue(section.prefix, name, value);
            model.setFieldValue(section.prefix, 'SensitiveDataConsentSegmentIncluded', included);
            if (included) Object.assign(expected, sensitive);
          }
          expect(decodeGpp(model.encode())).toEqual({
            kind: 'parsed',
            sectionIds: [section.id],
            sections: { [section.prefix]: expected },
            layouts: { [section.prefix]: { specVersion: layout.specVersion, sectionHeader: false } },
            malformedSections: [],
          });
        }
      });
    }
  }
});

describe('where the two are known to differ', () => {
  const read = (gpp: string, prefix: string, field: string): unknown =>
    new GppModel(gpp).getFieldValue(prefix, field) as unknown;

  test('a section header is read as a core by cmpapi, which finds no opt-out', () => {
    const gpp = 'DBABEY~YBABY.BVVU.Y';
    expect(read(gpp, 'usmd', 'SaleOptOut')).toBe(0);
    const decoded = decodeGpp(gpp);
    expect(decoded.kind === 'parsed' && decoded.sections.usmd).toMatchObject({ SaleOptOut: 1, Gpc: true });
  });

  test('a missing GPC sub-section is Gpc = false to cmpapi, and nothing here', () => {
    const gpp = 'DBABLA~BVVqAAAAAgA';
    expect(read(gpp, 'usnat', 'Gpc')).toBe(false);
    const decoded = decodeGpp(gpp);
    expect(decoded.kind === 'parsed' && decoded.sections.usnat).not.toHaveProperty('Gpc');
  });

  test('the type of a GPC sub-section is not looked at by cmpapi', () => {
    const gpp = 'DBABLA~BVVqAAAAAgA.oA';
    expect(read(gpp, 'usnat', 'SaleOptOut')).toBe(2);
    expect(decodeGpp(gpp)).toMatchObject({ malformedSections: [{ code: 'subsection_invalid' }] });
  });

  test('a bad section of another region stops cmpapi, and is skipped here', () => {
    const gpp = 'DBACMMA~z~BVVqAAAAAgA';
    expect(() => read(gpp, 'usnat', 'SaleOptOut')).toThrow();
    expect(decodeGpp(gpp)).toMatchObject({ sections: { usnat: { SaleOptOut: 2 } } });
  });

  test('a version 1 usnat core padded to 24 bits is read as the longer layout by cmpapi', () => {
    const gpp = 'DBABLA~BVVqAAAAAgAA';
    expect(read(gpp, 'usnat', 'MspaCoveredTransaction')).toBe(0);
    expect(decodeGpp(gpp)).toMatchObject({ sections: { usnat: { MspaCoveredTransaction: 2 } } });
    expect(judgeGpp(gpp).findings).toEqual([FINDING_COVERED_TRANSACTION_ZERO]);
  });
});
