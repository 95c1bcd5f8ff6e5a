/**
 * Hands the identifiers of a column to the judge, row by row.
 *
 * Text is looked at where it stands. Digests may be bytes instead of text, device ids Parquet's own UUIDs, and phone numbers
 * and account ids integers: they become the text that the same value has in a CSV file.
 * @module
 */
import type { BaseKind } from '../../core/vocabulary.js';
import type { RowJudge } from '../judge.js';
import type { RowKernel } from '../kernel/row-kernel.js';
import { BATCH_COLUMN_BYTES_MAX } from '../limits.js';
import type { Spans } from './delta.js';
import { TYPE } from './format.js';
import type { ChunkPages, DataPage } from './page.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { Leaf } from './schema.js';
import type { PageValues } from './values.js';

const DIGEST_BYTES: Readonly<Record<string, number>> = { sha256: 32, sha1: 20, md5: 16 };
const UUID_BYTES = 16;
const hexBytes = Buffer.alloc(2 * 32);

/** @throws {ParquetError} `parquet.unsupported` where the column cannot hold identifiers. */
export function checkIdentifierLeaf({ type, path }: Leaf): void {
  const isFit = [TYPE.bytes, TYPE.fixed, TYPE.int32, TYPE.int64].some((fit) => fit === type);
  if (!isFit) throw new ParquetError('parquet.unsupported', `identifiers of this type, column ${path}`);
}

export class IdentifierColumn {
  readonly #digestBytes: number;
  #page = -1;
  #entry = 0;
  #value = 0;
  #current: DataPage | null = null;

  constructor(
    private readonly judge: RowJudge,
    private readonly place: number,
    kind: BaseKind,
    private readonly leaf: Leaf,
    private readonly pages: ChunkPages,
  ) {
    this.#digestBytes = DIGEST_BYTES[kind.slice(kind.lastIndexOf('_') + 1)] ?? 0;
    this.#nextPage();
  }

  /** There is no row left. */
  get isAtEnd(): boolean {
    return this.#current === null;
  }

