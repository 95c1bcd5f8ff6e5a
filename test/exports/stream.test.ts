/**
 * Streams: cut anywhere, read only as they are taken, bounded in memory, and refused with the line where they cannot be read.
 * @module
 */
import { afterAll, describe, expect, test } from 'vitest';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL } from '../../src/core/vocabulary.js';
import {
  type FilterOptions,
  filterRows,
  fingerprintsOf,
  parseMapping,
  ROW_BYTES_MAX,
} from '../../src/exports/index.js';
import { HEADER_BYTES_MAX, threadsBytesMinFor } from '../../src/exports/limits.js';
import { naiveCsv } from '../reference/naive-filter.js';
import { filter, naiveOptions, optedOutTable, pieces, termsOf, VALUES } from './people.js';
import { heldBack, threadsReady } from './ready-threads.js';

const table = optedOutTable();
const mapping = parseMapping('email=mail,maid=ifa');
const csv = { table, terms: termsOf(), format: 'csv', mapping } satisfies FilterOptions;
const OUT = 'zoë@bücher.example';
const MAID = '7a0b1c2d-8246-4ba4-ae5b-76104861e7dc';

/** A file with all that is awkward; lines 2 to 10. */
const AWKWARD = Buffer.from(
  [
    '\ufeffid,"mail",note,ifa',
    `1,jane@example.com,"two\nlines, and ""quotes""",${MAID}`,
    `2,${OUT},"dropped\r\nin the middle",`,
    '',
    `3," JANE.doe+news@gmail.com ",,`,
    `4,jane@example.com`,
    `5,"jane""s@example.com"\r`,
    `6,,\0,${MAID.toUpperCase()},more,cells`,
    '7,n/a,,',
    `8,jane@example.com,no line end`,
  ].join('\n'),
);

test('the pieces a file comes in make no difference, wherever they are cut', async () => {
  const naive = naiveCsv(AWKWARD, ',', naiveOptions(mapping));
  if (typeof naive === 'string') throw new Error('expected a file that ends');
  const whole = naive.output.toString();
  expect(whole).toContain('two\nlines');
  expect(whole).not.toContain('dropped');
  for (let cut = 0; cut <= AWKWARD.length; cut++) {
    const twoPieces = pieces(
      AWKWARD,
      [cut, AWKWARD.length].filter((size) => size > 0),
    );
    const { output, counts } = await filter(twoPieces, { ...csv, blockBytes: 1 + (cut % 97) });
    expect(output.toString(), `cut at ${cut}`).toBe(whole);
    expect(counts).toMatchObject({
      rowsIn: 8,
      rowsKept: 3,
      droppedSuppressed: 2,
      droppedUnidentifiable: 2,
      droppedUnreadable: 1,
    });
  }
});

