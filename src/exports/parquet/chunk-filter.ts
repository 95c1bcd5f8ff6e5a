/**
 * Keeps of a column what belongs to kept rows.
 *
 * What must stay true: nothing of a dropped row is in what is written. So a dictionary keeps only values that a kept row
 * has, and a blanked value is gone from both.
 * @module
 */
import { type Codec, codecOf } from './codecs.js';
import type { ChunkPlace, WrittenChunk } from './footer.js';
import { ENCODING } from './format.js';
import type { GroupBytes } from './group-bytes.js';
import {
  bodyOf,
  type DataPage,
  type DictionaryPage,
  type KeptEntries,
  type Page,
  type WrittenPage,
  writeDataPage,
  writeDictionaryPage,
} from './page.js';
import { damaged } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { Scratch } from './scratch.js';
import {
  indexBytesMax,
  indexWidth,
  keepPlain,
  keptIndexes,
  type PlainValues,
  plainBytesMax,
  renumber,
  writeIndexes,
} from './values.js';

/** What becomes of a row. A blanked row is kept, without the values of the columns that are mapped. */
export const DROP = 0;
export const KEEP = 1;
export const BLANK = 2;

/** A page on its way: its indexes are still those of the whole dictionary. */
interface IndexedPage {
  readonly entries: KeptEntries;
  readonly indexes: Int32Array;
}

/** A column that was written, and where. */
export interface FilteredChunk extends Omit<WrittenChunk, 'bytes'> {
  readonly from: number;
  readonly to: number;
}

/** The rows of a column for which `fates` is not {@link DROP}. Pages that were added are of no use afterwards. */
export class ChunkFilter {
  readonly #leaf: Leaf;
  readonly #codec: Codec;
  readonly #fates: Uint8Array;
  /** Values of rows to be blanked become null. */
  readonly #isBlanked: boolean;
  readonly #scratch: Scratch;
  readonly #out: GroupBytes;
  readonly #from: number;
  #dictionary: DictionaryPage | null = null;
  #isUsed: Uint8Array = new Uint8Array(0);
  /** Those that wait for the dictionary to be known. */
  readonly #waiting: (IndexedPage | WrittenPage)[] = [];
  readonly #encodings = new Set<number>([ENCODING.rle]);
  #row = 0;
  #rawBytes = 0;
  #valueCount = 0;

  /** @param out Where it is written. */
  constructor(chunk: ChunkPlace, fates: Uint8Array, isBlanked: boolean, scratch: Scratch, out: GroupBytes) {
    this.#leaf = chunk.leaf;
    this.#codec = codecOf(chunk.codec);
    this.#fates = fates;
    this.#isBlanked = isBlanked;
    this.#scratch = scratch;
    this.#out = out;
    this.#from = out.length;
  }

  /** Nothing of the pages that were added is needed any more. */
  get isSettled(): boolean {
    return this.#dictionary === null;
  }

  /** @throws {ParquetError} `parquet.damaged` where the column has more rows than there are fates, or is damaged. */
  add(page: Page): void {
    if (page.kind === 'dictionary') {
      this.#dictionary = page;
      this.#isUsed = this.#scratch.bytes(page.valueCount).fill(0);
    } else if (page.kind === 'data') this.#addData(page);
  }