  /** HOT. The identifiers of the next row. @throws {ParquetError} `parquet.damaged` where there is none. */
  addRow(): void {
    if (this.#current === null) throw damaged('the rows of a column');
    const { maxDefinition } = this.leaf;
    do {
      const { definition, values } = this.#current;
      if (definition === null || definition[this.#entry] === maxDefinition) this.#add(values, this.#value++);
      this.#entry++;
      if (this.#entry === this.#current.entryCount) this.#nextPage();
    } while (
      this.#current !== null &&
      this.#current.repetition !== null &&
      this.#current.repetition[this.#entry] !== 0
    );
  }

  /**
   * HOT. Puts the values of the next rows into a column of a kernel. False, and nothing has been read, where they are not texts
   * that stand one after another in one page, or are long.
   */
  fill(kernel: RowKernel, column: number, rowCount: number): boolean {
    const page = this.#current;
    const spans = page === null ? null : spansOf(page.values);
    if (page === null || spans === null || page.repetition !== null) return false;
    if (page.entryCount - this.#entry < rowCount) return false;
    const { definition } = page;
    const isFilled =
      definition === null
        ? this.#fillAll(kernel, column, rowCount, spans)
        : this.#fillSome(kernel, column, rowCount, spans, definition);
    if (!isFilled) return false;
    this.#entry += rowCount;
    if (this.#entry === page.entryCount) this.#nextPage();
    return true;
  }

  /** HOT. Where there is a value in every row. */
  #fillAll(kernel: RowKernel, column: number, rowCount: number, { bytes, starts, ends }: Spans): boolean {
    const first = this.#value;
    const end = first + rowCount;
    if (end > ends.length) return false;
    const from = starts[first]!;
    const to = ends[end - 1]!;
    if (to - from > BATCH_COLUMN_BYTES_MAX) return false;
    const digestBytes = this.#digestBytes;
    const shift = kernel.addBytes(bytes, from, to) - from;
    for (let row = 0; row < rowCount; row++) {
      const start = starts[first + row]!;
      const stop = ends[first + row]!;
      if (stop - start === digestBytes) return false; // as below
      kernel.setCell(column, row, start + shift, stop + shift);
    }
    this.#value = end;
    return true;
  }

  /** HOT. Where some have none. */
  #fillSome(
    kernel: RowKernel,
    column: number,
    rowCount: number,
    { bytes, starts, ends }: Spans,
    definition: Uint8Array,
  ): boolean {
    const { maxDefinition } = this.leaf;
    const first = this.#value;
    let end = first;
    for (let row = 0; row < rowCount; row++) {
      if (definition[this.#entry + row] !== maxDefinition) continue;
      // a digest that is bytes, not text, or a value that is not there
      if (end >= ends.length || ends[end]! - starts[end]! === this.#digestBytes) return false;
      end++;
    }
    const from = end === first ? 0 : starts[first]!;
    if (end > first && ends[end - 1]! - from > BATCH_COLUMN_BYTES_MAX) return false;
    const shift = end === first ? 0 : kernel.addBytes(bytes, from, ends[end - 1]!) - from;
    for (let row = 0, value = first; row < rowCount; row++) {
      if (definition[this.#entry + row] === maxDefinition)
        kernel.setCell(column, row, starts[value]! + shift, ends[value++]! + shift);
      else kernel.setCell(column, row, 0, 0);
    }
    this.#value = end;
    return true;
  }

  #nextPage(): void {
    do this.#current = this.pages.pages[++this.#page] ?? null;
    while (this.#current?.entryCount === 0);
    this.#entry = 0;
    this.#value = 0;
  }

  /** HOT. */
  #add(pageValues: PageValues, pageIndex: number): void {
    let values = pageValues;
    let index = pageIndex;
    if (values.kind === 'indexes') {
      index = values.indexes[index]!;
      values = this.pages.dictionary?.values ?? values;
    }
    const spans = spansOf(values);
    if (spans !== null) {
      const { bytes, starts, ends } = spans;
      const end = ends[index];
      if (end === undefined) throw damaged('an index of a dictionary');
      this.#addBytes(bytes, starts[index]!, end);
    } else if (values.kind === 'fixed') {
      const { bytes, width } = values;
      const from = values.from + index * width;
      if (index < 0 || from + width > bytes.length) throw damaged('an index of a dictionary');
      this.#addFixed(bytes, from, width);
    }
  }

  /** HOT. A digest as bytes has half the length of one in hexadecimal; Base64 lies between. */
  #addBytes(bytes: Uint8Array, from: number, to: number): void {
    if (to - from !== this.#digestBytes || to === from) {
      this.judge.addBytes(this.place, bytes, from, to);
      return;
    }
    writeHex(bytes, from, to);
    this.judge.addBytes(this.place, hexBytes, 0, 2 * (to - from));
  }

  #addFixed(bytes: Uint8Array, from: number, width: number): void {
    const { type, isUuid } = this.leaf;
    if (type === TYPE.fixed && !(isUuid && width === UUID_BYTES && this.#digestBytes === 0)) {
      this.#addBytes(bytes, from, from + width);
      return;
    }
    const value = Buffer.from(bytes.buffer, bytes.byteOffset + from, width);
    if (type === TYPE.int32) this.judge.addText(this.place, String(value.readInt32LE()));
    else if (type === TYPE.int64) this.judge.addText(this.place, String(value.readBigInt64LE()));
    else this.judge.addText(this.place, value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
  }
}

/** Where texts stand; `null` for values that are none. */
function spansOf(values: PageValues): Spans | null {
  return values.kind === 'spans' || values.kind === 'texts' ? values.spans : null;
}

/** HOT. */
function writeHex(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from, target = 0; at < to; at++) {
    const byte = bytes[at]!;
    hexBytes[target++] = HEX_DIGITS[byte >> 4]!;
    hexBytes[target++] = HEX_DIGITS[byte & 15]!;
  }
}

const HEX_DIGITS = Uint8Array.from(Buffer.from('0123456789abcdef'));