describe('what cannot be read ends in an error that names line and column, and never what is in the file', () => {
  const lines = (count: number) => `id,mail,ifa\n${'1,jane@example.com,"a\nb"\n'.repeat(count)}`;

  test.each([
    ['a row over the limit', `${lines(3)}2,${'x'.repeat(200)}\n3,y@example.com,`, {}, 'row.too_long', 8],
    ['a row over the limit that is quoted over many lines', `${lines(3)}2,"${'x\n'.repeat(90)}`, {}, 'row.too_long', 8],
    ['a quoted cell that never ends', `${lines(2)}2,"${'x\n'.repeat(30)}`, {}, 'row.quote_open', 6],
    [
      'a stray quote, which takes rows up to the next',
      `${lines(2)}2,a@x.com,"Joe\n3,${OUT},Ann\n4,b@x.com,"Bob"\n`,
      {},
      'row.quote_misplaced',
      6,
    ],
    [
      'the same in a cell that nobody maps',
      `${lines(2)}2,,,"Joe\n3,${OUT},Ann\n4,b@x.com,"Bob"\n`,
      {},
      'row.quote_misplaced',
      6,
    ],
    [
      'a row that names nobody, where that is to fail',
      `${lines(2)}2,n/a,\n`,
      { onUnidentifiable: 'fail' },
      'row.unidentifiable',
      6,
    ],
  ] as const)('%s', async (_, text, options, code, line) => {
    for (const blockBytes of [1, 7, 64, 1000]) {
      const filtering = filter(pieces(Buffer.from(text), [50]), { ...csv, rowBytesMax: 100, blockBytes, ...options });
      await expect(filtering, `blocks of ${blockBytes}`).rejects.toMatchObject({ name: 'RowError', code, line });
    }
  });

  test('what cannot be read is no row that names nobody: it fails, or is dropped and counted, and is never kept', async () => {
    const lines = [
      '{"mail":"jane@example.com"}',
      '{"note":1}',
      '{"mail":"jane@example.com"',
      'jane@example.com',
      '[]',
      '',
    ];
    const input = Buffer.from(lines.join('\n'));
    const run = (onUnidentifiable: 'keep' | 'drop' | 'fail', text = input) =>
      filter(pieces(text, [20]), { ...csv, format: 'ndjson', onUnidentifiable });
    const kept = await run('keep');
    expect(kept.output.toString()).toBe(`${lines[0]}\n${lines[1]}\n${lines[4]}\n`);
    expect(kept.counts).toMatchObject({ rowsIn: 5, rowsKept: 3, keptUnidentifiable: 2, droppedUnreadable: 2 });
    const dropped = await run('drop');
    expect(dropped.output.toString()).toBe(`${lines[0]}\n`);
    expect(dropped.counts).toMatchObject({
      rowsKept: 1,
      keptUnidentifiable: 0,
      droppedUnidentifiable: 2,
      droppedUnreadable: 2,
    });
    const failing = run('fail', Buffer.from(`${lines[0]}\n${lines[2]}\n`));
    await expect(failing).rejects.toMatchObject({ code: 'row.unreadable', line: 2 });
  });

  test('a cell with several identifiers is none that can be looked up', async () => {
    const mapping = parseMapping('email=mail,phone=tel');
    const row = (mail: string, tel: string) => `"${mail}","${tel}"\n`;
    const lists = [
      row(`jane@example.com;${OUT}`, ''),
      row(`jane@example.com, ${OUT}`, ''),
      row(`jane@example.com ${OUT}`, ''),
      row('jane@example.com|+14155552671', ''),
      row('', '212-555-0199; 415-555-2671'),
      row('', '2125550199 4155552671'),
      row('', '+1 212 555 0199/+1 415 555 2671'),
    ];
    const input = Buffer.from(`mail,tel\n${lists.join('')}${row('jane@example.com', '212-555-0199')}`);
    const { output, counts } = await filter(pieces(input, [50]), { ...csv, mapping });
    expect(output.toString()).toBe(`mail,tel\n${row('jane@example.com', '212-555-0199')}`);
    expect(counts).toMatchObject({ rowsKept: 1, droppedUnidentifiable: lists.length });
  });

  test('a limit over which positions do not fit is refused by its name', () => {
    expect(() => filterRows(pieces(AWKWARD, [50]), { ...csv, rowBytesMax: 2 ** 25 + 1 })).toThrow(/^rowBytesMax: /);
  });

  test('a row of just the limit is read', async () => {
    const text = `mail,ifa\r\n${'x'.repeat(84)}@example.com,${'y'.repeat(3)}\r\n`;
    for (let blockBytes = 95; blockBytes < 105; blockBytes++) {
      const { counts } = await filter(pieces(Buffer.from(text), [1]), { ...csv, rowBytesMax: 100, blockBytes });
      expect(counts.rowsKept).toBe(1);
      const filtering = filter(pieces(Buffer.from(text), [1]), { ...csv, rowBytesMax: 99, blockBytes });
      await expect(filtering).rejects.toMatchObject({ code: 'row.too_long', line: 2 });
    }
  });

  test('rows of JSON: a row over the limit', async () => {
    const options = { ...csv, format: 'ndjson', rowBytesMax: 100, blockBytes: 30 } as const;
    const text = `{"mail":"jane@example.com"}\n\n{"mail":"${'x'.repeat(100)}"}\n`;
    await expect(filter(pieces(Buffer.from(text), [9]), options)).rejects.toMatchObject({
      code: 'row.too_long',
      line: 3,
    });
  });

  test.each([
    ['a column that is not there', 'id,email,ifa\n', 'column.missing', 'mail'],
    ['a header with the line ends of another row in it', 'id\nmail,ifa\n', 'column.missing', 'mail'],
    ['no header', '', 'header.missing', ''],
    ['an empty first line', '\nmail,ifa\n', 'header.missing', ''],
    ['a header that is not UTF-8', 'mail,ifa,\xff\n', 'header.not_utf8', ''],
    ['a header with text behind a closing quote', '"mail" x,ifa\n', 'row.quote_misplaced', ''],
    ['the same in a column that nobody maps', 'mail,ifa,"a"b\n', 'row.quote_misplaced', ''],
    ['a header that opens a quote and never ends', 'mail,ifa,"a\n1@x.com,\n', 'row.quote_open', ''],
  ])('%s', async (_, text, code, detail) => {
    const filtering = filter(pieces(Buffer.from(text, 'latin1'), [40]), { ...csv, rowBytesMax: 100 });
    await expect(filtering).rejects.toMatchObject({ code, line: 1, message: expect.stringContaining(detail) });
  });

  describe('a header', () => {
    const headerOf = (byteCount: number) => `mail,ifa,${'x'.repeat(byteCount - 10)}\n`;
    const run = (text: string, size: number) =>
      filter(pieces(Buffer.from(`${text}jane@example.com,\n`), [size]), {
        ...csv,
        mapping: parseMapping('email=mail'),
      });

    test.each([1000, 65_536, 2 ** 22])('of the limit is read, and no longer one, in pieces of %i', async (size) => {
      expect((await run(headerOf(HEADER_BYTES_MAX), size)).counts.rowsKept).toBe(1);
      await expect(run(headerOf(HEADER_BYTES_MAX + 1), size)).rejects.toMatchObject({
        code: 'header.too_long',
        line: 1,
        message: expect.stringContaining('HEADER_BYTES_MAX'),
      });
    });

    test('may come in pieces whose memory is written to again', async () => {
      async function* lent() {
        const memory = Buffer.alloc(7);
        const text = Buffer.from(`mail,"more of\nit",ifa\njane@example.com,x,\n`);
        for (let at = 0; at < text.length; at += memory.length) {
          yield memory.subarray(0, text.copy(memory, 0, at, at + memory.length));
          memory.fill('!');
        }
      }
      const { output } = await filter(lent(), { ...csv, mapping: parseMapping('email=mail') });
      expect(output.toString()).toBe('mail,"more of\nit",ifa\njane@example.com,x,\n');
    });

    test('in single bytes takes no longer than twice as many times as it is long', async () => {
      const timeOf = async (byteCount: number) => {
        const startMs = performance.now();
        expect((await run(headerOf(byteCount), 1)).counts.rowsKept).toBe(1);
        return performance.now() - startMs;
      };
      await timeOf(1_000);
      expect(await timeOf(200_000)).toBeLessThan(10 * (await timeOf(50_000)) + 500);
    });
  });

  test('a line of 50 MB against the limit, in little memory', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    let pieceCount = 0;
    async function* endless() {
      yield Buffer.from('id,mail,ifa\n1,jane@example.com,\n2,');
      for (; pieceCount < 50; pieceCount++) yield megabyte;
    }
    const filtering = filter(endless(), csv);
    await expect(filtering).rejects.toMatchObject({
      code: 'row.too_long',
      line: 3,
      message: expect.stringContaining(`${ROW_BYTES_MAX}`),
    });
    expect(pieceCount).toBeLessThan(40);
  });

  test('an input that fails: the output ends with its error, and so does done', async () => {
    async function* failing() {
      yield Buffer.from('mail,ifa\njane@example.com,\n');
      throw new Error('the disk is gone');
    }
    const { output, done } = filterRows(failing(), csv);
    await expect(
      (async () => {
        for await (const _ of output);
      })(),
    ).rejects.toThrow('the disk is gone');
    await expect(done).rejects.toThrow('the disk is gone');
  });
});

