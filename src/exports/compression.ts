/**
 * Compressed files: gzip, and zstd where this Node.js has it (22.15 and later).
 *
 * What is read is told by its first bytes, what is written by the name of its file: a file of rows that is compressed and
 * not named so must not be taken for one long line. Memory is bounded however much comes out.
 * @module
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { RowError } from './row-error.js';

export type Compression = 'none' | 'gzip' | 'zstd';

type MakeTransform = () => Transform;
/** What may not be there. */
const { createZstdCompress, createZstdDecompress } = zlib as {
  readonly createZstdCompress?: MakeTransform;
  readonly createZstdDecompress?: MakeTransform;
};

const MAGIC_BYTES_MAX = 4;
const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** How a file is compressed that is named so: `.gz`, `.gzip`, `.zst` or `.zstd` at the end. */
export function compressionOfName(path: string): Compression {
  if (/\.gz(?:ip)?$/i.test(path)) return 'gzip';
  return /\.zstd?$/i.test(path) ? 'zstd' : 'none';
}

/**
 * The bytes of a file, decompressed if they are compressed.
 *
 * Ends with a {RowError} `compression.unsupported` or `compression.damaged`, or with the error that the input ends with.
 */
export async function* decompressed(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = input[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  let byteCount = 0;
  try {
    while (byteCount < MAGIC_BYTES_MAX) {
      const { done, value } = await iterator.next();
      if (done === true) break;
      begun.push(value);
      byteCount += value.length;
    }
    const all = putBack(begun, iterator);
    const compression = compressionOfBytes(Buffer.concat(begun));
    if (compression === 'none') yield* all;
    else yield* through(all, decompressor(compression), true);
  } finally {
    await iterator.return?.();
  }
}

/** The bytes as they are written to a file. Throws a RowError `compression.unsupported`. */
export function compressed(output: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none':
      return output;
    case 'gzip':
      return through(output, zlib.createGzip(), false);
    case 'zstd':
      if (createZstdCompress === undefined) throw unsupported();
      return through(output, createZstdCompress(), false);
    default:
      return compression satisfies never;
  }
}

function compressionOfBytes(bytes: Uint8Array): Compression {
  const found = MAGICS.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte));
  return found === undefined ? 'none' : found[0];
}

function decompressor(compression: 'gzip' | 'zstd'): Transform {
  if (compression === 'gzip') return zlib.createGunzip();
  if (createZstdDecompress === undefined) throw unsupported();
  return createZstdDecompress();
}

async function* putBack(begun: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* begun;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

async function* through(
  input: AsyncIterable<Uint8Array>,
  transform: Transform,
  isReading: boolean,
): AsyncGenerator<Uint8Array> {
  let inputError: unknown = null;
  const source = Readable.from(noting(input, (error) => (inputError = error)));
  pipeline(source, transform, () => {}); // whoever takes from the transform hears of errors
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (inputError !== null || !isReading) throw inputError ?? error;
    throw new RowError('compression.damaged', null, undefined, { cause: error });
  }
}

async function* noting(input: AsyncIterable<Uint8Array>, note: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* input;
  } catch (error) {
    note(error);
    throw error;
  }
}

function unsupported(): RowError {
  return new RowError('compression.unsupported', null, `Node.js ${process.versions.node}`);
}
