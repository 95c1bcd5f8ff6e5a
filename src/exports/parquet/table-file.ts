/**
 * Writes a table of three columns, `digest`, `rights` and `since`, as a Parquet file: what `optgate publish --parquet` makes.
 *
 * | column | type | |
 * | --- | --- | --- |
 * | `digest` | string | hexadecimal, lower case |
 * | `rights` | int32 | a mask: sale 1, share 2, targeted_ads 4, sensitive 8, profiling 16, child 32, deletion 64 |
 * | `since` | timestamp in milliseconds, UTC | null: no request is behind it |
 *
 * Plain encoding, gzip, one page a column and row group: whatever reads Parquet reads this. Memory is that of a row group.
 * @module
 */
import type { FileHandle } from 'node:fs/promises';
import { constants, gzipSync } from 'node:zlib';
import {
  CODEC,
  COLUMN_CHUNK,
  COLUMN_META,
  DATA_PAGE,
  ENCODING,
  FILE_META,
  MAGIC,
  PAGE_HEADER,
  PAGE_TYPE,
  REPETITION,
  ROW_GROUP,
  SCHEMA_ELEMENT,
  TYPE,
} from './format.js';
import { flag, i32, i64, listOf, structField, THRIFT, type ThriftStruct, text, writeStruct } from './thrift.js';

/** Rows of a row group. */
export const TABLE_GROUP_ROWS = 65_536;
/** Bytes of a digest at most. */
const DIGEST_BYTES_MAX = 32;

/** Letters of hexadecimal follow no pattern: searching for one costs four times what coding them by frequency does. */
const FOR_DIGESTS = { strategy: constants.Z_HUFFMAN_ONLY };
const FOR_NUMBERS = { level: 1 };

const UTF8 = 0;
const TIMESTAMP_MILLIS = 9;
const LOGICAL = { string: 1, timestamp: 8 } as const;

const SCHEMA: readonly ThriftStruct[] = [
  new Map([
    [SCHEMA_ELEMENT.name, text('optgate')],
    [SCHEMA_ELEMENT.childCount, i32(3)],
  ]),
  column('digest', TYPE.bytes, REPETITION.required, [
    [SCHEMA_ELEMENT.convertedType, i32(UTF8)],
    [SCHEMA_ELEMENT.logicalType, structField([[LOGICAL.string, structField([])]])],
  ]),
  column('rights', TYPE.int32, REPETITION.required, []),
  column('since', TYPE.int64, REPETITION.optional, [
    [SCHEMA_ELEMENT.convertedType, i32(TIMESTAMP_MILLIS)],
    [
      SCHEMA_ELEMENT.logicalType,
      structField([
        [
          LOGICAL.timestamp,
          structField([
            [1, flag(true)],
            [2, structField([[1, structField([])]])],
          ]),
        ],
      ]),
    ],
  ]),
];

function column(
  name: string,
  type: number,
  repetition: number,
  rest: readonly (readonly [number, ReturnType<typeof i32>])[],
): ThriftStruct {
  return new Map([
    [SCHEMA_ELEMENT.type, i32(type)],
    [SCHEMA_ELEMENT.repetition, i32(repetition)],
    [SCHEMA_ELEMENT.name, text(name)],
    ...rest,
  ]);
}

