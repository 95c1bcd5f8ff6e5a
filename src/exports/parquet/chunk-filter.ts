/**
 * Keeps of a column what belongs to kept rows.
 *
 * What must stay true: nothing of a dropped row is in what is written. So a dictionary keeps only values that a kept row
 * has, and a blanked value is gone from both.
 * @module
 */
import { codecOf } from './codecs.js';
import type { Chunk, WrittenChunk } from './footer.js';
import { ENCODING } from './format.js';
import { hybridBytesMax, writeHybrid } from './hybrid.js';
import {
  type ChunkPages,
  type DataPage,
  type DictionaryPage,
  type KeptPage,
  type WrittenPage,
  writeDataPage,
  writeDictionaryPage,
} from './page.js';
import { damaged } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { Scratch } from './scratch.js';
import { indexWidth, keptIndexes, keptPlain } from './values.js';

/** What becomes of a row. A blanked row is kept, without the values of the columns that are mapped. */
export const DROP = 0;
export const KEEP = 1;
export const BLANK = 2;

/** A page on its way: its indexes are still those of the whole dictionary. */
interface HalfPage extends Omit<KeptPage, 'encoding' | 'values'> {
  readonly indexes: Int32Array | null;
  readonly plain: Uint8Array | null;
}

/**
 * The rows for which `fates` is not {@link DROP}. The pages are of no use afterwards.
 * @param isBlanked Values of rows to be blanked become null.
 * @throws {ParquetError} `parquet.damaged` where the column has not one row for each fate.
 */
export function filterChunk(
  chunk: Chunk,
  { dictionary, pages }: ChunkPages,
  fates: Uint8Array,
  isBlanked: boolean,
  scratch: Scratch,
): WrittenChunk {
  const { leaf } = chunk;
  const codec = codecOf(chunk.codec);
  const isUsed = new Uint8Array(dictionary?.valueCount ?? 0);
  const kept: HalfPage[] = [];
  let row = 0;
  for (const page of pages) {
    const { rowEnd, half } = filterPage(leaf, page, fates, row, isBlanked, isUsed);
    row = rowEnd;
    if (half.entryCount > 0) kept.push(half);
  }
  if (row !== fates.length) throw damaged('the rows of a column');
  const written: WrittenPage[] = [];
  const encodings = new Set<number>([ENCODING.rle]);
  let newIndexes: Int32Array | null = null;
  if (dictionary !== null && kept.some(({ indexes }) => indexes !== null)) {
    const smaller = smallerDictionary(dictionary, isUsed);
    newIndexes = smaller.newIndexes;
    written.push(writeDictionaryPage(codec, smaller.values, smaller.valueCount, scratch));
    encodings.add(ENCODING.plain).add(ENCODING.rleDictionary);
    const width = indexWidth(smaller.valueCount);
    for (const page of kept) {
      written.push(writeDataPage(leaf, codec, wholePage(page, newIndexes, width, scratch), scratch));
    }
  } else {
    for (const page of kept) {
      written.push(writeDataPage(leaf, codec, wholePage(page, null, 0, scratch), scratch));
    }
  }
  if (kept.some(({ plain }) => plain !== null)) encodings.add(ENCODING.plain);
  return {
    bytes: joined(written),
    rawBytes: written.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    valueCount: kept.reduce((sum, { entryCount }) => sum + entryCount, 0),
    encodings: [...encodings],
    dataPageOffset: newIndexes === null ? 0 : (written[0]?.byteCount ?? 0),
    dictionaryPageOffset: newIndexes === null ? null : 0,
  };
}

