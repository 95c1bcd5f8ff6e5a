/**
 * The filters against a parser that knows only strings: generated files, in any pieces and blocks.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RIGHTS_ALL, rightsMask } from '../../src/core/vocabulary.js';
import { parseMapping } from '../../src/exports/index.js';
import { naiveCsv, naiveNdjson } from '../reference/naive-filter.js';
import { filter, naiveOptions, optedOutTable, pieces, termsOf, VALUES } from './people.js';

const RUNS = Number(process.env.OPTGATE_CASES ?? 1);
const table = optedOutTable();
const CSV_MAPPING = parseMapping({
  email: ['mail', 'other mail'],
  email_sha256: 'mail',
  phone: 'tel',
  phone_sha256: 'tel',
  maid: 'ifa',
  ctv: 'ifa',
  'eid:uidapi.com': 'uid2',
  'account:shop': 'uid2',
});

/** Bytes as latin1 text: what stands in cells that nobody maps, and sometimes in those that are. */
const oddText = fc
  .array(
    fc.constantFrom(
      'a',
      '"',
      ',',
      ';',
      '\t',
      '\n',
      '\r',
      '\r\n',
      ' ',
      '\0',
      '\xff',
      '\xc3',
      '\xc3\xab',
      '""',
      '{',
      '@',
      'x.y',
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''));
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...VALUES).map((text) => Buffer.from(text).toString('latin1')) },
  { weight: 1, arbitrary: oddText },
);
const anyCell = fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: oddText });

/** A cell as it may be written: quoted, or bare where that means the same or where a careless writer did it. */
const writtenCell = fc.tuple(anyCell, fc.integer({ min: 0, max: 499 })).map(([text, how]) => {
  const quoted = `"${text.replaceAll('"', '""')}"`;
  if (how < 150) return quoted;
  if (how === 150) return `${quoted}tail`;
  return text.startsWith('"') ? ` ${text}` : text;
});

const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });
const settings = fc.record({
  sizes,
  blockBytes: fc.integer({ min: 1, max: 300 }),
  mask: fc.constantFrom(RIGHTS_ALL, rightsMask(['sale', 'share'])),
  mode: fc.constantFrom('drop' as const, 'blank' as const),
  onUnidentifiable: fc.constantFrom('drop' as const, 'keep' as const),
});

const csvFile = fc
  .record({
    delimiter: fc.constantFrom(',', ';', '\t', '|', '\x01', ' '),
    lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
    mark: fc.boolean(),
    header: fc.shuffledSubarray(['mail', 'other mail', 'tel', 'ifa', 'uid2', 'name', 'note "x"', 'mail'], {
      minLength: 8,
    }),
    rows: fc.array(fc.oneof({ weight: 9, arbitrary: fc.array(writtenCell, { maxLength: 9 }) }, fc.constant([])), {
      maxLength: 30,
    }),
    isEnded: fc.boolean(),
  })
  .map(({ delimiter, lineEnd, mark, header, rows, isEnded }) => {
    const names = header.map((name) => `"${name.replaceAll('"', '""')}"`).join(delimiter);
    const lines = [names, ...rows.map((cells) => cells.join(delimiter))].join(lineEnd) + (isEnded ? lineEnd : '');
    return { delimiter, file: Buffer.from((mark ? '\xef\xbb\xbf' : '') + lines, 'latin1') };
  });

