/**
 * Compressed files: gzip, and zstd where this Node.js has it (22.15 and later).
 *
 * What is read is told by its first bytes, what is written by the name of its file: a file of rows that is compressed and
 * not named so must not be taken for one long line. Memory is bounded however much comes out.
 * @module
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { ByteSource } from './file-bytes.js';
import { MemberSource } from './members.js';
import { RowError } from './row-error.js';
import { wholeFrames } from './zstd-frames.js';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Both kinds count the bytes that they have taken. */
type Engine = Transform & { readonly bytesWritten: number };
type MakeTransform = (options: { readonly chunkSize: number }) => Engine;
/** What may not be there. */
const { createZstdCompress, createZstdDecompress } = zlib as {
  readonly createZstdCompress?: MakeTransform;
  readonly createZstdDecompress?: MakeTransform;
};

/** Bytes that come out at a time. */
const CHUNK_BYTES = 256 * 1024;
const MAGIC_BYTES_MAX = 4;
const MAGICS: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Whether this Node.js can read and write it. */
export function isSupported(compression: Compression): boolean {
  return compression !== 'zstd' || (createZstdCompress !== undefined && createZstdDecompress !== undefined);
}

/** How a file is compressed that is named so: `.gz`, `.gzip`, `.zst` or `.zstd` at the end. */
export function compressionOfName(path: string): Compression {
  if (/\.gz(?:ip)?$/i.test(path)) return 'gzip';
  return /\.zstd?$/i.test(path) ? 'zstd' : 'none';
}

/**
 * The bytes of a file, decompressed if they are compressed: several members, or frames, one after another, are one file.
 * A piece of the input, and one that comes out as it went in, need be good until the next one is asked for, no longer.
 *
 * Ends with a {RowError} `compression.unsupported` or `compression.damaged`, or with the error that the input ends with.
 * @param expected How it is compressed; its first bytes say so unless told.
 */
export async function* decompressed(
  input: AsyncIterable<Uint8Array>,
  expected?: Compression,
): AsyncGenerator<Uint8Array> {
  if (expected === 'none') return yield* input;
  const iterator = input[Symbol.asyncIterator]();
  const begun: Uint8Array[] = [];
  let byteCount = 0;
  try {
    while (byteCount < MAGIC_BYTES_MAX) {
      const { done, value } = await iterator.next();
      if (done === true) break;
      begun.push(Buffer.from(value));
      byteCount += value.length;
    }
    const all = putBack(begun, iterator);
    const compression = compressionOfBytes(Buffer.concat(begun));
    if (expected !== undefined && compression !== expected) throw new RowError('compression.damaged', null);
    if (compression === 'none') yield* all;
    else {
      const own = copied(all);
      const whole = compression === 'zstd' ? wholeFrames(own) : own;
      yield* allMembers(whole, () => decompressor(compression));
    }
  } finally {
    await iterator.return?.();
  }
}

/** As {@link decompressed}, to be read to where it is wanted: what is not compressed is not copied on the way. */
export function decompressedSource(disk: ByteSource, expected?: Compression): ByteSource {
  const first = new Uint8Array(MAGIC_BYTES_MAX);
  let firstBytes = 0;
  let rest: AsyncIterator<Uint8Array> | null = null;
  let piece: Uint8Array | null = null;
  /** Looks at the first bytes, once. */
  async function begin(): Promise<Uint8Array> {
    while (firstBytes < first.length) {
      const length = await disk.readInto(first.subarray(firstBytes));
      if (length === 0) break;
      firstBytes += length;
    }
    const begun = first.subarray(0, firstBytes);
    if (expected === 'none' || (expected === undefined && compressionOfBytes(begun) === 'none')) return begun;
    rest = decompressed(putBack([begun], disk[Symbol.asyncIterator]()), expected);
    return new Uint8Array(0);
  }
  return {
    async readInto(memory) {
      piece ??= await begin();
      while (piece.length === 0) {
        if (rest === null) return disk.readInto(memory);
        const { done, value } = await rest.next();
        if (done === true) return 0;
        piece = value;
      }
      const taken = piece.subarray(0, memory.length);
      memory.set(taken);
      piece = piece.subarray(taken.length);
      return taken.length;
    },
    async close() {
      // not waited for: it may be at a piece that a pipe never gives
      void Promise.resolve(rest?.return?.()).catch(() => {});
      await disk.close();
    },
    [Symbol.asyncIterator]: () => decompressed(disk, expected),
  };
}

/** The bytes as they are written to a file. Throws a RowError `compression.unsupported`. */
export function compressed(output: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none':
      return output;
    case 'gzip':
      return through(output, zlib.createGzip({ chunkSize: CHUNK_BYTES }));
    case 'zstd':
      if (createZstdCompress === undefined) throw unsupported();
      return through(output, createZstdCompress({ chunkSize: CHUNK_BYTES }));
    default:
      return compression satisfies never;
  }
}

function compressionOfBytes(bytes: Uint8Array): Compression {
  const found = MAGICS.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte));
  return found === undefined ? 'none' : found[0];
}

function decompressor(compression: 'gzip' | 'zstd'): Engine {
  if (compression === 'gzip') return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  if (createZstdDecompress === undefined) throw unsupported();
  return createZstdDecompress({ chunkSize: CHUNK_BYTES });
}

async function* putBack(begun: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* begun;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

/** Pieces that stay as they are: an engine is given some ahead. */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

async function* through(input: AsyncIterable<Uint8Array>, engine: Engine): AsyncGenerator<Uint8Array> {
  pipeline(Readable.from(input), engine, () => {}); // whoever takes from the engine hears of errors
  yield* engine as AsyncIterable<Uint8Array>;
}

/** An engine for each member: that of gzip stops before zeros, that of zstd before whatever comes in the same piece. */
async function* allMembers(input: AsyncIterable<Uint8Array>, makeEngine: () => Engine): AsyncGenerator<Uint8Array> {
  const source = new MemberSource(input);
  try {
    for (let hasMore = true; hasMore; ) {
      const engine = makeEngine();
      yield* through(
        source.pieces(() => engine.bytesWritten),
        engine,
      );
      hasMore = await source.hasMore(engine.bytesWritten);
    }
  } catch (error) {
    if (source.error !== null || error instanceof RowError) throw source.error ?? error;
    throw new RowError('compression.damaged', null, undefined, { cause: error });
  } finally {
    await source.close();
  }
}

function unsupported(): RowError {
  return new RowError('compression.unsupported', null, `this is ${process.versions.node}`);
}
