/**
 * Pages: read from a chunk, and written for what is kept of them (parquet-format, README.md, "Data Pages").
 * @module
 */
import { type Codec, codecOf } from './codecs.js';
import type { Chunk } from './footer.js';
import { DATA_PAGE, DATA_PAGE_V2, DICTIONARY_PAGE, ENCODING, PAGE_HEADER, PAGE_TYPE } from './format.js';
import { bitWidth, endOfHybrid, hybridBytesMax, readHybrid, valueOfRun, writeHybrid, writeRun } from './hybrid.js';
import { PAGE_BYTES_MAX, PAGE_VALUES_MAX } from './limits.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { Scratch } from './scratch.js';
import {
  countIn,
  flag,
  i32,
  readStruct,
  structField,
  structIn,
  type ThriftField,
  type ThriftStruct,
  writeStruct,
} from './thrift.js';
import { type PageValues, readPlain, readValues } from './values.js';

/** Levels and values of a page. An entry is a value or a null, or the place of an empty list. */
export interface DataPage {
  readonly version: 1 | 2;
  readonly entryCount: number;
  /** Of each entry; `null`: 0, so that every entry begins a row. */
  readonly repetition: Uint8Array | null;
  /** Of each entry; `null`: the highest, so that every entry is a value. */
  readonly definition: Uint8Array | null;
  readonly values: PageValues;
}

export interface DictionaryPage {
  readonly valueCount: number;
  readonly values: PageValues;
}

export interface ChunkPages {
  readonly dictionary: DictionaryPage | null;
  readonly pages: readonly DataPage[];
  /** There is more than dictionary and data: statistics in headers, which may quote values, or other pages. */
  readonly hasMore: boolean;
}

/** All pages of a chunk, some of it in memory of `scratch`. @throws {ParquetError}; whatever the bytes are, nothing else. */
export function readPages({ leaf, codec: codecNumber }: Chunk, bytes: Uint8Array, scratch: Scratch): ChunkPages {
  const codec = codecOf(codecNumber);
  let dictionary: DictionaryPage | null = null;
  const pages: DataPage[] = [];
  let hasMore = false;
  for (let at = 0; at < bytes.length; ) {
    const { struct: header, end } = readStruct(bytes, at);
    const rawBytes = countIn(header, PAGE_HEADER.rawBytes);
    if (rawBytes > PAGE_BYTES_MAX) throw new ParquetError('parquet.too_large', `page over ${PAGE_BYTES_MAX} bytes`);
    at = end + countIn(header, PAGE_HEADER.compressedBytes);
    if (at > bytes.length) throw new ParquetError('parquet.truncated');
    const body = bytes.subarray(end, at);
    switch (countIn(header, PAGE_HEADER.type)) {
      case PAGE_TYPE.dictionary:
        dictionary = readDictionary(
          leaf,
          structOf(header, PAGE_HEADER.dictionary),
          codec.decompress(body, rawBytes, scratch),
          scratch,
        );
        break;
      case PAGE_TYPE.data:
        pages.push(
          readFirst(leaf, structOf(header, PAGE_HEADER.data), codec.decompress(body, rawBytes, scratch), scratch),
        );
        hasMore ||= structOf(header, PAGE_HEADER.data).has(DATA_PAGE.statistics);
        break;
      case PAGE_TYPE.dataV2:
        pages.push(readSecond(leaf, structOf(header, PAGE_HEADER.dataV2), body, rawBytes, codec, scratch));
        hasMore ||= structOf(header, PAGE_HEADER.dataV2).has(DATA_PAGE_V2.statistics);
        break;
      default: // pages of indexes were never used; what is unknown may be left out
        hasMore = true;
    }
  }
  if (dictionary === null && pages.some(({ values }) => values.kind === 'indexes')) throw damaged('no dictionary');
  return { dictionary, pages, hasMore };
}

function structOf(header: ThriftStruct, id: number): ThriftStruct {
  const struct = structIn(header, id);
  if (struct === undefined) throw damaged('a page header');
  return struct;
}

function valueCountIn(header: ThriftStruct): number {
  const count = countIn(header, DATA_PAGE.valueCount);
  if (count > PAGE_VALUES_MAX) throw new ParquetError('parquet.too_large', `page over ${PAGE_VALUES_MAX} values`);
  return count;
}

