/**
 * Rows read a batch at a time in WebAssembly against the scanners that take one after another, and its keys against those of
 * core/identity.
 * @module
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createKeyList, KEY_WORDS } from '../../src/core/identity/index.js';
import { junkFirstWords } from '../../src/core/identity/key.js';
import { appendDigestAt, appendMaidAt } from '../../src/core/identity/key-bytes.js';
import { mintHigh, mintLow, mixedLow, mixKey, SuppressionTable } from '../../src/core/suppression/index.js';
import { KIND_TAG, RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { CsvBatchScanner } from '../../src/exports/csv/batch-scan.js';
import { layoutOf, NO_QUOTE } from '../../src/exports/csv/layout.js';
import { CsvScanner } from '../../src/exports/csv/scan.js';
import { parseMapping } from '../../src/exports/index.js';
import { PathTree } from '../../src/exports/kernel/path-tree.js';
import { MESSAGE_TEXT_MAX, RowKernel } from '../../src/exports/kernel/row-kernel.js';
import type { ColumnMapping } from '../../src/exports/mapping.js';
import { NdjsonBatchScanner } from '../../src/exports/ndjson/batch-scan.js';
import { pathTree } from '../../src/exports/ndjson/path.js';
import { NdjsonScanner } from '../../src/exports/ndjson/scan.js';
import { RowSink } from '../../src/exports/row-sink.js';
import { optedOutTable, VALUES } from './people.js';

const RUNS = Number(process.env.OPTGATE_CASES ?? 1);
const STYLE = { delimiter: 0x2c, quote: 0x22, cellCount: 2 };
const SEED = 0x0123456789abcdefn;
const [SEED_LOW, SEED_HIGH] = [Number(BigInt.asIntN(32, SEED)), Number(BigInt.asIntN(32, SEED >> 32n))] as const;

const latin1 = (byte: number) => String.fromCharCode(byte);
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: length, maxLength: length });
const uuid = fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(12)).map((parts) => parts.join('-'));
const junk = ['md5', 'sha1', 'sha256'].map((name) => createHash(name).update('').digest('hex'));
const hexText = fc.oneof(uuid, hex(32), hex(40), hex(64), fc.constantFrom(...junk, '0'.repeat(32), '0'.repeat(64)));
const UUID = '^(?:[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$';
const UNUSUAL_STARTS = ['0'.repeat(8), ...junk.map((digest) => digest.slice(0, 8))];
/** One character of it is something else, or it is too long or too short by one. */
const broken = fc
  .tuple(hexText, fc.nat(), fc.constantFrom('g', '/', ':', '@', '`', 'G', '-', ' ', '\0', '\xff', '', 'aa'))
  .map(([text, at, other]) => text.slice(0, at % text.length) + other + text.slice((at % text.length) + 1));
const cell = fc.oneof(
  { weight: 4, arbitrary: hexText },
  { weight: 3, arbitrary: broken },
  fc.constantFrom('', 'n/a', 'x'),
);

