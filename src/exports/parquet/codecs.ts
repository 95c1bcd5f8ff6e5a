/**
 * Compression of pages: Snappy by ourselves, the others as far as Node has them.
 * @module
 */
import * as zlib from 'node:zlib';
import { CODEC } from './format.js';
import { damaged, ParquetError } from './parquet-error.js';
import type { Scratch } from './scratch.js';
import { snappyCompress, snappyDecompress } from './snappy.js';

export interface Codec {
  /** May take memory from `scratch`. @throws {ParquetError} `parquet.damaged` where it does not make `rawBytes` bytes. */
  decompress(bytes: Uint8Array, rawBytes: number, scratch: Scratch): Uint8Array;
  /** May take memory from `scratch`. */
  compress(bytes: Uint8Array, scratch: Scratch): Uint8Array;
}

type Zstd = (bytes: Uint8Array, options?: { readonly maxOutputLength?: number }) => Buffer;
/** Since Node 22.15. */
const { zstdCompressSync, zstdDecompressSync } = zlib as { zstdCompressSync?: Zstd; zstdDecompressSync?: Zstd };

const AS_IS: Codec = { decompress: (bytes, rawBytes) => exactly(bytes, rawBytes), compress: (bytes) => bytes };
const SNAPPY: Codec = { decompress: snappyDecompress, compress: snappyCompress };
/** As fast as it gets: who filters a file waits for it, and the file is read again soon. */
const GZIP: Codec = {
  decompress: decompressWith((bytes, options) => zlib.gunzipSync(bytes, options)),
  compress: (bytes) => zlib.gzipSync(bytes, { level: 1 }),
};
const BROTLI: Codec = {
  decompress: decompressWith((bytes, options) => zlib.brotliDecompressSync(bytes, options)),
  compress: (bytes) => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
};

/** @throws {ParquetError} `parquet.unsupported`. */
export function codecOf(number: number): Codec {
  switch (number) {
    case CODEC.none:
      return AS_IS;
    case CODEC.snappy:
      return SNAPPY;
    case CODEC.gzip:
      return GZIP;
    case CODEC.brotli:
      return BROTLI;
    case CODEC.zstd:
      if (zstdCompressSync === undefined || zstdDecompressSync === undefined) {
        throw new ParquetError('parquet.unsupported', 'zstd, which needs Node 22.15 or later');
      }
      return { decompress: decompressWith(zstdDecompressSync), compress: (bytes) => zstdCompressSync(bytes) };
    default:
      throw new ParquetError('parquet.unsupported', 'LZO and LZ4 compression');
  }
}

function decompressWith(decompress: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer) {
  return (bytes: Uint8Array, rawBytes: number, scratch: Scratch): Uint8Array => {
    let raw: Uint8Array;
    try {
      raw = decompress(bytes, { maxOutputLength: Math.max(1, rawBytes) });
    } catch (cause) {
      throw new ParquetError('parquet.damaged', 'a compressed page', { cause });
    }
    const own = scratch.bytes(exactly(raw, rawBytes).length);
    own.set(raw);
    return own;
  };
}

function exactly(bytes: Uint8Array, byteCount: number): Uint8Array {
  if (bytes.length !== byteCount) throw damaged('a compressed page');
  return bytes;
}