function readDictionary(leaf: Leaf, header: ThriftStruct, raw: Uint8Array, scratch: Scratch): DictionaryPage {
  const valueCount = valueCountIn(header);
  return { valueCount, values: readPlain(leaf, raw, 0, valueCount, scratch) };
}

function readFirst(leaf: Leaf, header: ThriftStruct, raw: Uint8Array, scratch: Scratch): DataPage {
  const entryCount = valueCountIn(header);
  let at = 0;
  const levels = (max: number, encodingId: number, usual: number): Uint8Array | null => {
    if (max === 0) return null;
    if (countIn(header, encodingId) !== ENCODING.rle) throw new ParquetError('parquet.unsupported', 'packed levels');
    if (at + 4 > raw.length) throw damaged('levels');
    const end = at + 4 + Buffer.from(raw.buffer, raw.byteOffset + at, 4).readUInt32LE();
    if (end > raw.length) throw damaged('levels');
    const read = readLevels(raw, at + 4, end, max, entryCount, usual);
    at = end;
    return read;
  };
  const repetition = levels(leaf.maxRepetition, DATA_PAGE.repetitionEncoding, 0);
  const definition = levels(leaf.maxDefinition, DATA_PAGE.definitionEncoding, leaf.maxDefinition);
  const valueCount = countOf(definition, leaf.maxDefinition, entryCount);
  const values = readValues(leaf, countIn(header, DATA_PAGE.encoding), raw, at, valueCount, scratch);
  return { version: 1, entryCount, repetition, definition: valueCount === entryCount ? null : definition, values };
}

function readSecond(
  leaf: Leaf,
  header: ThriftStruct,
  body: Uint8Array,
  rawBytes: number,
  codec: Codec,
  scratch: Scratch,
): DataPage {
  const entryCount = valueCountIn(header);
  const repetitionBytes = countIn(header, DATA_PAGE_V2.repetitionBytes);
  const levelBytes = repetitionBytes + countIn(header, DATA_PAGE_V2.definitionBytes);
  if (levelBytes > body.length || levelBytes > rawBytes) throw damaged('levels');
  const { maxRepetition, maxDefinition } = leaf;
  const repetition = maxRepetition === 0 ? null : readLevels(body, 0, repetitionBytes, maxRepetition, entryCount, 0);
  const definition =
    maxDefinition === 0
      ? null
      : readLevels(body, repetitionBytes, levelBytes, maxDefinition, entryCount, maxDefinition);
  const isCompressed = header.get(DATA_PAGE_V2.isCompressed)?.value !== false;
  const packed = body.subarray(levelBytes);
  const raw = isCompressed && packed.length > 0 ? codec.decompress(packed, rawBytes - levelBytes, scratch) : packed;
  const valueCount = countOf(definition, maxDefinition, entryCount);
  const values = readValues(leaf, countIn(header, DATA_PAGE_V2.encoding), raw, 0, valueCount, scratch);
  return { version: 2, entryCount, repetition, definition: valueCount === entryCount ? null : definition, values };
}

/** `null` where one run says that all are `usual`: telling that from all the levels took a twelfth of the time of a run. */
function readLevels(
  bytes: Uint8Array,
  from: number,
  to: number,
  max: number,
  count: number,
  usual: number,
): Uint8Array | null {
  const width = bitWidth(max);
  if (valueOfRun(bytes, from, to, width, count) === usual) return null;
  const levels = new Uint8Array(count);
  readHybrid(bytes, from, to, width, count, levels);
  if (endOfHybrid() > to) throw damaged('levels');
  return levels;
}

/** HOT. Entries that are values. */
function countOf(definition: Uint8Array | null, max: number, entryCount: number): number {
  if (definition === null) return entryCount;
  let count = 0;
  for (let index = 0; index < entryCount; index++) {
    if (definition[index]! > max) throw damaged('levels');
    if (definition[index] === max) count++;
  }
  return count;
}

/** What is kept of a page, its values encoded: the width and the indexes of a dictionary, or plain. */
export interface KeptPage {
  readonly version: 1 | 2;
  readonly entryCount: number;
  readonly rowCount: number;
  readonly repetition: Uint8Array | null;
  readonly definition: Uint8Array | null;
  readonly valueCount: number;
  readonly encoding: number;
  readonly values: Uint8Array;
}

