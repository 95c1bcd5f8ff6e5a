/**
 * Pages: read from a chunk, and written for what is kept of them (parquet-format, README.md, "Data Pages").
 * @module
 */
import { type Codec, codecOf } from './codecs.js';
import type { ChunkPlace } from './footer.js';
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
import { type PageValues, type Reading, readPlain, readValues } from './values.js';

/** Levels and values of a page. An entry is a value or a null, or the place of an empty list. */
export interface DataPage {
  readonly kind: 'data';
  readonly version: 1 | 2;
  readonly entryCount: number;
  /** Of each entry; `null`: 0, so that every entry begins a row. */
  readonly repetition: Uint8Array | null;
  /** Of each entry; `null`: the highest, so that every entry is a value. */
  readonly definition: Uint8Array | null;
  readonly values: PageValues;
  /** In the header. */
  readonly hasStatistics: boolean;
}

export interface DictionaryPage {
  readonly kind: 'dictionary';
  readonly valueCount: number;
  readonly values: PageValues;
}

export type Page = DataPage | DictionaryPage | { readonly kind: 'other' };
const OTHER_PAGE = { kind: 'other' } as const;

export interface ChunkPages {
  readonly dictionary: DictionaryPage | null;
  readonly pages: readonly DataPage[];
  /** There is more than dictionary and data: statistics in headers, which may quote values, or other pages. */
  readonly hasMore: boolean;
}

/** All pages of a chunk, most of it in memory of the scratch. @throws {ParquetError}; whatever the bytes are, nothing else. */
export function readPages(chunk: ChunkPlace, bytes: Uint8Array, scratch: Scratch): ChunkPages {
  let dictionary: DictionaryPage | null = null;
  const pages: DataPage[] = [];
  let hasMore = false;
  for (const page of pagesOf(chunk, bytes, scratch, true)) {
    if (page.kind === 'dictionary') dictionary = page;
    else if (page.kind === 'data') pages.push(page);
    hasMore ||= page.kind === 'other' || (page.kind === 'data' && page.hasStatistics);
  }
  if (dictionary === null && pages.some(({ values }) => values.kind === 'indexes')) throw damaged('no dictionary');
  return { dictionary, pages, hasMore };
}