test('nothing is read before the output is, nor much further than it, and the input is let go of when the reader leaves', async () => {
  let taken = 0;
  let isClosed = false;
  async function* counted() {
    try {
      yield Buffer.from('mail,ifa\n');
      for (; taken < 1000; taken++) yield Buffer.from(`user${taken}@example.com,\n`.repeat(20));
    } finally {
      isClosed = true;
    }
  }
  const { output, done } = filterRows(counted(), { ...csv, blockBytes: 1000 });
  expect(taken).toBe(0);
  const iterator = output[Symbol.asyncIterator]();
  for (let turn = 1; turn < 20; turn++) {
    expect((await iterator.next()).done).toBe(false);
    expect(taken).toBeLessThanOrEqual(4 * turn);
  }
  await iterator.return?.();
  expect(isClosed).toBe(true);
  await expect(done).rejects.toMatchObject({ code: 'output.abandoned' });
});

test('a row is judged by the table as it is when the row is read', async () => {
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 10, seed: 3n, epoch: 'live' }) });
  const email = (index: number) => `user${index}@example.com`;
  async function* slowly() {
    yield Buffer.from('mail,ifa\n');
    for (let index = 0; index < 6; index++) {
      if (index === 3) enterIdentifier(holder, { kind: 'email', value: email(4) }, RIGHTS_ALL);
      if (index === 4) holder.replace(optedOutTable());
      yield Buffer.from(`${email(index === 5 ? 4 : index)},\n${OUT},\n`);
    }
  }
  const { output } = await filter(slowly(), { ...csv, table: holder, blockBytes: 20 });
  const rows = output.toString().split('\n');
  expect(rows.filter((row) => row.startsWith(OUT)).length).toBeGreaterThan(2);
  expect(rows.filter((row) => row.startsWith(OUT)).length).toBeLessThan(6);
  await expect(filter(slowly(), { ...csv, table: new TableHolder() })).rejects.toMatchObject({
    code: 'table.not_loaded',
  });
});