describe('keys of a column', () => {
  const kinds = [
    { tag: KIND_TAG.maid, digits: 0, digestBytes: 0 },
    { tag: KIND_TAG.email_md5, digits: 32, digestBytes: 16 },
    { tag: KIND_TAG.email_sha1, digits: 40, digestBytes: 20 },
    { tag: KIND_TAG.phone_sha256, digits: 64, digestBytes: 32 },
  ] as const;
  test.each(kinds)('are those of one value after another: $tag', ({ tag, digits, digestBytes }) => {
    const kernel = RowKernel.ofCsv([0]);
    const list = createKeyList(1);
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 40 }), (cells) => {
        const block = Buffer.from(`${cells.join(',\n')},\n`, 'latin1');
        kernel.beginCsv(block, block.length, STYLE);
        expect(kernel.nextCsvRows(STYLE, 1000)).toBe(cells.length);
        const junkWords = digestBytes === 0 ? new Int32Array(0) : junkFirstWords(digestBytes);
        const keyCount = kernel.hexKeys(0, cells.length, digits, junkWords, false);
        kernel.mix(keyCount, tag, SEED_LOW, SEED_HIGH);
        const left = new Set(kernel.otherRow.slice(0, kernel.otherCount));
        const keys = new Map(Array.from({ length: keyCount }, (_, key) => [kernel.keyRow[key], key]));
        for (const [row, text] of cells.entries()) {
          list.count = 0;
          const bytes = Buffer.from(text, 'latin1');
          const outcome =
            digestBytes === 0
              ? appendMaidAt(list, bytes, 0, bytes.length)
              : appendDigestAt(list, tag, digestBytes, bytes, 0, bytes.length);
          const key = keys.get(row);
          expect(left.has(row)).toBe(key === undefined && text !== '');
          // what is spelt otherwise is left, and what begins like an id that names nobody
          if (key === undefined) {
            const isUsual = new RegExp(digits === 0 ? UUID : `^[0-9a-f]{${digits}}$`, 'i').test(text);
            expect(isUsual && outcome === 'ok' && !UNUSUAL_STARTS.some((start) => text.startsWith(start))).toBe(false);
            continue;
          }
          expect(outcome).toBe('ok');
          const [own, ...words] = list.words.subarray(0, KEY_WORDS) as unknown as [
            number,
            number,
            number,
            number,
            number,
          ];
          expect(kernel.high[key]).toBe(mintHigh(mixKey(own, ...words, SEED_LOW, SEED_HIGH)));
          expect(kernel.low[key]).toBe(mintLow(mixedLow[0] ?? 0));
        }
      }),
      { numRuns: 300 * RUNS },
    );
  });

  test.each([
    ['a UUID', 0, '6d92078a-8246-4BA4-AE5B-76104861e7dc'],
    ['a UUID without hyphens', 0, '6d92078a82464BA4AE5B76104861e7dc'],
    ['a digest', 64, 'c3ab8ff13720e8ad9047DD39466B3C8974e592c2fa383d4a3960714caef0c4f2'],
  ] as const)('every byte in every place of %s', (_, digits, usual) => {
    const kernel = RowKernel.ofCsv([0]);
    const bytes = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !',"\n\r'.includes(latin1(byte)));
    for (let at = 0; at < usual.length; at++) {
      const cells = bytes.map((byte) => usual.slice(0, at) + latin1(byte) + usual.slice(at + 1));
      const block = Buffer.from(`${cells.join('\n')}\n`, 'latin1');
      kernel.beginCsv(block, block.length, STYLE);
      const rowCount = kernel.nextCsvRows(STYLE, 1000);
      const keyCount = kernel.hexKeys(0, rowCount, digits, new Int32Array(0), false);
      const isUsual = usual[at] === '-' ? /-/ : /[0-9a-fA-F]/;
      const expected = cells.flatMap((text, row) => (isUsual.test(text[at] ?? '') ? [row] : []));
      expect([...kernel.keyRow.slice(0, keyCount)]).toEqual(expected);
      expect(kernel.otherCount).toBe(rowCount - keyCount);
    }
  });

  test('SHA-256 of messages of every length that one block holds', () => {
    const kernel = RowKernel.ofCsv([0]);
    for (const count of [1, 3, 4, 5, MESSAGE_TEXT_MAX + 1]) {
      const texts = Array.from({ length: count }, (_, index) => Buffer.alloc(index, 0x61 + (index % 26)));
      for (const [index, text] of texts.entries()) kernel.addMessage(index, text, text.length);
      kernel.hashMessages(count);
      kernel.mix(count, KIND_TAG.email_sha256, SEED_LOW, SEED_HIGH);
      for (const [index, text] of texts.entries()) {
        const digest = createHash('sha256').update(text).digest();
        const words = [0, 4, 8, 12].map((at) => digest.readInt32BE(at)) as [number, number, number, number];
        expect(kernel.high[index]).toBe(mintHigh(mixKey(KIND_TAG.email_sha256, ...words, SEED_LOW, SEED_HIGH)));
      }
    }
  });

  test('digits of a UUID as DROP writes it are the message that is hashed', () => {
    const kernel = RowKernel.ofCsv([0]);
    const ids = Array.from({ length: 9 }, (_, index) => `${index}D92078A-8246-4BA4-AE5B-76104861E7DC`);
    const block = Buffer.from(`${ids.join('\n')}\n`);
    kernel.beginCsv(block, block.length, STYLE);
    const count = kernel.hexKeys(0, kernel.nextCsvRows(STYLE, 1000), 0, new Int32Array(0), true);
    expect(count).toBe(ids.length);
    kernel.hashMessages(count);
    kernel.mix(count, KIND_TAG.maid_sha256, SEED_LOW, SEED_HIGH);
    for (const [index, id] of ids.entries()) {
      const digest = createHash('sha256').update(id.toLowerCase().replaceAll('-', '')).digest();
      const words = [0, 4, 8, 12].map((at) => digest.readInt32BE(at)) as [number, number, number, number];
      expect(kernel.high[index]).toBe(mintHigh(mixKey(KIND_TAG.maid_sha256, ...words, SEED_LOW, SEED_HIGH)));
    }
  });
});

