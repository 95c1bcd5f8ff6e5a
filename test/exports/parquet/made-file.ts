/**
 * Parquet files with pages that no writer at hand makes: a column of text, its dictionary, and indexes as they are given.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { chunkEntry, groupEntry, readFooter, writeFooter } from '../../../src/exports/parquet/footer.js';
import {
  COLUMN_META,
  DATA_PAGE,
  DICTIONARY_PAGE,
  ENCODING,
  MAGIC,
  PAGE_HEADER,
  PAGE_TYPE,
  ROW_GROUP,
} from '../../../src/exports/parquet/format.js';
import {
  flag,
  i32,
  listOf,
  structField,
  THRIFT,
  type ThriftField,
  text,
  writeStruct,
} from '../../../src/exports/parquet/thrift.js';

export interface MadeColumn {
  readonly dictionary: readonly string[];
  /** Index of each row. */
  readonly indexes: readonly number[];
  /** What the header of the page and the footer say is the greatest value. */
  readonly greatest?: string;
}

/** Writes `path`: the columns of `template`, all text and not compressed, in one row group of
 * fewer than 64 rows that says it is sorted. */
export async function makeFile(path: string, template: string, columns: readonly MadeColumn[]): Promise<void> {
  const bytes = readFileSync(template);
  const footer = await readFooter(async (offset, count) => bytes.subarray(offset, offset + count), bytes.length);
  const [group] = footer.groups;
  if (group === undefined) throw new Error('expected a row group');
  const parts: Uint8Array[] = [MAGIC];
  let offset = MAGIC.length;
  const entries = group.chunks.map((chunk, index) => {
    const column = columns[index];
    if (column === undefined) throw new Error('expected a column');
    const dictionary = dictionaryPage(column);
    const written = Buffer.concat([dictionary, dataPage(column)]);
    const entry = chunkEntry(
      { ...chunk, meta: new Map(chunk.meta) },
      {
        bytes: written,
        rawBytes: written.length,
        valueCount: column.indexes.length,
        encodings: [ENCODING.plain, ENCODING.rleDictionary],
        dataPageOffset: dictionary.length,
        dictionaryPageOffset: 0,
      },
      offset,
    );
    if (column.greatest !== undefined) {
      const meta = entry.get(3)?.value as Map<number, ThriftField>;
      meta.set(COLUMN_META.statistics, statistics(column.greatest));
    }
    parts.push(written);
    offset += written.length;
    return entry;
  });
  const rowCount = columns[0]?.indexes.length ?? 0;
  const sorting = listOf(THRIFT.struct, [
    new Map([
      [1, i32(0)],
      [2, flag(false)],
      [3, flag(false)],
    ]),
  ]);
  const struct = new Map(
    [...group.struct, [ROW_GROUP.sorting, sorting] as const].sort(([one], [other]) => one - other),
  );
  const made = groupEntry({ ...group, struct }, { rowCount, isSorted: true }, entries, MAGIC.length);
  writeFileSync(path, Buffer.concat([...parts, writeFooter(footer, rowCount, [made])]));
}

function dictionaryPage({ dictionary }: MadeColumn): Buffer {
  const body = Buffer.concat(
    dictionary.map((text) => {
      const value = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(value.length);
      return Buffer.concat([length, value]);
    }),
  );
  const special = structField([
    [DICTIONARY_PAGE.valueCount, i32(dictionary.length)],
    [DICTIONARY_PAGE.encoding, i32(ENCODING.plain)],
  ]);
  return page(PAGE_TYPE.dictionary, body, [PAGE_HEADER.dictionary, special]);
}

/** Indexes of 32 bits, each a run of its own, so that any number can be one. */
function dataPage({ indexes, greatest }: MadeColumn): Buffer {
  const levels = Uint8Array.of(2, 0, 0, 0, indexes.length << 1, 1); // all of them are values
  const values = Buffer.alloc(1 + 5 * indexes.length);
  values[0] = 32;
  for (const [row, index] of indexes.entries()) {
    values[1 + 5 * row] = 1 << 1;
    values.writeInt32LE(index, 2 + 5 * row);
  }
  const body = Buffer.concat([levels, values]);
  const fields: [number, ThriftField][] = [
    [DATA_PAGE.valueCount, i32(indexes.length)],
    [DATA_PAGE.encoding, i32(ENCODING.rleDictionary)],
    [DATA_PAGE.definitionEncoding, i32(ENCODING.rle)],
    [DATA_PAGE.repetitionEncoding, i32(ENCODING.rle)],
  ];
  if (greatest !== undefined) fields.push([DATA_PAGE.statistics, statistics(greatest)]);
  return page(PAGE_TYPE.data, body, [PAGE_HEADER.data, structField(fields)]);
}

function statistics(greatest: string): ThriftField {
  return structField([
    [5, text(greatest)],
    [6, text('')],
  ]);
}

function page(type: number, body: Buffer, special: [number, ThriftField]): Buffer {
  const header = writeStruct(
    new Map([
      [PAGE_HEADER.type, i32(type)],
      [PAGE_HEADER.rawBytes, i32(body.length)],
      [PAGE_HEADER.compressedBytes, i32(body.length)],
      special,
    ]),
  );
  return Buffer.concat([header, body]);
}
