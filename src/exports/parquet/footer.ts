/**
 * The footer of a Parquet file: read with everything in it, and written for the rows that are left.
 *
 * What must stay true: nothing that was computed from dropped rows is written, for it may quote them: no statistics, Bloom
 * filters or page indexes, neither at a column nor anywhere else.
 * @module
 */
import { COLUMN_CHUNK, COLUMN_META, FILE_META, MAGIC, MAGIC_ENCRYPTED, ROW_GROUP } from './format.js';
import { CHUNK_BYTES_MAX, FOOTER_BYTES_MAX, GROUP_ROWS_MAX } from './limits.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { ReadAt } from './read-at.js';
import { type Leaf, leavesOf } from './schema.js';
import {
  countIn,
  i64,
  listOf,
  numberIn,
  readStruct,
  structIn,
  structsIn,
  THRIFT,
  type ThriftField,
  type ThriftStruct,
  writeStruct,
} from './thrift.js';

/** Where a column of a row group stands, and what it takes to read it. */
export interface ChunkPlace {
  readonly leaf: Leaf;
  readonly codec: number;
  readonly offset: number;
  readonly byteCount: number;
  /** Bytes and values that are said to be in it, for memory to be ready; 0 where nobody says. */
  readonly saidRawBytes: number;
  readonly saidValueCount: number;
}

/** What it takes to read a row group. */
export interface GroupPlace {
  readonly rowCount: number;
  readonly chunks: readonly ChunkPlace[];
}

/** A column of a row group, with what is said of it. */
export interface Chunk extends ChunkPlace {
  readonly chunk: ThriftStruct;
  readonly meta: ThriftStruct;
}

export interface RowGroup extends GroupPlace {
  readonly struct: ThriftStruct;
  readonly chunks: readonly Chunk[];
}

/** For another thread, which needs no more: to read a footer once more took it 30 ms, and more where that is large. */
export const placeOf = ({ rowCount, chunks }: RowGroup): GroupPlace => ({
  rowCount,
  chunks: chunks.map(({ chunk: _, meta: __, ...place }) => place),
});

export interface Footer {
  readonly struct: ThriftStruct;
  readonly leaves: readonly Leaf[];
  readonly groups: readonly RowGroup[];
}

const TAIL_BYTES = 8;

/** Reads the footer. @throws {ParquetError}; whatever the file holds, nothing else but what the file system throws. */
export async function readFooter(readAt: ReadAt, fileBytes: number): Promise<Footer> {
  if (fileBytes < MAGIC.length + TAIL_BYTES) throw new ParquetError('parquet.magic');
  const tail = await readAt(fileBytes - TAIL_BYTES, TAIL_BYTES);
  const magic = tail.subarray(4);
  if (magic.equals(MAGIC_ENCRYPTED)) throw new ParquetError('parquet.encrypted');
  if (!magic.equals(MAGIC)) throw new ParquetError('parquet.magic');
  const footerBytes = tail.readUInt32LE(0);
  if (footerBytes > FOOTER_BYTES_MAX)
    throw new ParquetError('parquet.too_large', `footer over ${FOOTER_BYTES_MAX} bytes`);
  const start = fileBytes - TAIL_BYTES - footerBytes;
  if (start < MAGIC.length) throw new ParquetError('parquet.truncated');
  const { struct } = readStruct(await readAt(start, footerBytes));
  if (struct.has(FILE_META.encryption)) throw new ParquetError('parquet.encrypted');
  const leaves = leavesOf(struct);
  const groups = structsIn(struct, FILE_META.rowGroups).map((group) => groupOf(group, leaves, start));
  return { struct, leaves, groups };
}

function groupOf(struct: ThriftStruct, leaves: readonly Leaf[], dataEnd: number): RowGroup {
  const rowCount = countIn(struct, ROW_GROUP.rowCount);
  if (rowCount > GROUP_ROWS_MAX) throw new ParquetError('parquet.too_large', `row group over ${GROUP_ROWS_MAX} rows`);
  const columns = structsIn(struct, ROW_GROUP.columns);
  if (columns.length !== leaves.length) throw damaged('the columns of a row group');
  return { struct, rowCount, chunks: leaves.map((leaf, index) => chunkOf(columns[index], leaf, dataEnd)) };
}

function chunkOf(chunk: ThriftStruct | undefined, leaf: Leaf, dataEnd: number): Chunk {
  if (chunk === undefined) throw damaged('the columns of a row group');
  if (chunk.has(COLUMN_CHUNK.crypto) || chunk.has(COLUMN_CHUNK.encryptedMeta))
    throw new ParquetError('parquet.encrypted');
  if (chunk.has(COLUMN_CHUNK.filePath)) throw new ParquetError('parquet.unsupported', 'columns in other files');
  const meta = structIn(chunk, COLUMN_CHUNK.meta);
  if (meta === undefined) throw damaged('a column without metadata');
  if (countIn(meta, COLUMN_META.type) !== leaf.type) throw damaged('the type of a column');
  const dataOffset = countIn(meta, COLUMN_META.dataPageOffset);
  const dictionaryOffset = numberIn(meta, COLUMN_META.dictionaryPageOffset) ?? 0;
  const offset = dictionaryOffset > 0 ? Math.min(dictionaryOffset, dataOffset) : dataOffset;
  const byteCount = countIn(meta, COLUMN_META.compressedBytes);
  if (offset < MAGIC.length || offset + byteCount > dataEnd) throw damaged('the place of a column');
  if (byteCount > CHUNK_BYTES_MAX)
    throw new ParquetError('parquet.too_large', `column chunk over ${CHUNK_BYTES_MAX} bytes`);
  return {
    leaf,
    chunk,
    meta,
    codec: countIn(meta, COLUMN_META.codec),
    offset,
    byteCount,
    saidRawBytes: numberIn(meta, COLUMN_META.rawBytes) ?? 0,
    saidValueCount: numberIn(meta, COLUMN_META.valueCount) ?? 0,
  };
}