  /** @throws {ParquetError} `parquet.damaged` where the column has fewer rows than there are fates. */
  end(): FilteredChunk {
    if (this.#row !== this.#fates.length) throw damaged('the rows of a column');
    const dictionaryPageBytes = this.#writeWaiting();
    return {
      from: this.#from,
      to: this.#out.length,
      rawBytes: this.#rawBytes,
      valueCount: this.#valueCount,
      encodings: [...this.#encodings],
      dataPageOffset: dictionaryPageBytes,
      dictionaryPageOffset: dictionaryPageBytes === 0 ? null : 0,
    };
  }

  #addData(page: DataPage): void {
    const leaf = this.#leaf;
    const isFlat = page.repetition === null && page.definition === null && !this.#isBlanked;
    const { mask, rowEnd, entries } = isFlat
      ? chooseFlat(page, this.#fates, this.#row, this.#scratch)
      : chooseEntries(leaf, page, this.#fates, this.#row, this.#isBlanked, this.#scratch);
    this.#row = rowEnd;
    if (page.values.kind === 'indexes') {
      if (this.#dictionary === null) throw damaged('no dictionary');
      const indexes = keptIndexes(page.values.indexes, mask, this.#isUsed, this.#scratch);
      if (entries.entryCount > 0) this.#waiting.push({ entries, indexes });
    } else if (entries.entryCount > 0) {
      const written = this.#plainPage(entries, page.values, mask);
      if (this.#dictionary === null) this.#write(written);
      else this.#waiting.push(written);
    }
    this.#valueCount += entries.entryCount;
  }

  #plainPage(entries: KeptEntries, values: PlainValues, mask: Uint8Array): WrittenPage {
    this.#encodings.add(ENCODING.plain);
    const body = bodyOf(this.#leaf, entries, plainBytesMax(values, mask.length), this.#scratch);
    const end = keepPlain(values, mask, body.bytes, body.valuesFrom, this.#scratch);
    return writeDataPage(this.#codec, entries, ENCODING.plain, body, end, this.#scratch);
  }

  /** @returns Bytes of the page with the dictionary; 0 where there is none. */
  #writeWaiting(): number {
    const dictionary = this.#dictionary;
    let dictionaryPageBytes = 0;
    let width = 0;
    let newIndexes: Int32Array | null = null;
    if (dictionary !== null && this.#waiting.some((page) => 'indexes' in page)) {
      const smaller = smallerDictionary(dictionary, this.#isUsed, this.#scratch);
      width = indexWidth(smaller.valueCount);
      if (smaller.valueCount < dictionary.valueCount) newIndexes = smaller.newIndexes;
      const page = writeDictionaryPage(this.#codec, smaller.values, smaller.valueCount, this.#scratch);
      dictionaryPageBytes = page.byteCount;
      this.#write(page);
      this.#encodings.add(ENCODING.plain).add(ENCODING.rleDictionary);
    }
    for (const page of this.#waiting) {
      this.#write('indexes' in page ? this.#indexedPage(page, newIndexes, width) : page);
    }
    return dictionaryPageBytes;
  }

  #indexedPage({ entries, indexes }: IndexedPage, newIndexes: Int32Array | null, width: number): WrittenPage {
    if (newIndexes !== null) renumber(indexes, newIndexes, this.#scratch);
    const body = bodyOf(this.#leaf, entries, indexBytesMax(indexes.length, width), this.#scratch);
    const end = writeIndexes(indexes, width, body.bytes, body.valuesFrom, this.#scratch);
    return writeDataPage(this.#codec, entries, ENCODING.rleDictionary, body, end, this.#scratch);
  }

  #write({ parts, rawBytes }: WrittenPage): void {
    this.#rawBytes += rawBytes;
    for (const part of parts) this.#out.add(part);
  }
}

function smallerDictionary({ values, valueCount: oldCount }: DictionaryPage, isUsed: Uint8Array, scratch: Scratch) {
  if (values.kind === 'indexes') throw damaged('a dictionary');
  const newIndexes = scratch.integers(oldCount);
  let valueCount = 0;
  for (let index = 0; index < oldCount; index++) {
    newIndexes[index] = valueCount;
    valueCount += isUsed[index] ?? 0;
  }
  const out = scratch.bytes(plainBytesMax(values, oldCount));
  const end = keepPlain(values, isUsed, out, 0, scratch);
  return { newIndexes, valueCount, values: out.subarray(0, end) };
}

interface Chosen {
  /** For each value of the page: 0 if it goes. */
  readonly mask: Uint8Array;
  readonly rowEnd: number;
  readonly entries: KeptEntries;
}

/** HOT. Where each entry is a row and a value. */
function chooseFlat({ version, entryCount }: DataPage, fates: Uint8Array, row: number, scratch: Scratch): Chosen {
  const rowEnd = row + entryCount;
  if (rowEnd > fates.length) throw damaged('the rows of a column');
  const mask = fates.subarray(row, rowEnd);
  const count = countKept(mask, scratch);
  return {
    mask,
    rowEnd,
    entries: {
      version,
      valueCount: count,
      entryCount: count,
      rowCount: count,
      repetition: null,
      definition: null,
    },
  };
}

/** HOT. */
function countKept(mask: Uint8Array, scratch: Scratch): number {
  const at = scratch.addressOf(mask);
  if (at > 0) return scratch.kernel.countKept(at, mask.length);
  let count = 0;
  for (let index = 0; index < mask.length; index++) count += mask[index] === DROP ? 0 : 1;
  return count;
}

/** HOT. `row` counts the rows that began before the page; the first entry may go on with the last of them. */
function chooseEntries(
  { maxDefinition, maxRepetition }: Leaf,
  page: DataPage,
  fates: Uint8Array,
  row: number,
  isBlanked: boolean,
  scratch: Scratch,
): Chosen {
  const { version, entryCount, repetition: oldRepetition, definition: oldDefinition } = page;
  const repetition = maxRepetition === 0 ? null : scratch.bytes(entryCount);
  const definition = maxDefinition === 0 ? null : scratch.bytes(entryCount);
  const mask = scratch.bytes(entryCount);
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
    if (isValue) {
      mask[at] = 0;
      value++;
    }
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
    rowEnd: current + 1,
    entries: {
      version,
      valueCount,
      entryCount: entries,
      rowCount,
      repetition: repetition?.subarray(0, entries) ?? null,
      definition: definition?.subarray(0, entries) ?? null,
    },
  };
}