/** Rows in, row groups out, footer at the end. The caller syncs and closes the file. */
export class TableFile {
  rowCount = 0;
  readonly #file: FileHandle;
  readonly #groups: ThriftStruct[] = [];
  readonly #digests = Buffer.allocUnsafe(TABLE_GROUP_ROWS * (4 + 2 * DIGEST_BYTES_MAX));
  #digestsBytes = 0;
  readonly #rights = new Int32Array(TABLE_GROUP_ROWS);
  /** Milliseconds; where none is known, the row's bit in `#known` is 0. */
  readonly #since = new BigInt64Array(TABLE_GROUP_ROWS);
  readonly #known = Buffer.alloc(TABLE_GROUP_ROWS / 8);
  #knownCount = 0;
  #rows = 0;
  #offset = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async begin(file: FileHandle): Promise<TableFile> {
    const table = new TableFile(file);
    await table.#write(MAGIC);
    return table;
  }

  /** Adds a row; {@link flush} must be awaited whenever {@link isFull}. */
  add(digest: Buffer, rights: number, sinceMs: number | null): void {
    this.#digestsBytes = this.#digests.writeUInt32LE(2 * digest.length, this.#digestsBytes);
    this.#digestsBytes += this.#digests.write(digest.toString('hex'), this.#digestsBytes, 'latin1');
    this.#rights[this.#rows] = rights;
    if (sinceMs !== null) {
      this.#since[this.#knownCount++] = BigInt(sinceMs);
      this.#known[this.#rows >> 3] = (this.#known[this.#rows >> 3] ?? 0) | (1 << (this.#rows & 7));
    }
    this.#rows++;
  }

  get isFull(): boolean {
    return this.#rows === TABLE_GROUP_ROWS;
  }

  /** Writes what was added as a row group. */
  async flush(): Promise<void> {
    const rowCount = this.#rows;
    if (rowCount === 0) return;
    const start = this.#offset;
    const chunks = [
      await this.#chunk(0, this.#digests.subarray(0, this.#digestsBytes), FOR_DIGESTS),
      await this.#chunk(1, bytesOf(this.#rights.subarray(0, rowCount)), FOR_NUMBERS),
      await this.#chunk(
        2,
        Buffer.concat([this.#levels(), bytesOf(this.#since.subarray(0, this.#knownCount))]),
        FOR_NUMBERS,
      ),
    ];
    this.#groups.push(
      new Map([
        [
          ROW_GROUP.columns,
          listOf(
            THRIFT.struct,
            chunks.map(({ chunk }) => chunk),
          ),
        ],
        [ROW_GROUP.totalBytes, i64(chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0))],
        [ROW_GROUP.rowCount, i64(rowCount)],
        [ROW_GROUP.fileOffset, i64(start)],
        [ROW_GROUP.compressedBytes, i64(this.#offset - start)],
      ]),
    );
    this.rowCount += rowCount;
    this.#rows = this.#digestsBytes = this.#knownCount = 0;
    this.#known.fill(0);
  }

  /** Definition levels of `since`: one run of bits, with its length before it. */
  #levels(): Buffer {
    const groups = Math.ceil(this.#rows / 8);
    const head = Buffer.alloc(4 + 5);
    let at = 4;
    for (let rest = groups * 2 + 1; ; rest >>>= 7) {
      head[at++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
      if (rest <= 0x7f) break;
    }
    head.writeUInt32LE(at - 4 + groups);
    return Buffer.concat([head.subarray(0, at), this.#known.subarray(0, groups)]);
  }

  async #chunk(index: number, page: Buffer, how: Parameters<typeof gzipSync>[1]) {
    const { type = 0, name = '' } = COLUMNS[index] ?? {};
    const compressed = gzipSync(page, how);
    const header = writeStruct(
      new Map([
        [PAGE_HEADER.type, i32(PAGE_TYPE.data)],
        [PAGE_HEADER.rawBytes, i32(page.length)],
        [PAGE_HEADER.compressedBytes, i32(compressed.length)],
        [
          PAGE_HEADER.data,
          structField([
            [DATA_PAGE.valueCount, i32(this.#rows)],
            [DATA_PAGE.encoding, i32(ENCODING.plain)],
            [DATA_PAGE.definitionEncoding, i32(ENCODING.rle)],
            [DATA_PAGE.repetitionEncoding, i32(ENCODING.rle)],
          ]),
        ],
      ]),
    );
    const offset = this.#offset;
    await this.#write(header);
    await this.#write(compressed);
    const rawBytes = header.length + page.length;
    const meta = structField([
      [COLUMN_META.type, i32(type)],
      [COLUMN_META.encodings, listOf(THRIFT.i32, [ENCODING.plain, ENCODING.rle])],
      [COLUMN_META.path, listOf(THRIFT.binary, [Buffer.from(name)])],
      [COLUMN_META.codec, i32(CODEC.gzip)],
      [COLUMN_META.valueCount, i64(this.#rows)],
      [COLUMN_META.rawBytes, i64(rawBytes)],
      [COLUMN_META.compressedBytes, i64(this.#offset - offset)],
      [COLUMN_META.dataPageOffset, i64(offset)],
    ]);
    const chunk: ThriftStruct = new Map([
      [COLUMN_CHUNK.fileOffset, i64(offset)],
      [COLUMN_CHUNK.meta, meta],
    ]);
    return { chunk, rawBytes };
  }

  /** Writes the rest and the footer. */
  async end(): Promise<void> {
    await this.flush();
    const footer = writeStruct(
      new Map([
        [FILE_META.version, i32(1)],
        [FILE_META.schema, listOf(THRIFT.struct, SCHEMA)],
        [FILE_META.rowCount, i64(this.rowCount)],
        [FILE_META.rowGroups, listOf(THRIFT.struct, this.#groups)],
        [FILE_META.createdBy, text('optgate')],
      ]),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    await this.#write(Buffer.concat([footer, length, MAGIC]));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#offset + done);
      done += bytesWritten;
    }
    this.#offset += bytes.length;
  }
}

const COLUMNS = [
  { name: 'digest', type: TYPE.bytes },
  { name: 'rights', type: TYPE.int32 },
  { name: 'since', type: TYPE.int64 },
] as const;

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | BigInt64Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
