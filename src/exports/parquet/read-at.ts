/**
 * Reads parts of an open file, in whatever thread: the descriptor is the process's.
 * @module
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { ParquetError } from './parquet-error.js';

/** Some bytes of a file, read to `memory` of that length where it is given. Throws a {ParquetError} `parquet.truncated`, or what the file system says. */
export type ReadAt = (position: number, byteCount: number, memory?: Uint8Array) => Promise<Buffer>;

const readInto = promisify(read);

export function readerOf(descriptor: number): ReadAt {
  return async (position, byteCount, memory) => {
    const bytes =
      memory === undefined
        ? Buffer.allocUnsafeSlow(byteCount)
        : Buffer.from(memory.buffer, memory.byteOffset, byteCount);
    for (let done = 0; done < byteCount; ) {
      const { bytesRead } = await readInto(descriptor, bytes, done, byteCount - done, position + done);
      if (bytesRead === 0) throw new ParquetError('parquet.truncated');
      done += bytesRead;
    }
    return bytes;
  };
}