/** A table whose keys are all given as they are: what is made of clear values is looked up in batches, too. */
function plainTable(): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 1000, seed: SEED, epoch: 'plain' });
  const list = createKeyList(1);
  for (const id of ['6d92078a-8246-4ba4-ae5b-76104861e7dc', '38400000-8cf0-11bd-b23e-10b96e40000d']) {
    list.count = 0;
    appendMaidAt(list, Buffer.from(id), 0, id.length);
    const [tag, ...words] = list.words.subarray(0, KEY_WORDS) as unknown as [number, number, number, number, number];
    table.set(tag, ...words, RIGHTS_ALL);
  }
  return table;
}

const MAPPING = parseMapping({
  maid: ['ifa', 'x.ifa'],
  email: 'mail',
  email_sha256: ['mail', 'x.hash'],
  'eid:uidapi.com': 'uid2',
});
const IFA = parseMapping({ maid: 'ifa' });
const FLAT = parseMapping({ maid: 'ifa', email: 'mail', email_sha256: ['mail', 'hash'], 'eid:uidapi.com': 'uid2' });

interface Scanner {
  readonly lines: number;
  scan(bytes: Uint8Array, to: number, isLast: boolean, sink: RowSink): number;
}

function resultOf(scanner: Scanner, mapping: ColumnMapping, block: Buffer, isLast: boolean, table: SuppressionTable) {
  const terms = {
    mapping,
    rightsMask: RIGHTS_ALL,
    wantsFingerprints: true,
    mode: 'drop',
    onUnidentifiable: 'drop',
  } as const;
  const sink = new RowSink({ ...terms, blank: Buffer.alloc(0) });
  sink.judge.use(table);
  const bytes = Buffer.concat([block, Buffer.alloc(8)]);
  sink.begin(bytes, new Uint8Array(bytes.length));
  const end = scanner.scan(bytes, block.length, isLast, sink);
  const output = Buffer.from(sink.end()).toString('latin1');
  const fault = sink.fault;
  return {
    end,
    output,
    fault,
    tally: [...sink.tally],
    lines: fault === null ? scanner.lines : 0,
    prints: [...sink.takeFingerprints()].sort(),
  };
}

const value = fc.oneof(fc.constantFrom(...VALUES), uuid, hex(64), cell);
const rowCount = { minLength: 0, maxLength: 60 };

