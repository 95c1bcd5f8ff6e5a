/**
 * Writes msgpack, and frames of it, into one buffer that grows: the shortest form of every value, as the reference
 * implementations write it.
 * @module
 */
import { FRAME_HEADER_BYTES } from './protocol.js';

/** A buffer that grew beyond this is given back once it is empty. */
export const KEPT_BYTES_MAX = 256 * 1024;
const FIRST_BYTES = 4096;
/** Deepest nesting that is written; deeper means the value holds itself. */
export const WRITE_DEPTH_MAX = 512;

export class MsgpackWriter {
  private bytes: Buffer;
  private at = 0;

  constructor(private readonly firstBytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafe(firstBytes);
  }

  /** How many bytes were written since the last take. */
  get byteCount(): number {
    return this.at;
  }

  /** A copy of what was written; begins anew. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.at);
    this.bytes.copy(taken, 0, 0, this.at);
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = Buffer.allocUnsafe(this.firstBytes);
    return taken;
  }

  /** Forgets what was written from here on. */
  rewind(at: number): void {
    this.at = at;
  }

  /** Leaves room for the length of a frame; returns what {@link endFrame} needs. */
  beginFrame(): number {
    this.reserve(FRAME_HEADER_BYTES);
    const start = this.at;
    this.at += FRAME_HEADER_BYTES;
    return start;
  }

  /** The frame that began at `start` ends here; returns the bytes of its value. */
  endFrame(start: number): number {
    const byteCount = this.at - start - FRAME_HEADER_BYTES;
    this.bytes.writeUInt32BE(byteCount, start);
    return byteCount;
  }

  nil(): void {
    this.byte(0xc0);
  }

  boolean(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  arrayHeader(count: number): void {
    if (count < 16) this.byte(0x90 | count);
    else this.header(0xdc, count, 2);
  }

  mapHeader(count: number): void {
    if (count < 16) this.byte(0x80 | count);
    else this.header(0xde, count, 2);
  }

  binary(value: Uint8Array): void {
    this.header(0xc4, value.length, 1);
    this.raw(value);
  }

  /** The bytes of a text, as bytes. */
  binaryText(value: string): void {
    const byteCount = Buffer.byteLength(value);
    this.header(0xc4, byteCount, 1);
    this.reserve(byteCount);
    this.at += this.bytes.write(value, this.at, 'utf8');
  }

  /** Bytes that are msgpack already. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  text(value: string): void {
    const byteCount = Buffer.byteLength(value);
    if (byteCount < 32) this.byte(0xa0 | byteCount);
    else this.header(0xd9, byteCount, 1);
    this.reserve(byteCount);
    this.at += this.bytes.write(value, this.at, 'utf8');
  }

  /** HOT. A whole number from 0 to 2^53 - 1. */
  wholeNumber(value: number): void {
    this.reserve(9);
    const { bytes, at } = this;
    if (value < 0x80) {
      bytes[at] = value;
      this.at = at + 1;
    } else if (value <= 0xffff_ffff) {
      this.header(0xcc, value, 1);
    } else {
      bytes[at] = 0xcf;
      bytes.writeBigUInt64BE(BigInt(value), at + 1);
      this.at = at + 9;
    }
  }

  number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.wholeNumber(value);
      else this.negative(value);
      return;
    }
    this.reserve(9);
    this.bytes[this.at] = 0xcb;
    this.bytes.writeDoubleBE(value, this.at + 1);
    this.at += 9;
  }

  /**
   * A value of JSON's types, or bytes. Members that are `undefined` are left out.
   * @throws {TypeError} where there is anything else, or it is nested deeper than `WRITE_DEPTH_MAX`.
   */
  value(value: unknown, depth = 0): void {
    if (depth > WRITE_DEPTH_MAX) throw new TypeError(`expected a value nested at most ${WRITE_DEPTH_MAX} deep`);
    switch (typeof value) {
      case 'string':
        this.text(value);
        break;
      case 'number':
        this.number(value);
        break;
      case 'boolean':
        this.boolean(value);
        break;
      case 'object':
        if (value === null) this.nil();
        else this.object(value, depth);
        break;
      default:
        throw new TypeError(`expected a value that JSON has, got a ${typeof value}`);
    }
  }

  private object(value: object, depth: number): void {
    if (value instanceof Uint8Array) {
      this.binary(value);
    } else if (Array.isArray(value)) {
      this.arrayHeader(value.length);
      for (const element of value) this.value(element, depth + 1);
    } else {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      this.mapHeader(members.length);
      for (const [key, member] of members) {
        this.text(key);
        this.value(member, depth + 1);
      }
    }
  }

  private negative(value: number): void {
    this.reserve(9);
    const { bytes, at } = this;
    if (value >= -0x20) {
      bytes[at] = value + 0x100;
      this.at = at + 1;
    } else if (value >= -0x80) {
      bytes[at] = 0xd0;
      this.at = bytes.writeInt8(value, at + 1);
    } else if (value >= -0x8000) {
      bytes[at] = 0xd1;
      this.at = bytes.writeInt16BE(value, at + 1);
    } else if (value >= -0x8000_0000) {
      bytes[at] = 0xd2;
      this.at = bytes.writeInt32BE(value, at + 1);
    } else {
      bytes[at] = 0xd3;
      this.at = bytes.writeBigInt64BE(BigInt(value), at + 1);
    }
  }

  /** A type and a count in the fewest of 1, 2 or 4 bytes; `type` is that of the smallest width there is. */
  private header(type: number, count: number, smallestWidth: 1 | 2): void {
    this.reserve(5);
    const { bytes, at } = this;
    const next = smallestWidth === 1 ? type + 1 : type;
    if (smallestWidth === 1 && count <= 0xff) {
      bytes[at] = type;
      bytes[at + 1] = count;
      this.at = at + 2;
    } else if (count <= 0xffff) {
      bytes[at] = next;
      this.at = bytes.writeUInt16BE(count, at + 1);
    } else {
      bytes[at] = next + 1;
      this.at = bytes.writeUInt32BE(count, at + 1);
    }
  }

  private byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  private reserve(byteCount: number): void {
    const needed = this.at + byteCount;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
}
