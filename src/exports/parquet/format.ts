/**
 * The numbers of the Parquet format that are used here (apache/parquet-format, parquet.thrift): fields, types, encodings.
 * @module
 */

/** `PAR1`, at both ends of a file. */
export const MAGIC = Buffer.from('PAR1');
/** At the end of a file whose footer is encrypted. */
export const MAGIC_ENCRYPTED = Buffer.from('PARE');

export const FILE_META = { version: 1, schema: 2, rowCount: 3, rowGroups: 4, createdBy: 6, encryption: 8 } as const;
export const SCHEMA_ELEMENT = {
  type: 1,
  typeLength: 2,
  repetition: 3,
  name: 4,
  childCount: 5,
  convertedType: 6,
  logicalType: 10,
} as const;
export const ROW_GROUP = {
  columns: 1,
  totalBytes: 2,
  rowCount: 3,
  sorting: 4,
  fileOffset: 5,
  compressedBytes: 6,
  ordinal: 7,
} as const;
export const COLUMN_CHUNK = {
  filePath: 1,
  fileOffset: 2,
  meta: 3,
  offsetIndexOffset: 4,
  offsetIndexBytes: 5,
  columnIndexOffset: 6,
  columnIndexBytes: 7,
  crypto: 8,
  encryptedMeta: 9,
} as const;
export const COLUMN_META = {
  type: 1,
  encodings: 2,
  path: 3,
  codec: 4,
  valueCount: 5,
  rawBytes: 6,
  compressedBytes: 7,
  keyValues: 8,
  dataPageOffset: 9,
  indexPageOffset: 10,
  dictionaryPageOffset: 11,
  statistics: 12,
  encodingStats: 13,
  bloomOffset: 14,
  bloomBytes: 15,
  sizeStatistics: 16,
  geospatialStatistics: 17,
} as const;
export const PAGE_HEADER = {
  type: 1,
  rawBytes: 2,
  compressedBytes: 3,
  crc: 4,
  data: 5,
  dictionary: 7,
  dataV2: 8,
} as const;
export const DATA_PAGE = {
  valueCount: 1,
  encoding: 2,
  definitionEncoding: 3,
  repetitionEncoding: 4,
  statistics: 5,
} as const;
export const DICTIONARY_PAGE = { valueCount: 1, encoding: 2 } as const;
export const DATA_PAGE_V2 = {
  valueCount: 1,
  nullCount: 2,
  rowCount: 3,
  encoding: 4,
  definitionBytes: 5,
  repetitionBytes: 6,
  isCompressed: 7,
  statistics: 8,
} as const;

export const PAGE_TYPE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;
export const TYPE = { boolean: 0, int32: 1, int64: 2, int96: 3, float: 4, double: 5, bytes: 6, fixed: 7 } as const;
export const REPETITION = { required: 0, optional: 1, repeated: 2 } as const;
export const CODEC = { none: 0, snappy: 1, gzip: 2, lzo: 3, brotli: 4, lz4: 5, zstd: 6, lz4Raw: 7 } as const;
export const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  bitPacked: 4,
  deltaBinaryPacked: 5,
  deltaLengthBytes: 6,
  deltaBytes: 7,
  rleDictionary: 8,
  byteStreamSplit: 9,
} as const;