test('the rights that the terms name keep a row back, and no others', async () => {
  const file = Buffer.from('mail,ifa\nout@example.com,\ndrop@example.org,\n');
  const left = async (mask: number) =>
    (await filter(pieces(file, [9]), { ...csv, terms: termsOf(mask) })).counts.rowsKept;
  expect([await left(0b1), await left(0b1000), await left(0b100), await left(RIGHTS_ALL)]).toEqual([1, 1, 2, 0]);
});

test('fingerprints of the rows that left, found again by any spelling of who they were', async () => {
  const seen: bigint[] = [];
  const rows = ['Jane@Example.com,', `${OUT},`, `,${MAID.toUpperCase()}`, 'n/a,', 'john.smith@gmail.com,'];
  for (const blockBytes of [5, 1000]) {
    seen.length = 0;
    await filter(pieces(Buffer.from(`mail,ifa\n${rows.join('\n')}\n`), [7]), {
      ...csv,
      blockBytes,
      onFingerprints: (fingerprints) => seen.push(...fingerprints),
    });
    const found = (kind: Parameters<typeof fingerprintsOf>[0]['kind'], value: string) => {
      const own = fingerprintsOf({ kind, value }, table.seed);
      return seen.filter((fingerprint) => own.includes(fingerprint)).length;
    };
    expect(found('email', 'jane@example.com ')).toBe(1);
    expect(found('email_sha256', '8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d')).toBe(1);
    expect(found('email', OUT)).toBe(0);
    expect(found('maid', MAID)).toBe(1);
    expect(found('email', 'johnsmith@gmail.com')).toBeGreaterThan(0);
    expect(seen.length).toBe(4);
  }
});

test('a row with something in more cells than the header has is read by nobody; with nothing in them it is', async () => {
  const rows = [
    '1,a@example.com,x',
    '2,a@example.com,x,',
    '3,a@example.com,x,,"",',
    `4,"Doe, Jane",b@example.com`,
    '5,a,b@example.com,x,y',
  ];
  const file = Buffer.from(`id,mail,note\n${rows.join('\n')}\n`);
  const options = { ...csv, mapping: parseMapping('email=mail'), onUnidentifiable: 'keep' } as const;
  const { output, counts } = await filter(pieces(file, [64]), options);
  expect(output.toString()).toBe(`id,mail,note\n${[rows[0], rows[1], rows[3]].join('\n')}\n`);
  expect(counts).toMatchObject({ rowsKept: 3, keptUnidentifiable: 1, droppedUnreadable: 2 });
  const failing = filter(pieces(file, [64]), {
    ...options,
    onUnidentifiable: 'fail',
    mapping: parseMapping('email=mail|note'),
  });
  await expect(failing).rejects.toMatchObject({ code: 'row.unreadable', line: 4 });
});

test('with no quotes, a quote is a character like others, wherever it stands', async () => {
  const rows = [
    '"1\tjane@example.com\t"5 inches" wide',
    '2\t"jane@example.com"\t',
    `3\t${OUT}\t"`,
    '4\tjane@example.com\t""',
  ];
  const file = Buffer.from(`"id\tmail\tnote\n${rows.join('\n')}\n`);
  const options = { ...csv, format: 'tsv', mapping: parseMapping('email=mail'), quote: 'none' } as const;
  for (const mode of ['drop', 'blank'] as const) {
    const { output } = await filter(pieces(file, [64]), { ...options, mode });
    const blanked = mode === 'blank' ? ['3\t\t"'] : [];
    expect(output.toString()).toBe(`"id\tmail\tnote\n${[rows[0], ...blanked, rows[3]].join('\n')}\n`);
  }
  await expect(filter(pieces(file, [64]), { ...options, quote: 'double' })).rejects.toMatchObject({
    code: 'row.quote_misplaced',
  });
  expect(() => filterRows(pieces(file, [64]), { ...options, format: 'ndjson' })).toThrow(/^quote: /);
});