/** The pages of a chunk, read one after the other. @param wantsSpans It is asked where texts stand. @throws As {@link readPages}. */
export function* pagesOf(
  { leaf, codec: codecNumber }: ChunkPlace,
  bytes: Uint8Array,
  scratch: Scratch,
  wantsSpans: boolean,
): Generator<Page> {
  const codec = codecOf(codecNumber);
  const reading: Reading = { leaf, scratch, wantsSpans };
  let isFirst = true;
  for (let at = 0; at < bytes.length; ) {
    const { struct: header, end } = readStruct(bytes, at);
    const rawBytes = countIn(header, PAGE_HEADER.rawBytes);
    if (rawBytes > PAGE_BYTES_MAX) throw new ParquetError('parquet.too_large', `page over ${PAGE_BYTES_MAX} bytes`);
    at = end + countIn(header, PAGE_HEADER.compressedBytes);
    if (at > bytes.length) throw new ParquetError('parquet.truncated');
    const body = bytes.subarray(end, at);
    switch (countIn(header, PAGE_HEADER.type)) {
      case PAGE_TYPE.dictionary: {
        if (!isFirst) throw damaged('a dictionary');
        isFirst = false;
        const special = structOf(header, PAGE_HEADER.dictionary);
        yield readDictionary(reading, special, codec.decompress(body, rawBytes, scratch));
        break;
      }
      case PAGE_TYPE.data: {
        isFirst = false;
        const special = structOf(header, PAGE_HEADER.data);
        yield readFirst(reading, special, codec.decompress(body, rawBytes, scratch));
        break;
      }
      case PAGE_TYPE.dataV2:
        isFirst = false;
        yield readSecond(reading, structOf(header, PAGE_HEADER.dataV2), body, rawBytes, codec);
        break;
      default: // pages of indexes were never used; what is unknown may be left out
        yield OTHER_PAGE;
    }
  }
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

function readDictionary(reading: Reading, header: ThriftStruct, raw: Uint8Array): DictionaryPage {
  const valueCount = valueCountIn(header);
  return { kind: 'dictionary', valueCount, values: readPlain(reading, raw, 0, valueCount) };
}

function readFirst(reading: Reading, header: ThriftStruct, raw: Uint8Array): DataPage {
  const { leaf } = reading;
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
  const values = readValues(reading, countIn(header, DATA_PAGE.encoding), raw, at, valueCount);
  return {
    kind: 'data',
    version: 1,
    entryCount,
    repetition,
    definition: valueCount === entryCount ? null : definition,
    values,
    hasStatistics: header.has(DATA_PAGE.statistics),
  };
}

function readSecond(
  reading: Reading,
  header: ThriftStruct,
  body: Uint8Array,
  rawBytes: number,
  codec: Codec,
): DataPage {
  const { leaf, scratch } = reading;
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
  const values = readValues(reading, countIn(header, DATA_PAGE_V2.encoding), raw, 0, valueCount);
  return {
    kind: 'data',
    version: 2,
    entryCount,
    repetition,
    definition: valueCount === entryCount ? null : definition,
    values,
    hasStatistics: header.has(DATA_PAGE_V2.statistics),
  };
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

/** What is kept of a page but its values. */
export interface KeptEntries {
  readonly version: 1 | 2;
  readonly entryCount: number;
  readonly rowCount: number;
  readonly valueCount: number;
  readonly repetition: Uint8Array | null;
  readonly definition: Uint8Array | null;
}

/** Levels and values of a page, encoded, in one piece. */
export interface PageBody {
  /** With room for values. */
  readonly bytes: Uint8Array;
  readonly repetitionBytes: number;
  readonly definitionBytes: number;
  /** Where values begin. */
  readonly valuesFrom: number;
}

/** The body of a page, for values that take so many bytes at most: with its levels, and in memory of `scratch`. */
export function bodyOf(leaf: Leaf, entries: KeptEntries, valueBytesMax: number, scratch: Scratch): PageBody {
  const { version, entryCount, repetition, definition } = entries;
  const { maxRepetition, maxDefinition } = leaf;
  const bytesMax = levelBytesMax(repetition, maxRepetition, entryCount);
  const definitionBytesMax = levelBytesMax(definition, maxDefinition, entryCount);
  const bytes = scratch.bytes(bytesMax + definitionBytesMax + valueBytesMax);
  const hasLengths = version === 1;
  const repetitionBytes = writeLevels(repetition, maxRepetition, 0, entryCount, hasLengths, bytes, 0);
  const valuesFrom = writeLevels(
    definition,
    maxDefinition,
    maxDefinition,
    entryCount,
    hasLengths,
    bytes,
    repetitionBytes,
  );
  return { bytes, repetitionBytes, definitionBytes: valuesFrom - repetitionBytes, valuesFrom };
}

/** A page ready to be written: its header, and what follows. */
export interface WrittenPage {
  readonly parts: readonly Uint8Array[];
  readonly byteCount: number;
  readonly rawBytes: number;
}

/** In memory of `scratch`. @param end Of the values in the body. */
export function writeDataPage(
  codec: Codec,
  entries: KeptEntries,
  encoding: number,
  body: PageBody,
  end: number,
  scratch: Scratch,
): WrittenPage {
  const { version, entryCount, rowCount, valueCount } = entries;
  const { bytes, repetitionBytes, definitionBytes, valuesFrom } = body;
  if (version === 1) {
    return written(
      PAGE_TYPE.data,
      end,
      [codec.compress(bytes.subarray(0, end), scratch)],
      [
        PAGE_HEADER.data,
        structField([
          [DATA_PAGE.valueCount, i32(entryCount)],
          [DATA_PAGE.encoding, i32(encoding)],
          [DATA_PAGE.definitionEncoding, i32(ENCODING.rle)],
          [DATA_PAGE.repetitionEncoding, i32(ENCODING.rle)],
        ]),
      ],
    );
  }
  return written(
    PAGE_TYPE.dataV2,
    end,
    [bytes.subarray(0, valuesFrom), codec.compress(bytes.subarray(valuesFrom, end), scratch)],
    [
      PAGE_HEADER.dataV2,
      structField([
        [DATA_PAGE_V2.valueCount, i32(entryCount)],
        [DATA_PAGE_V2.nullCount, i32(entryCount - valueCount)],
        [DATA_PAGE_V2.rowCount, i32(rowCount)],
        [DATA_PAGE_V2.encoding, i32(encoding)],
        [DATA_PAGE_V2.definitionBytes, i32(definitionBytes)],
        [DATA_PAGE_V2.repetitionBytes, i32(repetitionBytes)],
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
    [codec.compress(values, scratch)],
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

/** Bytes of the length that stands before levels of the first version. */
const LEVELS_LENGTH_BYTES = 4;
/** Most bytes of a run. */
const RUN_BYTES_MAX = 16;

function levelBytesMax(levels: Uint8Array | null, max: number, count: number): number {
  if (max === 0) return 0;
  return LEVELS_LENGTH_BYTES + (levels === null ? RUN_BYTES_MAX : hybridBytesMax(count, bitWidth(max)));
}

/** Writes levels to `out[from..]`; `levels` is `null` where all are `level`. Nothing where there is no level but 0. @returns Where that ends. */
function writeLevels(
  levels: Uint8Array | null,
  max: number,
  level: number,
  count: number,
  hasLength: boolean,
  out: Uint8Array,
  from: number,
): number {
  if (max === 0) return from;
  const width = bitWidth(max);
  const start = hasLength ? from + LEVELS_LENGTH_BYTES : from;
  const end =
    levels === null ? writeRun(level, count, width, out, start) : writeHybrid(levels, count, width, out, start);
  if (hasLength) new DataView(out.buffer, out.byteOffset).setUint32(from, end - start, true);
  return end;
}
