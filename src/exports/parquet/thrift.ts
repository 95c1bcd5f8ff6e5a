/**
 * Thrift's compact protocol, as Parquet uses it for its footer and page headers (apache/thrift, thrift-compact-protocol.md).
 *
 * Structs are read whole, with every field there is, and written again as they were: what this code does not know stays.
 * @module
 */
import { damaged } from './parquet-error.js';
import { NumberReader } from './varint.js';

/** Types of the wire. A boolean field has its value in its type. */
export const THRIFT = {
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;

/** Deepest nesting that is read; a footer of Parquet needs six. */
export const THRIFT_DEPTH_MAX = 32;

/** Integers of 64 bits are bigints, all others numbers; a double is its eight bytes. */
export type ThriftValue = boolean | number | bigint | Uint8Array | ThriftList | ThriftMap | ThriftStruct;

export interface ThriftField {
  readonly type: number;
  readonly value: ThriftValue;
}

/** Fields by id, in the order of the wire. */
export type ThriftStruct = Map<number, ThriftField>;

export interface ThriftList {
  readonly kind: 'list';
  readonly elementType: number;
  readonly elements: readonly ThriftValue[];
}

export interface ThriftMap {
  readonly kind: 'map';
  readonly keyType: number;
  readonly valueType: number;
  readonly entries: readonly (readonly [ThriftValue, ThriftValue])[];
}

/**
 * Reads the struct at `bytes[at..]`, and says where it ends.
 * @throws {ParquetError} `parquet.truncated`, `parquet.damaged`; for any bytes at all, and nothing else.
 */
export function readStruct(bytes: Uint8Array, at = 0): { readonly struct: ThriftStruct; readonly end: number } {
  const reader = new Reader(bytes, at);
  const struct = reader.struct(0);
  return { struct, end: reader.at };
}

class Reader extends NumberReader {
  struct(depth: number): ThriftStruct {
    if (depth > THRIFT_DEPTH_MAX) throw damaged('nesting');
    const fields: ThriftStruct = new Map();
    for (let id = 0; ; ) {
      const head = this.byte();
      if (head === 0) return fields;
      const step = head >> 4;
      id = step === 0 ? Number(this.zigzag()) : id + step;
      const type = head & 15;
      const value = type === THRIFT.true || type === THRIFT.false ? type === THRIFT.true : this.value(type, depth);
      fields.set(id, { type, value });
    }
  }

  private value(type: number, depth: number): ThriftValue {
    switch (type) {
      case THRIFT.true:
      case THRIFT.false:
        return this.byte() === THRIFT.true;
      case THRIFT.i8:
        return (this.byte() << 24) >> 24;
      case THRIFT.i16:
      case THRIFT.i32:
        return Number(this.zigzag());
      case THRIFT.i64:
        return this.zigzag();
      case THRIFT.double:
        return this.take(8);
      case THRIFT.binary:
        return this.take(this.count());
      case THRIFT.list:
      case THRIFT.set:
        return this.list(depth + 1);
      case THRIFT.map:
        return this.map(depth + 1);
      case THRIFT.struct:
        return this.struct(depth + 1);
      default:
        throw damaged('a type of Thrift that there is not');
    }
  }

  private list(depth: number): ThriftList {
    if (depth > THRIFT_DEPTH_MAX) throw damaged('nesting');
    const head = this.byte();
    const elementType = head & 15;
    const count = head >> 4 === 15 ? this.count() : head >> 4;
    this.need(count); // every element takes a byte at least
    const elements: ThriftValue[] = [];
    for (let index = 0; index < count; index++) elements.push(this.value(elementType, depth));
    return { kind: 'list', elementType, elements };
  }

  private map(depth: number): ThriftMap {
    if (depth > THRIFT_DEPTH_MAX) throw damaged('nesting');
    const count = this.count();
    const types = count === 0 ? 0 : this.byte();
    const [keyType, valueType] = [types >> 4, types & 15];
    this.need(count);
    const entries: [ThriftValue, ThriftValue][] = [];
    for (let index = 0; index < count; index++) {
      entries.push([this.value(keyType, depth), this.value(valueType, depth)]);
    }
    return { kind: 'map', keyType, valueType, entries };
  }
}

/** The bytes of a struct. */
export function writeStruct(struct: ThriftStruct): Buffer {
  const writer = new Writer();
  writer.struct(struct);
  return writer.bytes();
}

class Writer {
  private buffer = Buffer.allocUnsafe(1024);
  private at = 0;

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  struct(struct: ThriftStruct): void {
    let last = 0;
    for (const [id, { type, value }] of struct) {
      const wireType = typeof value === 'boolean' ? (value ? THRIFT.true : THRIFT.false) : type;
      const step = id - last;
      if (step > 0 && step < 16) this.byte((step << 4) | wireType);
      else {
        this.byte(wireType);
        this.zigzag(BigInt(id));
      }
      last = id;
      if (typeof value !== 'boolean') this.value(wireType, value);
    }
    this.byte(0);
  }

  private value(type: number, value: ThriftValue): void {
    if (typeof value === 'boolean') this.byte(value ? THRIFT.true : THRIFT.false);
    else if (typeof value === 'bigint') this.zigzag(value);
    else if (typeof value === 'number') {
      if (type === THRIFT.i8) this.byte(value & 0xff);
      else this.zigzag(BigInt(value));
    } else if (value instanceof Map) this.struct(value);
    else if (value instanceof Uint8Array) {
      if (type !== THRIFT.double) this.varint(BigInt(value.length));
      this.raw(value);
    } else if (value.kind === 'list') this.list(value);
    else this.map(value);
  }

  private list({ elementType, elements }: ThriftList): void {
    const isShort = elements.length < 15;
    this.byte(((isShort ? elements.length : 15) << 4) | elementType);
    if (!isShort) this.varint(BigInt(elements.length));
    for (const element of elements) this.value(elementType, element);
  }

  private map({ keyType, valueType, entries }: ThriftMap): void {
    this.varint(BigInt(entries.length));
    if (entries.length === 0) return;
    this.byte((keyType << 4) | valueType);
    for (const [key, value] of entries) {
      this.value(keyType, key);
      this.value(valueType, value);
    }
  }

  private zigzag(value: bigint): void {
    this.varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  }

  private varint(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  private byte(byte: number): void {
    this.reserve(1);
    this.buffer[this.at++] = byte;
  }

  private raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }

  private reserve(byteCount: number): void {
    if (this.at + byteCount <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.at + byteCount));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}

/** A field to be written. */
export const i32 = (value: number): ThriftField => ({ type: THRIFT.i32, value });
export const i64 = (value: number): ThriftField => ({ type: THRIFT.i64, value: BigInt(value) });
export const text = (value: string): ThriftField => ({ type: THRIFT.binary, value: Buffer.from(value) });
export const flag = (value: boolean): ThriftField => ({ type: value ? THRIFT.true : THRIFT.false, value });
export const structField = (fields: Iterable<readonly [number, ThriftField]>): ThriftField => ({
  type: THRIFT.struct,
  value: new Map(fields),
});
export const listOf = (elementType: number, elements: readonly ThriftValue[]): ThriftField => ({
  type: THRIFT.list,
  value: { kind: 'list', elementType, elements },
});

/** A whole number in a struct; `undefined` if it is not there. @throws {ParquetError} if it is something else. */
export function numberIn(struct: ThriftStruct, id: number): number | undefined {
  const value = struct.get(id)?.value;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' && typeof value !== 'bigint') throw damaged('a field of the wrong type');
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw damaged('a number');
  return number;
}

/** A number that must be there, and not below zero. */
export function countIn(struct: ThriftStruct, id: number): number {
  const value = numberIn(struct, id);
  if (value === undefined || value < 0) throw damaged('a count');
  return value;
}

export function structIn(struct: ThriftStruct, id: number): ThriftStruct | undefined {
  const value = struct.get(id)?.value;
  if (value !== undefined && !(value instanceof Map)) throw damaged('a field of the wrong type');
  return value;
}

/** The structs of a list; none if the list is not there. */
export function structsIn(struct: ThriftStruct, id: number): readonly ThriftStruct[] {
  const value = struct.get(id)?.value;
  if (value === undefined) return [];
  if (typeof value !== 'object' || !('elements' in value)) throw damaged('a field of the wrong type');
  return value.elements.map((element) => {
    if (!(element instanceof Map)) throw damaged('a field of the wrong type');
    return element;
  });
}

export function textIn(struct: ThriftStruct, id: number): string {
  const value = struct.get(id)?.value;
  if (!(value instanceof Uint8Array)) throw damaged('a field of the wrong type');
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
}