describe('rows a batch at a time', () => {
  const tables = [plainTable(), optedOutTable()];

  test('CSV', () => {
    const note = fc.constantFrom('a', '"b, c"', '"d ""e"""', '"f\ng"', 'h "i"', '"j"k', '', '\r', '"l');
    const quoted = fc.oneof(
      { weight: 5, arbitrary: value.map((text) => (/[",\n\r]/.test(text) ? '' : text)) },
      { weight: 2, arbitrary: value.map((text) => `"${text.replaceAll('"', '""')}"`) },
      { weight: 1, arbitrary: value.map((text) => `"${text}"""`) },
    );
    const row = fc
      .tuple(
        fc.array(fc.oneof({ weight: 40, arbitrary: quoted }, note), { maxLength: 7 }),
        fc.constantFrom('\n', '\n', '\r\n', '\r'),
      )
      .map(([cells, end]) => cells.join(',') + end);
    const header = Buffer.from('id,mail,ifa,hash,uid2,mail\n');
    const pairs = [0x22, NO_QUOTE].map((quote) => {
      const layout = layoutOf(header, { delimiter: 0x2c, quote }, FLAT);
      return [new CsvBatchScanner(layout, 300), new CsvScanner(layout, 300)] as const;
    });
    fc.assert(
      fc.property(
        fc.array(row, rowCount),
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(1),
        (rows, isLast, times, which) => {
          const block = Buffer.from(rows.join('').repeat(times), 'utf8');
          const table = tables[which] ?? plainTable();
          for (const [batches, scanner] of pairs) {
            expect(resultOf(batches, FLAT, block, isLast, table)).toEqual(
              resultOf(scanner, FLAT, block, isLast, table),
            );
          }
        },
      ),
      { numRuns: 400 * RUNS },
    );
  });

  /** Rows that have a cell for each of the header, and now and then some that have not. */
  const rowsOf = (cellCount: number, delimiter: string) => {
    const isPlain = (text: string) => !/["\n\r]/.test(text) && !text.includes(delimiter);
    const short = fc.constantFrom('', 'a', '7', 'US-WA', 'h "i"', 'n\0o', 'v\vw', '\u00e9');
    const plain = fc.oneof(
      short,
      value.map((text) => (isPlain(text) ? text : 'x')),
    );
    const odd = fc.constantFrom('""', '"d ""e"""', '"f\ng"', '"h\r\ni"', `"j${delimiter}k"`, '"m"n', '"');
    const regular = fc.array(plain, { minLength: cellCount, maxLength: cellCount });
    const cells = fc.oneof(
      { weight: 30, arbitrary: regular },
      { weight: 3, arbitrary: fc.array(plain, { maxLength: cellCount }) },
      { weight: 2, arbitrary: fc.tuple(regular, fc.array(short, { maxLength: 9 })).map((parts) => parts.flat()) },
      {
        weight: 3,
        arbitrary: fc.tuple(regular, odd, fc.nat()).map(([row, one, at]) => row.with(at % cellCount, one)),
      },
      {
        weight: 3,
        arbitrary: fc
          .array(plain, { minLength: cellCount - 1, maxLength: cellCount + 2 })
          .map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`)),
      },
      { weight: 1, arbitrary: fc.integer({ min: 290, max: 310 }).map((length) => ['l'.repeat(length)]) },
    );
    const end = fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\r\n\r\n');
    // of most blocks, the same for all rows
    const ends = fc.oneof(
      end.map((one) => [one]),
      fc.array(end, { minLength: 1, maxLength: 5 }),
    );
    return fc
      .tuple(fc.array(cells, rowCount), ends)
      .map(([rows, all]) => rows.map((row, index) => row.join(delimiter) + all[index % all.length]).join(''));
  };

  test.each([
    { header: ['id', 'mail', 'ifa', 'hash', 'uid2', 'mail'], delimiter: ',', mapping: FLAT },
    { header: ['mail', 'x', 'y', 'uid2', 'hash', 'ifa'], delimiter: ';', mapping: FLAT },
    { header: ['mail', 'uid2', 'hash', 'ifa'], delimiter: '\t', mapping: FLAT },
    { header: ['ifa', ...'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'], delimiter: '|', mapping: IFA },
    { header: ['a', 'ifa'], delimiter: ':', mapping: IFA },
    { header: ['ifa'], delimiter: ',', mapping: IFA },
  ])('CSV, most rows of which are regular: $header.length cells and $delimiter', ({ header, delimiter, mapping }) => {
    const scanners = [0x22, NO_QUOTE].map((quote) => {
      const style = { delimiter: delimiter.charCodeAt(0), quote };
      const layout = layoutOf(Buffer.from(`${header.join(delimiter)}\n`), style, mapping);
      return [new CsvBatchScanner(layout, 300), new CsvScanner(layout, 300)] as const;
    });
    fc.assert(
      fc.property(
        rowsOf(header.length, delimiter),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(40),
        fc.boolean(),
        fc.nat(1),
        (rows, times, missing, isLast, which) => {
          const whole = Buffer.from(rows.repeat(times), 'utf8');
          const block = whole.subarray(0, Math.max(0, whole.length - missing));
          const table = tables[which] ?? plainTable();
          for (const [batches, scanner] of scanners) {
            expect(resultOf(batches, mapping, block, isLast, table)).toEqual(
              resultOf(scanner, mapping, block, isLast, table),
            );
          }
        },
      ),
      { numRuns: 150 * RUNS },
    );
  });

  test('NDJSON', () => {
    const odd = fc.constantFrom(
      '{',
      '[1,]',
      '{"mail":"a@b.co"',
      'nul',
      '01',
      '"\\x"',
      '"\u0001"',
      '{"ifa":1}x',
      '-',
      '1e',
      '1.',
      '"\\u12g4"',
      '{,}',
      '{"a" 1}',
    );
    const text = value.map((one) => JSON.stringify(one));
    const leaf = fc.oneof(
      { weight: 6, arbitrary: text },
      fc.constantFrom(
        'null',
        'true',
        'false',
        '0',
        '-1.5e+7',
        '12E-2',
        '1234567890',
        '""',
        '"\\u0041\\n"',
        '[]',
        '{}',
        '[[{"ifa":"x"}],2]',
      ),
      odd,
    );
    const member = fc
      .tuple(fc.constantFrom('mail', 'ifa', 'x', 'hash', 'uid2', 'm\\u0061il', 'mailx', 'mai', 'i\\fa', 'é'), leaf)
      .map(([key, one]) => `"${key}":${one}`);
    const spoilt = odd.map((one) => `{"ifa":"${VALUES[21]}","y":${one}}`);
    const space = fc.constantFrom('', '', '', ' ', '\t', '\r', '  ');
    const object = fc
      .tuple(fc.array(member, { maxLength: 4 }), space)
      .map(([members, gap]) => `{${gap}${members.join(`${gap},${gap}`)}${gap}}`);
    const nested = fc
      .tuple(object, fc.constantFrom('x', 'y', 'mail'), fc.array(member, { maxLength: 3 }), fc.boolean())
      .map(
        ([inner, key, members, isArray]) =>
          `{${[...members, `"${key}":${isArray ? `[${inner},${inner}]` : inner}`].join(',')}}`,
      );
    const row = fc
      .oneof(
        { weight: 5, arbitrary: object },
        { weight: 2, arbitrary: spoilt },
        { weight: 3, arbitrary: nested },
        leaf,
        space,
        odd,
      )
      .map((one) => `${one}\n`);
    const root = pathTree(MAPPING);
    const scanner = new NdjsonScanner(root, 400);
    const batches = new NdjsonBatchScanner(root, 400);
    fc.assert(
      fc.property(
        fc.array(row, rowCount),
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(1),
        (rows, isLast, times, which) => {
          const whole = rows.join('').repeat(times);
          const block = Buffer.from(isLast ? whole.slice(0, -1) : whole, 'utf8');
          const table = tables[which] ?? plainTable();
          expect(resultOf(batches, MAPPING, block, isLast, table)).toEqual(
            resultOf(scanner, MAPPING, block, isLast, table),
          );
        },
      ),
      { numRuns: 600 * RUNS },
    );
  });

  test('NDJSON whose rows are like those before, or nearly', () => {
    const lengths = fc.constantFrom(0, 1, 5, 13, 14, 15, 16, 17, 29, 31, 32, 33, 45, 47, 48, 49, 62, 63, 64, 65, 130);
    const plain = fc
      .tuple(fc.constantFrom('abcdefghij0123456789-é.', 'bnrt/fu', 'x y'), lengths)
      .map(([letters, length]) => letters.repeat(length).slice(0, length));
    const escaped = fc.constantFrom('\\n', '\\"', '\\\\', '\\/', '\\u00e9', '\\ud83d\\ude00', '\\u00g9', '\\x', '\\');
    const withEscape = fc.tuple(plain, escaped, plain).map((parts) => parts.join(''));
    const text = fc
      .oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: withEscape })
      .map((one) => `"${one}"`);
    const id = value.map((one) => JSON.stringify(one));
    const digits = fc
      .constantFrom(1, 2, 14, 15, 16, 17, 30, 31, 32, 33)
      .map((count) => '1234567890'.repeat(4).slice(0, count));
    const number = fc.oneof(
      digits,
      fc.tuple(digits, digits).map((parts) => parts.join('.')),
      fc.tuple(fc.constantFrom('-', '0.', '-0.', '1e', '2.5E-', '-7e+'), digits).map((parts) => parts.join('')),
      fc.constantFrom('0', '-0', '0.0'),
      fc.constantFrom('--1', '-', '01', '-01', '1.', '.5', '1.e5', '1e', '1e+', '+1', '1.2.3', '0x1', '1-', '1e5.5'),
    );
    const word = fc.constantFrom('true', 'false', 'null', 'true', 'false', 'null', 'nul', 'falsy', 'truee');
    const seen = fc.nat(1e9).map((second) => `"${new Date(1.7e12 + 1000 * second).toISOString()}"`);
    const letters = fc
      .string({ unit: fc.constantFrom('b', 'n', 'r'), minLength: 12, maxLength: 12 })
      .map((one) => `"${one}"`);
    const maid = uuid.map((one) => `"${one}"`);
    const kinds = { text, id, number, word, seen, letters, maid } as const;
    const kind = fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]));
    const key = fc.constantFrom('ifa', 'mail', 'uid2', 'x', 'a', 'é', 'state', 'a key of more than 16 bytes', 'i\\fa');
    const part = fc.oneof(
      { weight: 8, arbitrary: fc.tuple(key, kind).map(([name, type]) => ({ before: `"${name}":`, type, after: '' })) },
      fc.tuple(key, kind).map(([name, type]) => ({ before: `"${name}" : `, type, after: ' ' })),
      fc.tuple(kind).map(([type]) => ({ before: '"x":{"hash":', type, after: '}' })),
      fc.tuple(kind).map(([type]) => ({ before: '"x":{"y":[{"z":[', type, after: ']}]}' })),
      fc.tuple(kind).map(([type]) => ({ before: '"e":[],"o":{},"x":[1,', type, after: ',{"ifa":null}]' })),
    );
    const shape = fc.tuple(fc.array(part, { minLength: 1, maxLength: 6 }), fc.constantFrom('\n', '\n', '\r\n', ' \n'));
    /** A row of the shape, whose values are good ones, or any. */
    const rowOf = ([parts, end]: readonly [
      readonly { before: string; type: keyof typeof kinds; after: string }[],
      string,
    ]) =>
      fc
        .tuple(
          ...parts.map(({ type }) =>
            fc.oneof({ weight: 12, arbitrary: kinds[type] }, fc.oneof(...Object.values(kinds))),
          ),
        )
        .map((values) => {
          const members = parts.map(({ before, after }, index) => before + values[index] + after);
          return Buffer.from(`{${members.join(',')}}${end}`);
        });
    const byte = fc.oneof(
      fc.constantFrom(...Buffer.from('"\\{}[],: \t\n\r\0\x1f\x7f019eE.-+tn'), 0x80, 0xff),
      fc.nat(255),
    );
    const change = fc.record({ at: fc.nat(), byte, cutCount: fc.nat(2), isLonger: fc.boolean() });
    const changed = (
      row: Buffer,
      { at, byte: other, cutCount, isLonger }: { at: number; byte: number; cutCount: number; isLonger: boolean },
    ) => {
      const from = at % row.length;
      return Buffer.concat([
        row.subarray(0, from),
        Buffer.from(isLonger ? [other] : []),
        row.subarray(from + cutCount),
      ]);
    };
    const isJson = (row: Buffer) => {
      try {
        JSON.parse(row.toString());
        return true;
      } catch {
        return false;
      }
    };
    const input = shape.chain((one) =>
      fc.record({
        rows: fc.array(rowOf(one), { minLength: 12, maxLength: 40 }),
        changes: fc.array(fc.option(change, { freq: 1 }), { maxLength: 40 }),
        endCut: fc.nat(40),
        isLast: fc.boolean(),
      }),
    );
    const root = pathTree(MAPPING);
    const scanner = new NdjsonScanner(root, 400);
    const batches = new NdjsonBatchScanner(root, 400);
    const table = plainTable();
    fc.assert(
      fc.property(input, ({ rows, changes, endCut, isLast }) => {
        // first rows that are read, again and again: a template is made of them
        const like = Buffer.concat(rows.filter(isJson));
        for (let times = 0; times < 3; times++) {
          expect(resultOf(batches, MAPPING, like, false, table)).toEqual(
            resultOf(scanner, MAPPING, like, false, table),
          );
        }
        const near = rows.map((row, index) => {
          const one = changes[index];
          return one ? changed(row, one) : row;
        });
        const block = Buffer.concat(near);
        const cut = block.subarray(0, Math.max(0, block.length - endCut));
        expect(resultOf(batches, MAPPING, cut, isLast, table)).toEqual(resultOf(scanner, MAPPING, cut, isLast, table));
      }),
      { numRuns: 500 * RUNS },
    );
  });

  test('NDJSON rows that are nearly like those before', () => {
    const [first = '', ...more] = [21, 20, 18].map((index) => VALUES[index] ?? ''); // the first has not opted out
    const row = (number: string, text: string, id: string, letters: string) =>
      `{"n":${number},"a key of more than 16 bytes":"${text}","ifa":"${id}","t":"${letters}"}\n`;
    const like = Array.from({ length: 20 }, (_, index) =>
      row(String(index), `bnrt${'/'.repeat(index)}`, more[index % more.length] ?? first, 'bnrtbnrtbnrt'),
    );
    const usual = row('1', 'bnrt', first, 'bnrtbnrtbnrt');
    const near = [
      ...['1\\n2', '1\\n', '\\n1', '-', '', '"1"', 'null', '1 ', '[1]'].map((one) =>
        row(one, 'bnrt', first, 'bnrtbnrtbnrt'),
      ),
      ...['bn\x01nrt', 'bn\x01', '\x1f', 'b\\n', '\\n', '\\', '\\\\', '\\u00e', '\\u00e9', 'b"n', '"', '","x":"'].map(
        (one) => row('1', one, first, 'bnrtbnrtbnrt'),
      ),
      ...['bnrtbn\x01nbnrt', 'bnrtbn\\nbnrt', 'bnrt","b":"n', 'bnrtbnrtbn"t', 'bnrtbnrtbnr', 'bnrtbnrtbnrtb', ''].map(
        (one) => row('1', 'bnrt', first, one),
      ),
      ...[
        `${first.slice(0, 20)}","x":"${first.slice(27)}`,
        `${first.slice(0, 20)}","ifa":"${first.slice(29)}`,
        first.slice(1),
      ].map((one) => row('1', 'bnrt', one, 'bnrtbnrtbnrt')),
      row('1', 'bnrt', first.replace('-', '\\u002d'), 'bnrtbnrtbnrt'),
      row('1', 'bnrt', `\x00${first.slice(1)}`, 'bnrtbnrtbnrt'),
      ...[' than', ' \\nthan', '\tthan', 'than'].map((one) => usual.replace(' than', one)),
      ...['\\n', '\\', ' ', '{', '\n', ','].flatMap((one) => [one + usual, usual.slice(0, -1) + one + usual.slice(-1)]),
      usual.replace('"t"', '"ifa"'),
      usual.replace('"n":1', `"ifa":"${first}"`),
      usual.replace('"ifa"', '"ifb"'),
      usual.replace('"ifa"', '"t"').replace('"t":"b', '"ifa":"b'),
    ];
    const root = pathTree(MAPPING);
    const scanner = new NdjsonScanner(root, 400);
    const batches = new NdjsonBatchScanner(root, 400);
    const table = plainTable();
    for (const one of near) {
      for (const rows of [like, like, [...like, one, usual], [one, ...like]]) {
        const block = Buffer.from(rows.join(''), 'latin1');
        expect(resultOf(batches, MAPPING, block, false, table)).toEqual(
          resultOf(scanner, MAPPING, block, false, table),
        );
      }
    }
  });

  test('NDJSON that is in order is left to nobody, whether its rows are alike or not', () => {
    const kernel = RowKernel.ofNdjson(new PathTree(pathTree(MAPPING)));
    const ids = Array.from({ length: 1500 }, (_, row) => `${String(row).padStart(8, '0')}-8246-4ba4-ae5b-76104861e7dc`);
    const rows = (note: (row: number) => string) =>
      ids.map((id, row) => `{"n":${row / 8},"ifa":"${id}",${note(row)}}\n`);
    for (const lines of [
      rows((row) => `"t":"${'t'.repeat(row % 70)}"`),
      rows((row) => `"${row}":[{"a\\n":-1e5},true]`),
    ]) {
      const block = Buffer.from(lines.join(''));
      kernel.beginNdjson(block, block.length);
      for (let done = 0, count = 0; done < ids.length; done += count) {
        count = kernel.nextNdjsonRows(1000);
        const batch = Array.from({ length: count }, (_, row) => row);
        const cells = batch.map((row) => block.toString('latin1', kernel.cellFrom(0, row), kernel.cellTo(0, row)));
        expect(count).toBe(Math.min(512, ids.length - done));
        expect(batch.filter((row) => kernel.isOther(row))).toEqual([]);
        expect(cells).toEqual(ids.slice(done, done + count));
      }
    }
  });

  test.each([1, 7, 15, 16, 17, 31, 32, 33])('NDJSON with a wanted key of %i bytes, and others like it', (length) => {
    const key = 'abcdefghijklmnopqrstuvwxyz0123456789'.slice(0, length);
    const others = [...key].map((_, at) => `${key.slice(0, at)}#${key.slice(at + 1)}`);
    const rows = [key, ...others, `${key}#`, key.slice(1), key].map((one) => `{"${one}":"${VALUES[21]}"}\n`);
    const mapping = parseMapping({ maid: ['other', key] });
    const block = Buffer.from(rows.join(''));
    const found = resultOf(new NdjsonBatchScanner(pathTree(mapping), 400), mapping, block, false, plainTable());
    expect(found).toEqual(resultOf(new NdjsonScanner(pathTree(mapping), 400), mapping, block, false, plainTable()));
    expect(found.prints.length).toBeGreaterThan(0);
  });

  test('a row that is deep, and one in the last block that has no line end', () => {
    const root = pathTree(MAPPING);
    const deep = (depth: number) => `{"ifa":"${VALUES[18]}","y":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    const block = Buffer.from([deep(30), deep(31), deep(32), deep(900), deep(1001), deep(1)].join('\n'));
    const found = resultOf(new NdjsonBatchScanner(root, 5000), MAPPING, block, true, plainTable());
    expect(found).toEqual(resultOf(new NdjsonScanner(root, 5000), MAPPING, block, true, plainTable()));
    expect(found.output).toBe('');
  });
});
