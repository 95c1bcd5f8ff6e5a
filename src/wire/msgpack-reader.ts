/**
 * Reads msgpack from bytes of a stranger: nothing is allocated on the word of a header, nothing is nested without bound.
 *
 * Only what JSON has is a value; bytes are read where the caller asks for bytes. Stricter than msgpack itself: text must
 * be UTF-8, and a map has no key twice, because two readers would disagree about which one counts.
 * @module
 */
import { isUtf8 } from 'node:buffer';

export type MsgpackFaultCode =
  | 'msgpack.malformed'
  | 'msgpack.too_deep'
  | 'msgpack.too_many_values'
  | 'msgpack.key'
  | 'msgpack.type'
  | 'msgpack.not_utf8';

/** Thrown by the reader for what it cannot read; caught where the message as a whole is answered. */
export class MsgpackFault extends Error {
  override readonly name = 'MsgpackFault';
  constructor(readonly code: MsgpackFaultCode) {
    super(code);
  }
}

/** One each, made once: a stranger decides how many are thrown, and a stack trace costs more than reading. */
const FAULTS = {
  malformed: new MsgpackFault('msgpack.malformed'),
  tooDeep: new MsgpackFault('msgpack.too_deep'),
  tooMany: new MsgpackFault('msgpack.too_many_values'),
  key: new MsgpackFault('msgpack.key'),
  type: new MsgpackFault('msgpack.type'),
  notUtf8: new MsgpackFault('msgpack.not_utf8'),
};

/** Deepest nesting of a value; twice what the gate looks at (core/openrtb/json.ts). */
export const VALUE_DEPTH_MAX = 128;
/** Most values in one message, containers and members alike: an empty map takes one byte to send and 56 to keep. */
export const VALUE_COUNT_MAX = 262_144;
/** Up to this length a text of ASCII is put together here; a call into the runtime costs more than the loop. */
const SHORT_TEXT_BYTES = 16;

export class MsgpackReader {
  /** The next byte to read. */
  at = 0;
  /** Where the bytes end that may be read. */
  end = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private valueCount = 0;

  /** Begins anew with the bytes `[at, end)`. */
  reset(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.valueCount = 0;
  }

  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** HOT. The number of elements of the array that begins here, or -1 if no array does. */
  arrayCount(): number {
    const type = this.peek();
    if (type >= 0x90 && type <= 0x9f) {
      this.at++;
      return this.counted(type & 0x0f, 1);
    }
    if (type !== 0xdc && type !== 0xdd) return -1;
    this.at++;
    return this.counted(this.unsigned(type === 0xdc ? 2 : 4), 1);
  }

  /** The number of members of the map that begins here, or -1 if no map does. */
  mapCount(): number {
    const type = this.peek();
    if (type >= 0x80 && type <= 0x8f) {
      this.at++;
      return this.counted(type & 0x0f, 2);
    }
    if (type !== 0xde && type !== 0xdf) return -1;
    this.at++;
    return this.counted(this.unsigned(type === 0xde ? 2 : 4), 2);
  }

  /** HOT. The bytes that begin here, as a view; `null` if none do. */
  binary(): Buffer | null {
    const type = this.peek();
    if (type < 0xc4 || type > 0xc6) return null;
    this.at++;
    const byteCount = this.unsigned(1 << (type - 0xc4));
    const start = this.skip(byteCount);
    return this.bytes.subarray(start, start + byteCount);
  }

  /** The text that begins here; `null` if none does. */
  text(): string | null {
    const type = this.peek();
    let byteCount: number;
    if (type >= 0xa0 && type <= 0xbf) {
      this.at++;
      byteCount = type & 0x1f;
    } else if (type >= 0xd9 && type <= 0xdb) {
      this.at++;
      byteCount = this.unsigned(1 << (type - 0xd9));
    } else {
      return null;
    }
    const start = this.skip(byteCount);
    return textOf(this.bytes, start, start + byteCount);
  }

