/**
 * GPP strings from the test suites of the public decoders, and from the official encoder with random fields.
 *
 * The vectors state what @iabgpp/cmpapi returns. Where optgate knowingly returns something else, DIFFERENCES says what
 * and why; each is checked, and each must occur.
 * @module
 */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeGpp, type GppFields } from '../../../../src/core/signals/gpp/decode.js';
import { sectionIdOf } from '../../../../src/core/signals/gpp/sections.js';

interface Vector {
  readonly source?: string;
  readonly kind: string;
  readonly gpp: string;
  readonly note?: string;
  readonly usnatWireLayout?: string;
  readonly expect: {
    readonly sectionIds?: readonly number[];
    readonly sections?: Readonly<Record<string, GppFields>>;
    /** `string`, or the prefix of the section that cannot be read. */
    readonly error?: string;
  };
}

const readVectors = (name: string): readonly Vector[] =>
  JSON.parse(readFileSync(new URL(`../../../vectors/${name}`, import.meta.url), 'utf8'));

/** What optgate does instead; `malformed` if it refuses the section. */
interface Difference {
  readonly why: string;
  readonly applies: (prefix: string, fields: GppFields, vector: Vector) => boolean;
  readonly instead: (fields: GppFields) => GppFields | 'malformed';
}

const cut = (value: GppFields[string] | undefined, count: number) => (value as readonly number[]).slice(0, count);

const DIFFERENCES: Readonly<Record<string, Difference>> = {
  usnatVersion1LongLayout: {
    why: 'Version 1 over the 16/3 layout: cmpapi cuts the arrays to 12/2; here all that is on the wire is kept.',
    applies: (prefix, fields, vector) =>
      prefix === 'usnat' && fields.Version === 1 && coreOf(vector, 'usnat').length >= 12,
    instead: (fields) => ({
      ...fields,
      SensitiveDataProcessing: expect.toSatisfy(
        (items: readonly number[]) =>
          items.length === 16 && String(cut(items, 12)) === String(fields.SensitiveDataProcessing),
      ),
      KnownChildSensitiveDataConsents: expect.toSatisfy(
        (items: readonly number[]) =>
          items.length === 3 && String(cut(items, 2)) === String(fields.KnownChildSensitiveDataConsents),
      ),
    }),
  },
  usnatVersion2Cut: {
    why: 'Version 2 in fewer than 70 bits is a string cut off: cmpapi reads it as the 12/2 layout.',
    applies: (prefix, fields, vector) =>
      prefix === 'usnat' && fields.Version === 2 && coreOf(vector, 'usnat').length < 12,
    instead: () => 'malformed',
  },
  usnatVersionUnknownShortLayout: {
    why: 'An unknown version over the 12/2 layout: cmpapi fills the arrays with zeros to 16/3.',
    applies: (prefix, fields, vector) =>
      prefix === 'usnat' && Number(fields.Version) > 2 && coreOf(vector, 'usnat').length < 12,
    instead: (fields) => ({
      ...fields,
      SensitiveDataProcessing: cut(fields.SensitiveDataProcessing, 12),
      KnownChildSensitiveDataConsents: cut(fields.KnownChildSensitiveDataConsents, 2),
    }),
  },
  gpcWhereNoneIsDefined: {
    why: 'A GPC sub-section after usva, usut or usfl, which define none: cmpapi ignores it, here it is honoured.',
    applies: (prefix, _fields, vector) =>
      ['usva', 'usut', 'usfl'].includes(prefix) && vector.kind.startsWith('section without a GPC subsection'),
    instead: (fields) => ({ ...fields, Gpc: true }),
  },
  mspaVersionLikeSectionId: {
    why: 'A core that begins with its own section id, and a dot: read as a section header, which cmpapi does not know.',
    applies: (prefix, fields) => fields.MspaVersion === sectionIdOf(prefix),
    instead: () => 'malformed',
  },
  uspv1Contents: {
    why: 'cmpapi accepts any uspv1 of four characters; here only version 1, and a dash for the sale only in 1---.',
    applies: (prefix, fields) =>
      prefix === 'uspv1' &&
      (fields.Version !== 1 || (fields.OptOutSale === '-' && `${fields.Notice}${fields.LspaCovered}` !== '--')),
    instead: () => 'malformed',
  },
};

/** The core of a section as it stands in the string. */
function coreOf(vector: Vector, prefix: string): string {
  const index = vector.expect.sectionIds!.indexOf(sectionIdOf(prefix)!);
  return vector.gpp.split('~')[index + 1]!.split('.')[0]!;
}

const occurred = new Set<string>();

function check(vector: Vector): void {
  const decoded = decodeGpp(vector.gpp);
  const { sectionIds, sections, error } = vector.expect;
  if (error === 'string' && vector.note?.startsWith('only the TCF section is bad') !== true) {
    expect(decoded.kind).toBe('malformed');
    return;
  }
  if (decoded.kind === 'malformed') expect.fail(`refused: ${decoded.malformed.code}`);
  if (error !== undefined) {
    expect(decoded.malformedSections.map(({ section }) => section)).toEqual(
      error === 'string' ? [] : [sectionIdOf(error)],
    );
    return;
  }
  const expectedSections: Record<string, GppFields> = {};
  const expectedMalformed: (number | undefined)[] = [];
  for (const [prefix, fields] of Object.entries(sections!)) {
    const name = Object.keys(DIFFERENCES).find((key) => DIFFERENCES[key]!.applies(prefix, fields, vector));
    const instead = name === undefined ? fields : DIFFERENCES[name]!.instead(fields);
    if (name !== undefined) occurred.add(name);
    if (instead === 'malformed') expectedMalformed.push(sectionIdOf(prefix));
    // Legal letters that make no sense together are shown, and not trusted.
    const isShown = prefix === 'uspv1' && fields.Version === 1;
    if (instead !== 'malformed') expectedSections[prefix] = instead;
    else if (isShown) expectedSections[prefix] = fields;
  }
  expect(decoded.sectionIds).toEqual(sectionIds);
  expect(decoded.sections).toEqual(expectedSections);
  expect(decoded.malformedSections.map(({ section }) => section)).toEqual(expectedMalformed);
}

describe('vectors from the test suites of the public decoders', () => {
  for (const vector of readVectors('gpp-vectors.json')) {
    test(`${vector.source}: ${vector.kind}: ${vector.gpp.slice(0, 60)}`, () => check(vector));
  }
});

test('1,028 strings from the official encoder with random fields', () => {
  const vectors = readVectors('gpp-vectors-generated.json');
  expect(vectors).toHaveLength(1028);
  for (const vector of vectors) check(vector);
});

afterAll(() => {
  expect([...occurred].sort()).toEqual(Object.keys(DIFFERENCES).sort());
});