/** A page ready to be written: its header, and what follows. */
export interface WrittenPage {
  readonly parts: readonly Uint8Array[];
  readonly byteCount: number;
  readonly rawBytes: number;
}

/** In memory of `scratch`. */
export function writeDataPage(leaf: Leaf, codec: Codec, page: KeptPage, scratch: Scratch): WrittenPage {
  const repetition = writeLevels(page.repetition, leaf.maxRepetition, 0, page.entryCount);
  const definition = writeLevels(page.definition, leaf.maxDefinition, leaf.maxDefinition, page.entryCount);
  if (page.version === 1) {
    const raw = [...withLength(repetition), ...withLength(definition), page.values];
    return written(
      PAGE_TYPE.data,
      raw.reduce((sum, { length }) => sum + length, 0),
      [codec.compress(raw, scratch)],
      [
        PAGE_HEADER.data,
        structField([
          [DATA_PAGE.valueCount, i32(page.entryCount)],
          [DATA_PAGE.encoding, i32(page.encoding)],
          [DATA_PAGE.definitionEncoding, i32(ENCODING.rle)],
          [DATA_PAGE.repetitionEncoding, i32(ENCODING.rle)],
        ]),
      ],
    );
  }
  const rawBytes = repetition.length + definition.length + page.values.length;
  return written(
    PAGE_TYPE.dataV2,
    rawBytes,
    [repetition, definition, codec.compress([page.values], scratch)],
    [
      PAGE_HEADER.dataV2,
      structField([
        [DATA_PAGE_V2.valueCount, i32(page.entryCount)],
        [DATA_PAGE_V2.nullCount, i32(page.entryCount - page.valueCount)],
        [DATA_PAGE_V2.rowCount, i32(page.rowCount)],
        [DATA_PAGE_V2.encoding, i32(page.encoding)],
        [DATA_PAGE_V2.definitionBytes, i32(definition.length)],
        [DATA_PAGE_V2.repetitionBytes, i32(repetition.length)],
        [DATA_PAGE_V2.isCompressed, flag(true)],
      ]),
    ],
  );
}

export function writeDictionaryPage(
  codec: Codec,
  values: Uint8Array,
  valueCount: number,
  scratch: Scratch,
): WrittenPage {
  return written(
    PAGE_TYPE.dictionary,
    values.length,
    [codec.compress([values], scratch)],
    [
      PAGE_HEADER.dictionary,
      structField([
        [DICTIONARY_PAGE.valueCount, i32(valueCount)],
        [DICTIONARY_PAGE.encoding, i32(ENCODING.plain)],
      ]),
    ],
  );
}

function written(
  type: number,
  rawBytes: number,
  body: readonly Uint8Array[],
  special: readonly [number, ThriftField],
): WrittenPage {
  const bodyBytes = body.reduce((sum, { length }) => sum + length, 0);
  const header = writeStruct(
    new Map([
      [PAGE_HEADER.type, i32(type)],
      [PAGE_HEADER.rawBytes, i32(rawBytes)],
      [PAGE_HEADER.compressedBytes, i32(bodyBytes)],
      special,
    ]),
  );
  return { parts: [header, ...body], byteCount: header.length + bodyBytes, rawBytes: header.length + rawBytes };
}

/** Levels as bytes; `levels` is `null` where all are `level`. Nothing where there is no level but 0. */
function writeLevels(levels: Uint8Array | null, max: number, level: number, count: number): Uint8Array {
  if (max === 0) return new Uint8Array(0);
  const width = bitWidth(max);
  if (levels !== null) {
    const out = Buffer.allocUnsafe(hybridBytesMax(count, width));
    return out.subarray(0, writeHybrid(levels, count, width, out, 0));
  }
  const out = Buffer.allocUnsafe(16);
  return out.subarray(0, writeRun(level, count, width, out, 0));
}

function withLength(levels: Uint8Array): readonly Uint8Array[] {
  if (levels.length === 0) return [];
  const length = Buffer.alloc(4);
  length.writeUInt32LE(levels.length);
  return [length, levels];
}
