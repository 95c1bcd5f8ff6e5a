/**
 * Numbers of variable length, as Thrift's compact protocol and the delta encodings have them: seven bits a byte, low ones first.
 *
 * Every read is checked against the end of the bytes.
 * @module
 */
import { damaged, ParquetError } from './parquet-error.js';

/** Reads on from a place in bytes; behind their end it throws what `ended` says. */
export class NumberReader {
  constructor(
    protected readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** What it means that there is nothing more. */
  protected ended(): ParquetError {
    return new ParquetError('parquet.truncated');
  }

  protected byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw this.ended();
    return byte;
  }

  protected need(byteCount: number): void {
    if (byteCount > this.bytes.length - this.at) throw this.ended();
  }

  protected take(byteCount: number): Uint8Array {
    this.need(byteCount);
    this.at += byteCount;
    return this.bytes.subarray(this.at - byteCount, this.at);
  }

  /** A number of things. @throws {ParquetError} `parquet.damaged` above `max`. */
  protected count(max = 0x7fff_ffff): number {
    const count = this.varint();
    if (count > BigInt(max)) throw damaged('a count');
    return Number(count);
  }

  protected zigzag(): bigint {
    const value = this.varint();
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  protected varint(): bigint {
    let value = 0n;
    let small = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      if (shift < 28) small |= (byte & 0x7f) << shift;
      else value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return value | BigInt(small);
    }
    throw damaged('a number');
  }
}