describe('on other threads', () => {
  const rows = Array.from({ length: 4000 }, (_, index) => {
    const note = index % 3 === 0 ? `"a\nb, ""${index}"""` : `note ${index}`;
    return `${index},${VALUES[(index * 7) % VALUES.length]},${note},${VALUES[(index * 5) % VALUES.length]}`;
  });
  const file = Buffer.from(`id,mail,note,ifa\n${rows.join('\n')}`);
  const naive = naiveCsv(file, ',', naiveOptions(mapping));
  if (typeof naive === 'string') throw new Error('expected a file that ends');
  const { output: expected, ...counts } = naive;

  test.each([300, 5000, 30_000])(
    'the same leaves, in order, with line ends in cells and blocks of %i bytes',
    async (blockBytes) => {
      const prints: bigint[] = [];
      const onFingerprints = (some: BigUint64Array) => prints.push(...some);
      const { output, counts: found } = await filter(heldBack(pieces(file, [777]), file.length / 2, threadsReady(2)), {
        ...csv,
        threads: 3,
        threadsBytesMin: 2000,
        blockBytes,
        onFingerprints,
      });
      expect(output.equals(expected)).toBe(true);
      expect(found).toEqual({ ...counts, bytesIn: file.length, bytesOut: expected.length });
      const alone: bigint[] = [];
      await filter(pieces(file, [777]), { ...csv, onFingerprints: (some) => alone.push(...some) });
      expect(prints.sort()).toEqual(alone.sort()); // those of a block come in any order
    },
  );

  test('none is started for a file that is short', async () => {
    let startedCount = 0;
    const onWorker = () => startedCount++;
    process.on('worker', onWorker);
    try {
      await filter(pieces(file, [777]), { ...csv, threads: 3, blockBytes: 5000, threadsBytesMin: file.length + 1 });
      expect(startedCount).toBe(0);
      await filter(pieces(file, [777]), { ...csv, threads: 3, blockBytes: 5000, threadsBytesMin: file.length - 5000 });
      expect(startedCount).toBe(2); // and this one
    } finally {
      process.off('worker', onWorker);
    }
  });

  test('they are started later where there is no core beside them', () => {
    expect(threadsBytesMinFor(2, 4)).toBe(64 * 1024 * 1024);
    expect(threadsBytesMinFor(2, 2)).toBe(1024 * 1024 * 1024);
    expect(threadsBytesMinFor(8, 2)).toBe(1024 * 1024 * 1024);
  });

  test('errors have the same line', async () => {
    const broken = Buffer.concat([file, Buffer.from(`\n1,"${'x\n'.repeat(900)}`)]);
    const lineCount = file.toString().split('\n').length;
    const filtering = filter(pieces(broken, [4096]), { ...csv, threads: 2, threadsBytesMin: 2000, blockBytes: 900 });
    await expect(filtering).rejects.toMatchObject({ code: 'row.quote_open', line: lineCount + 1 });
    const long = filter(pieces(broken, [4096]), {
      ...csv,
      threads: 2,
      threadsBytesMin: 2000,
      blockBytes: 900,
      rowBytesMax: 1000,
    });
    await expect(long).rejects.toMatchObject({ code: 'row.too_long', line: lineCount + 1 });
  });

  test('a table that grows or is replaced is followed, and a reader who leaves ends the threads', async () => {
    const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 10, seed: 3n, epoch: 'live' }) });
    let taken = 0;
    async function* changing() {
      yield Buffer.from('mail,ifa\n');
      for (; taken < 400; taken++) {
        if (taken === 200) holder.replace(optedOutTable());
        yield Buffer.from(`${OUT},\n`.repeat(10));
      }
    }
    const { counts: live } = await filter(changing(), {
      ...csv,
      table: holder,
      threads: 2,
      threadsBytesMin: 2000,
      blockBytes: 500,
    });
    expect(live.rowsKept).toBeGreaterThan(1500);
    expect(live.droppedSuppressed).toBeGreaterThan(1500);
    taken = 0;
    const { output, done } = filterRows(changing(), {
      ...csv,
      threads: 2,
      threadsBytesMin: 2000,
      blockBytes: 500,
      terms: termsOf(0),
    });
    for await (const part of output) if (part.length > 100) break;
    await expect(done).rejects.toMatchObject({ code: 'output.abandoned' });
    expect(taken).toBeLessThan(100);
  });
});

afterAll(() => expect(table.entryCount).toBeGreaterThan(20));