describe('what leaves is what a naive parser and a Set let leave', () => {
  test('CSV', async () => {
    await fc.assert(
      fc.asyncProperty(
        csvFile,
        settings,
        async ({ file, delimiter }, { sizes, blockBytes, mask, mode, onUnidentifiable }) => {
          const options = naiveOptions(CSV_MAPPING, { rightsMask: mask, mode, onUnidentifiable });
          const filtering = filter(pieces(file, sizes), {
            table,
            terms: termsOf(mask),
            format: 'csv',
            delimiter,
            mapping: CSV_MAPPING,
            mode,
            onUnidentifiable,
            blockBytes,
          });
          const naive = naiveCsv(file, delimiter, options);
          if (typeof naive === 'string') {
            await expect(filtering).rejects.toMatchObject({ code: `row.${naive}` });
            return;
          }
          const { output, ...counts } = naive;
          const filtered = await filtering;
          expect(filtered.output.toString('latin1')).toBe(output.toString('latin1'));
          expect(filtered.counts).toEqual({ ...counts, bytesIn: file.length, bytesOut: output.length });
        },
      ),
      { numRuns: 400 * RUNS },
    );
  });

  test('NDJSON', async () => {
    await fc.assert(
      fc.asyncProperty(ndjsonFile, settings, async (file, { sizes, blockBytes, mask, mode, onUnidentifiable }) => {
        const options = naiveOptions(JSON_MAPPING, { rightsMask: mask, mode, onUnidentifiable });
        const { output, ...counts } = naiveNdjson(file, options);
        const filtered = await filter(pieces(file, sizes), {
          table,
          terms: termsOf(mask),
          format: 'ndjson',
          mapping: JSON_MAPPING,
          mode,
          onUnidentifiable,
          blockBytes,
        });
        const { bytesIn, bytesOut, ...rest } = filtered.counts;
        expect(rest).toEqual(counts);
        expect({ bytesIn, bytesOut }).toEqual({ bytesIn: file.length, bytesOut: filtered.output.length });
        if (mode === 'drop') expect(filtered.output.toString('latin1')).toBe(output.toString('latin1'));
        else expect(meaningOf(filtered.output)).toEqual(meaningOf(output));
      }),
      { numRuns: 400 * RUNS },
    );
  });
});

const JSON_MAPPING = parseMapping({
  email: ['email', 'user.emails[]'],
  email_sha256: 'user.emails',
  phone: 'phone',
  maid: ['device.ifa', 'ifas[].id'],
  ctv: 'device.ifa',
  'eid:uidapi.com': 'user.ids[].uid2',
  'account:shop': ['id', 'user'],
});

const text = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const scalar = fc.oneof(
  { weight: 5, arbitrary: text },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(null, true, false, 14155552671, 1234567890, -1, 0, 1.5, 1e21, {}, []),
  },
);
const many = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.array(fc.array(scalar, { maxLength: 2 }), { maxLength: 2 }),
);
const optional = { requiredKeys: [] };
const objectOf = (model: Record<string, fc.Arbitrary<unknown>>) => fc.record(model, optional);
const user = fc.oneof(
  {
    weight: 4,
    arbitrary: objectOf({ emails: many, ids: fc.array(objectOf({ uid2: many, x: scalar })), 'e.mails': text }),
  },
  { weight: 1, arbitrary: many },
);
const row = objectOf({
  email: many,
  phone: scalar,
  device: fc.oneof(objectOf({ ifa: many, w: fc.integer() }), scalar),
  ifas: fc.oneof(fc.array(objectOf({ id: scalar })), objectOf({ id: many })),
  id: scalar,
  user,
  other: fc.json().map((json) => JSON.parse(json) as unknown),
  emails: text,
});
const written = fc
  .tuple(fc.oneof({ weight: 9, arbitrary: row }, fc.array(row, { maxLength: 2 }), scalar), fc.nat(9))
  .map(([value, how]) => {
    const json = JSON.stringify(value);
    if (how === 0) return json.replace(/[a-z]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
    if (how === 1) return ` ${json.replace(/[,:{}[\]]/g, (mark) => ` ${mark}\t`)}\r`;
    if (how === 2) return json.slice(0, -1);
    if (how === 3) return `${json} x`;
    return json;
  });
const ndjsonFile = fc
  .record({
    lines: fc.array(
      fc.oneof(
        { weight: 9, arbitrary: written },
        fc.constantFrom('', ' ', '\r', '{', '[1,]', '{"email":"a\u0001"}', '01', '-', '1.', '"\\x"', 'nul'),
      ),
      { maxLength: 25 },
    ),
    lineEnd: fc.constantFrom('\n', '\r\n'),
    mark: fc.boolean(),
    isEnded: fc.boolean(),
    damage: fc.option(fc.tuple(fc.nat(3000), fc.constantFrom(0, 0xff, 0x22, 0x5c, 0xc3, 0x7d)), { freq: 4 }),
  })
  .map(({ lines, lineEnd, mark, isEnded, damage }) => {
    const file = Buffer.from((mark ? '\ufeff' : '') + lines.join(lineEnd) + (isEnded ? lineEnd : ''));
    if (damage !== null && damage[0] > 3 && damage[0] < file.length) file[damage[0]] = damage[1];
    return file;
  });

/** Rows of JSON as values: a blanked row is written anew by the naive filter. */
function meaningOf(file: Buffer): unknown[] {
  return file
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        return line;
      }
    });
}
