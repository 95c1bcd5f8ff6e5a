/**
 * Lists in which a row is a person: layouts as CRMs write them, and what a row cannot be.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { IdentifierRows } from '../../src/exports/identifier-rows.js';
import { parseMapping } from '../../src/exports/mapping.js';
import type { RowFormat } from '../../src/rows/rows.js';

interface Read {
  readonly rows: readonly (readonly [line: number, kind: unknown, value: unknown, place: string | null])[];
  readonly faults: readonly (readonly [line: number, message: string])[];
}

/** In pieces of so many bytes: where they are cut must not matter. */
async function read(
  text: string | Buffer,
  map: string,
  format: RowFormat,
  pieceBytes: number,
  rowBytesMax = 1000,
): Promise<Read> {
  const bytes = Buffer.from(text as string);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const faults: [number, string][] = [];
  const refuse = (line: number, _: string, message: string) => void faults.push([line, message]);
  const list = new IdentifierRows(pieces(), format, parseMapping(map), refuse, rowBytesMax);
  const rows: [number, unknown, unknown, string | null][] = [];
  for await (const { line, kind, value } of list.read()) if (kind !== null) rows.push([line, kind, value, list.place]);
  return { rows, faults };
}

/** The same however it is cut. */
async function readAll(
  text: string | Buffer,
  map: string,
  format: RowFormat = 'csv',
  rowBytesMax?: number,
): Promise<Read> {
  const whole = await read(text, map, format, 1 << 20, rowBytesMax);
  for (const pieceBytes of [1, 7]) expect(await read(text, map, format, pieceBytes, rowBytesMax)).toEqual(whole);
  return whole;
}

const NONE = 'none of the mapped places has a value';

describe('CSV', () => {
  test('several identifiers a row, each with its column; empty cells are none; other columns do not matter', async () => {
    const text =
      'first name,Email,Mobile,Phone\r\nJane,jane@a.example,+1415,+1416\r\nJoe, joe@a.example ,,\r\nAnn,,,\r\n\r\nX\r\n';
    expect(await readAll(text, 'email=Email,phone=Mobile|Phone')).toEqual({
      rows: [
        [2, 'email', 'jane@a.example', 'Email'],
        [2, 'phone', '+1415', 'Mobile'],
        [2, 'phone', '+1416', 'Phone'],
        [3, 'email', 'joe@a.example', 'Email'],
      ],
      faults: [
        [4, NONE],
        [6, NONE],
      ],
    });
  });

  test.each([
    ['semicolons', 'Name;E-Mail\nJ;"j@a.example"\n'],
    ['tabs', 'Name\tE-Mail\nJ\tj@a.example\n'],
    ['a byte order mark, quotes in the header, no last line end', '\ufeff"Na""me, first", E-Mail \nJ,j@a.example'],
    ['line breaks and delimiters in a quoted cell', 'Name,E-Mail\n"J, ""the""\nfirst\r\none",j@a.example\n'],
    ['line breaks in the header', '"Na\nme",E-Mail\nJ,j@a.example\n'],
  ])('%s', async (_, text) => {
    const { rows, faults } = await readAll(text, 'email=E-Mail');
    expect([rows.map(([, , value]) => value), faults]).toEqual([['j@a.example'], []]);
  });

  test('the line of a record is its first', async () => {
    const text = 'Note,E\n"a\nb",1@a.example\nc,2@a.example\n"d\n\n\ne",\nf,3@a.example\n';
    const { rows, faults } = await readAll(text, 'email=E');
    expect(rows.map(([line, , value]) => [line, value])).toEqual([
      [2, '1@a.example'],
      [4, '2@a.example'],
      [9, '3@a.example'],
    ]);
    expect(faults).toEqual([[5, NONE]]);
  });

  test('a name in another encoding costs nobody an opt-out; a mapped cell in one is told of', async () => {
    const latin1 = Buffer.from('Name,E\nJosé,jose@a.example\nx,jos\u00e9@a.example\n', 'latin1');
    const { rows, faults } = await readAll(latin1, 'email=E');
    expect(rows.map(([, , value]) => value)).toEqual(['jose@a.example']);
    expect(faults).toEqual([[3, 'a mapped cell is not UTF-8']]);
    const utf8 = await readAll('Adresse é,N\njosé@a.example,ü\n', 'email=Adresse é');
    expect(utf8.rows).toEqual([[2, 'email', 'josé@a.example', 'Adresse é']]);
  });

  test('a header that is twice there means both; one column may be two kinds', async () => {
    const { rows } = await readAll('E,E\n1@a.example,2@a.example\n', 'email=E,account:crm=E');
    expect(rows.map(([, kind, value]) => [kind, value])).toEqual([
      ['email', '1@a.example'],
      ['account:crm', '1@a.example'],
      ['email', '2@a.example'],
      ['account:crm', '2@a.example'],
    ]);
  });

  test.each([
    ['a column that is not there', 'Name,Mail\nJ,j@a.example\n', /line 1: expected a column "E"/],
    ['nothing', '', /header/],
    [
      'a quoted cell that does not end',
      'Name,E\n"J,j@a.example\nK,k@a.example\n',
      /line 2: a quoted cell does not end/,
    ],
    ['one that goes on for ever', `Name,E\n"J\n${'x,y@a.example\n'.repeat(100)}`, /line 2: a quoted cell does not end/],
    ['a line that is too long', `Name,E\n${'x'.repeat(2000)},y@a.example\n`, /line 2: the line is too long/],
  ])('refused whole: %s', async (_, text, message) => {
    await expect(readAll(text, 'email=E')).rejects.toThrow(message);
    await expect(readAll(text, 'email=E')).rejects.not.toThrow(/a\.example/);
  });
});

describe('NDJSON', () => {
  test('paths, arrays on the way, numbers; what is missing or null is none', async () => {
    const lines = [
      { user: { email: 'a@a.example', phones: [{ n: '+1' }, { n: 14155550100 }] } },
      { user: { email: null, phones: [] } },
      { user: [{ email: 'b@a.example' }, { email: ' ' }] },
      'text',
      { user: { email: { x: 1 } } },
      { user: { email: true } },
    ];
    const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\nno json\n`;
    const { rows, faults } = await readAll(text, 'email=user.email,phone=user.phones[].n', 'ndjson');
    expect(rows.map(([line, kind, value]) => [line, kind, value])).toEqual([
      [1, 'email', 'a@a.example'],
      [1, 'phone', '+1'],
      [1, 'phone', '14155550100'],
      [3, 'email', 'b@a.example'],
    ]);
    expect(faults).toEqual([
      [2, NONE],
      [4, NONE],
      [5, NONE],
      [6, 'a mapped value is not text'],
      [7, 'the line is not JSON'],
    ]);
  });

  test('too deep, and a path that is none', async () => {
    const deep = `{"e":${'['.repeat(200)}"x"${']'.repeat(200)}}\n`;
    expect((await readAll(deep, 'email=e', 'ndjson')).faults).toEqual([[1, expect.stringMatching(/too many/)]]);
    expect(() => new IdentifierRows(deep as never, 'ndjson', parseMapping('email=a..b'), () => {})).toThrow(
      /mapping\[0\]/,
    );
  });
});