  /** HOT. The whole number from 0 to 2^53 - 1 that begins here; -1 if none does. */
  wholeNumber(): number {
    const type = this.peek();
    if (type <= 0x7f) {
      this.at++;
      return type;
    }
    if (type < 0xcc || type > 0xcf) return -1;
    this.at++;
    const value = this.unsigned(1 << (type - 0xcc));
    return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  /** True, and past it, if nil begins here. */
  isNil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.at++;
    return true;
  }

  /** The value that begins here. @param withBinary Whether bytes may be one. */
  value(withBinary = false, depth = 0): unknown {
    if (++this.valueCount > VALUE_COUNT_MAX) throw FAULTS.tooMany;
    const type = this.peek();
    if (type <= 0x7f) {
      this.at++;
      return type;
    }
    if (type >= 0xe0) {
      this.at++;
      return type - 0x100;
    }
    if (type <= 0x8f || type === 0xde || type === 0xdf) return this.map(withBinary, depth);
    if (type <= 0x9f || type === 0xdc || type === 0xdd) return this.array(withBinary, depth);
    if (type <= 0xbf || (type >= 0xd9 && type <= 0xdb)) return this.text();
    if (type >= 0xca && type <= 0xd3) return this.number();
    this.at++;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc1: // never used, says msgpack
        throw FAULTS.malformed;
      default:
        this.at--;
        if (withBinary && type <= 0xc6) return this.binary();
        throw FAULTS.type;
    }
  }

  private array(withBinary: boolean, depth: number): unknown[] {
    const count = this.arrayCount();
    if (depth >= VALUE_DEPTH_MAX) throw FAULTS.tooDeep;
    const array: unknown[] = [];
    for (let index = 0; index < count; index++) array.push(this.value(withBinary, depth + 1));
    return array;
  }

  private map(withBinary: boolean, depth: number): Record<string, unknown> {
    const count = this.mapCount();
    if (depth >= VALUE_DEPTH_MAX) throw FAULTS.tooDeep;
    const map: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const key = this.text();
      if (key === null || Object.hasOwn(map, key)) throw FAULTS.key;
      const value = this.value(withBinary, depth + 1);
      if (key !== '__proto__') map[key] = value;
      // Assigning would set the prototype instead.
      else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return map;
  }

  /** Numbers of 64 bits beyond 2^53 lose their last digits, as JSON's do. */
  private number(): number {
    const type = this.peek();
    this.at++;
    const { bytes } = this;
    switch (type) {
      case 0xca:
        return bytes.readFloatBE(this.skip(4));
      case 0xcb:
        return bytes.readDoubleBE(this.skip(8));
      case 0xd0:
        return bytes.readInt8(this.skip(1));
      case 0xd1:
        return bytes.readInt16BE(this.skip(2));
      case 0xd2:
        return bytes.readInt32BE(this.skip(4));
      case 0xd3:
        return Number(bytes.readBigInt64BE(this.skip(8)));
      default:
        return this.unsigned(1 << (type - 0xcc));
    }
  }

  private unsigned(byteCount: number): number {
    const at = this.skip(byteCount);
    const { bytes } = this;
    switch (byteCount) {
      case 1:
        return bytes[at]!;
      case 2:
        return bytes.readUInt16BE(at);
      case 4:
        return bytes.readUInt32BE(at);
      default:
        return Number(bytes.readBigUInt64BE(at));
    }
  }

  /** Every element takes a byte at least: a count that cannot be true is refused before anything is made of it. */
  private counted(count: number, valuesEach: number): number {
    if (count * valuesEach > this.end - this.at) throw FAULTS.malformed;
    return count;
  }

  private peek(): number {
    if (this.at >= this.end) throw FAULTS.malformed;
    return this.bytes[this.at]!;
  }

  /** Goes past `byteCount` bytes; returns where they begin. */
  private skip(byteCount: number): number {
    const start = this.at;
    if (byteCount > this.end - start) throw FAULTS.malformed;
    this.at = start + byteCount;
    return start;
  }
}

function textOf(bytes: Buffer, start: number, end: number): string {
  if (end - start <= SHORT_TEXT_BYTES) {
    let text = '';
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  if (!isUtf8(bytes.subarray(start, end))) throw FAULTS.notUtf8;
  return bytes.toString('utf8', start, end);
}