/** In memory of their own, which can be handed to another thread. */
function joined(pages: readonly WrittenPage[]): Uint8Array {
  const bytes = new Uint8Array(pages.reduce((sum, { byteCount }) => sum + byteCount, 0));
  let at = 0;
  for (const { parts } of pages) {
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

function wholePage(
  { indexes, plain, ...page }: HalfPage,
  newIndexes: Int32Array | null,
  width: number,
  scratch: Scratch,
): KeptPage {
  if (indexes === null || newIndexes === null) {
    return { ...page, encoding: ENCODING.plain, values: plain ?? new Uint8Array(0) };
  }
  renumber(indexes, newIndexes);
  const values = scratch.bytes(1 + hybridBytesMax(indexes.length, width));
  values[0] = width;
  const end = writeHybrid(indexes, indexes.length, width, values, 1);
  return { ...page, encoding: ENCODING.rleDictionary, values: values.subarray(0, end) };
}

/** HOT. */
function renumber(indexes: Int32Array, newIndexes: Int32Array): void {
  for (let index = 0; index < indexes.length; index++) indexes[index] = newIndexes[indexes[index]!]!;
}

function smallerDictionary({ values }: DictionaryPage, isUsed: Uint8Array) {
  if (values.kind === 'indexes') throw damaged('a dictionary');
  const newIndexes = new Int32Array(isUsed.length);
  let valueCount = 0;
  for (let index = 0; index < isUsed.length; index++) {
    newIndexes[index] = valueCount;
    valueCount += isUsed[index] ?? 0;
  }
  return { newIndexes, valueCount, values: keptPlain(values, isUsed, valueCount) };
}

function filterPage(
  leaf: Leaf,
  page: DataPage,
  fates: Uint8Array,
  row: number,
  isBlanked: boolean,
  isUsed: Uint8Array,
): { rowEnd: number; half: HalfPage } {
  const isFlat = page.repetition === null && page.definition === null && !isBlanked;
  const chosen = isFlat ? chooseFlat(page, fates, row) : chooseEntries(leaf, page, fates, row, isBlanked);
  const { mask, valueCount, rowEnd, ...levels } = chosen;
  const { values } = page;
  const half: HalfPage = {
    version: page.version,
    valueCount,
    ...levels,
    indexes: values.kind === 'indexes' ? keptIndexes(values.indexes, mask, isUsed) : null,
    plain: values.kind === 'indexes' ? null : keptPlain(values, mask, valueCount),
  };
  return { rowEnd, half };
}

interface Chosen {
  /** For each value of the page: 0 if it goes. */
  readonly mask: Uint8Array;
  readonly valueCount: number;
  readonly entryCount: number;
  readonly rowCount: number;
  readonly repetition: Uint8Array | null;
  readonly definition: Uint8Array | null;
  readonly rowEnd: number;
}

/** HOT. Where each entry is a row and a value. */
function chooseFlat({ entryCount }: DataPage, fates: Uint8Array, row: number): Chosen {
  const rowEnd = row + entryCount;
  if (rowEnd > fates.length) throw damaged('the rows of a column');
  const mask = fates.subarray(row, rowEnd);
  let count = 0;
  for (let index = 0; index < entryCount; index++) count += mask[index] === DROP ? 0 : 1;
  return { mask, valueCount: count, entryCount: count, rowCount: count, repetition: null, definition: null, rowEnd };
}

/** HOT. `row` counts the rows that began before the page; the first entry may go on with the last of them. */
function chooseEntries(
  { maxDefinition, maxRepetition }: Leaf,
  page: DataPage,
  fates: Uint8Array,
  row: number,
  isBlanked: boolean,
): Chosen {
  const { entryCount, repetition: oldRepetition, definition: oldDefinition } = page;
  const repetition = maxRepetition === 0 ? null : new Uint8Array(entryCount);
  const definition = maxDefinition === 0 ? null : new Uint8Array(entryCount);
  const mask = new Uint8Array(entryCount);
  let current = row - 1;
  let value = 0;
  let entries = 0;
  let rowCount = 0;
  let valueCount = 0;
  for (let entry = 0; entry < entryCount; entry++) {
    const repeated = oldRepetition === null ? 0 : oldRepetition[entry]!;
    let defined = oldDefinition === null ? maxDefinition : oldDefinition[entry]!;
    if (repeated === 0) current++;
    if (current < 0 || current >= fates.length) throw damaged('the rows of a column');
    const fate = fates[current]!;
    const isValue = defined === maxDefinition;
    const at = value;
    if (isValue) value++;
    if (fate === DROP) continue;
    if (isBlanked && fate === BLANK && isValue) defined = maxDefinition - 1;
    else if (isValue) {
      mask[at] = 1;
      valueCount++;
    }
    if (repetition !== null) repetition[entries] = repeated;
    if (definition !== null) definition[entries] = defined;
    if (repeated === 0) rowCount++;
    entries++;
  }
  return {
    mask: mask.subarray(0, value),
    valueCount,
    entryCount: entries,
    rowCount,
    repetition: repetition?.subarray(0, entries) ?? null,
    definition: definition?.subarray(0, entries) ?? null,
    rowEnd: current + 1,
  };
}