/** What became of a column of a row group. Offsets count from the start of the chunk. */
export interface WrittenChunk {
  readonly bytes: Uint8Array;
  readonly rawBytes: number;
  readonly valueCount: number;
  readonly encodings: readonly number[];
  readonly dataPageOffset: number;
  /** `null`: no page of values, only data. */
  readonly dictionaryPageOffset: number | null;
}

/** The entry of a column, for what was written at `offset`. */
export function chunkEntry({ chunk, meta }: Chunk, written: WrittenChunk, offset: number): ThriftStruct {
  const kept = [COLUMN_META.type, COLUMN_META.path, COLUMN_META.codec];
  const fields: [number, ThriftField][] = kept.flatMap((id) => {
    const field = meta.get(id);
    return field === undefined ? [] : [[id, field]];
  });
  fields.push(
    [COLUMN_META.encodings, listOf(THRIFT.i32, written.encodings)],
    [COLUMN_META.valueCount, i64(written.valueCount)],
    [COLUMN_META.rawBytes, i64(written.rawBytes)],
    [COLUMN_META.compressedBytes, i64(written.bytes.length)],
    [COLUMN_META.dataPageOffset, i64(offset + written.dataPageOffset)],
  );
  const { dictionaryPageOffset } = written;
  if (dictionaryPageOffset !== null) {
    fields.push([COLUMN_META.dictionaryPageOffset, i64(offset + dictionaryPageOffset)]);
  }
  return withMeta(chunk, new Map(fields.sort(([one], [other]) => one - other)), offset);
}

/**
 * The entry of a column that was copied as it is, every row of it being kept.
 * @param hasIdentifiers Its statistics may quote somebody whose row was taken away before this file was written.
 */
export function copiedEntry(
  { chunk, meta, offset: from }: Chunk,
  offset: number,
  hasIdentifiers: boolean,
): ThriftStruct {
  const copied = new Map(meta);
  for (const id of [COLUMN_META.bloomOffset, COLUMN_META.bloomBytes]) copied.delete(id);
  if (hasIdentifiers) copied.delete(COLUMN_META.statistics);
  for (const id of [COLUMN_META.dataPageOffset, COLUMN_META.indexPageOffset, COLUMN_META.dictionaryPageOffset]) {
    const old = numberIn(meta, id);
    if (old !== undefined && old > 0) copied.set(id, i64(old - from + offset));
  }
  return withMeta(chunk, copied, offset);
}

function withMeta(chunk: ThriftStruct, meta: ThriftStruct, offset: number): ThriftStruct {
  return new Map([
    [COLUMN_CHUNK.fileOffset, chunk.has(COLUMN_CHUNK.fileOffset) ? i64(offset) : i64(0)],
    [COLUMN_CHUNK.meta, { type: THRIFT.struct, value: meta }],
  ]);
}

/** The entry of a row group. @param isSorted False: values are gone that its rows were sorted by. */
export function groupEntry(
  { struct }: RowGroup,
  { rowCount, isSorted }: { readonly rowCount: number; readonly isSorted: boolean },
  columns: readonly ThriftStruct[],
  offset: number,
): ThriftStruct {
  const metas = columns.map((column) => structIn(column, COLUMN_CHUNK.meta) ?? new Map());
  const sum = (id: number) => metas.reduce((total, meta) => total + (numberIn(meta, id) ?? 0), 0);
  const entry = new Map(struct);
  entry.set(ROW_GROUP.columns, listOf(THRIFT.struct, columns));
  entry.set(ROW_GROUP.totalBytes, i64(sum(COLUMN_META.rawBytes)));
  entry.set(ROW_GROUP.rowCount, i64(rowCount));
  entry.delete(ROW_GROUP.ordinal);
  if (!isSorted) entry.delete(ROW_GROUP.sorting);
  if (entry.has(ROW_GROUP.fileOffset)) entry.set(ROW_GROUP.fileOffset, i64(offset));
  if (entry.has(ROW_GROUP.compressedBytes)) entry.set(ROW_GROUP.compressedBytes, i64(sum(COLUMN_META.compressedBytes)));
  return entry;
}

/** The end of the file. */
export function writeFooter({ struct }: Footer, rowCount: number, groups: readonly ThriftStruct[]): Buffer {
  const changed = new Map(struct);
  changed.set(FILE_META.rowCount, i64(rowCount));
  changed.set(FILE_META.rowGroups, listOf(THRIFT.struct, groups));
  const footer = writeStruct(changed);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([footer, length, MAGIC]);
}
