/**
 * A column of values for a bulk insert, as PostgreSQL's binary array: what both drivers pass on without looking inside.
 *
 * Layout (PostgreSQL, array_recv): dimensions, null flag, type of an element, count, first index; then every value after
 * its length in bytes, -1 for null. Big-endian.
 * @module
 */

/** A column that is ready to be sent. */
export interface PackedColumn {
  /** SQL name of the type of a value. */
  readonly type: 'int8' | 'int4' | 'int2' | 'bool' | 'uuid' | 'bytea' | 'text';
  /** A binary array of that type. */
  readonly bytes: Buffer;
}

const TYPE_OID = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, uuid: 2950 } as const;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;
const UUID_BYTES = 16;

export function int8Column(values: ArrayLike<bigint>): PackedColumn {
  return fixed('int8', 8, values.length, (bytes, at, index) => bytes.writeBigInt64BE(values[index] ?? 0n, at));
}

export function int4Column(values: ArrayLike<number>): PackedColumn {
  return fixed('int4', 4, values.length, (bytes, at, index) => bytes.writeInt32BE(values[index] ?? 0, at));
}

export function int2Column(values: ArrayLike<number>): PackedColumn {
  return fixed('int2', 2, values.length, (bytes, at, index) => bytes.writeInt16BE(values[index] ?? 0, at));
}

export function boolColumn(values: ArrayLike<boolean | number>): PackedColumn {
  return fixed('bool', 1, values.length, (bytes, at, index) => bytes.writeUInt8(values[index] ? 1 : 0, at));
}

/** Uuids that stand one after the other, 16 bytes each. */
export function uuidColumn(uuids: Uint8Array): PackedColumn {
  return fixed('uuid', UUID_BYTES, uuids.length / UUID_BYTES, (bytes, at, index) =>
    bytes.set(uuids.subarray(index * UUID_BYTES, (index + 1) * UUID_BYTES), at),
  );
}

export function byteaColumn(values: readonly (Uint8Array | null)[]): PackedColumn {
  return varying('bytea', values);
}

export function textColumn(values: readonly (string | null)[]): PackedColumn {
  return varying(
    'text',
    values.map((text) => (text === null ? null : Buffer.from(text))),
  );
}

type Type = PackedColumn['type'];

function fixed(
  type: Type,
  valueBytes: number,
  count: number,
  write: (bytes: Buffer, at: number, index: number) => void,
): PackedColumn {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + count * (LENGTH_BYTES + valueBytes));
  writeHeader(bytes, type, count, false);
  for (let index = 0, at = HEADER_BYTES; index < count; index++, at += LENGTH_BYTES + valueBytes) {
    bytes.writeInt32BE(valueBytes, at);
    write(bytes, at + LENGTH_BYTES, index);
  }
  return { type, bytes };
}

function varying(type: Type, values: readonly (Uint8Array | null)[]): PackedColumn {
  let byteLength = HEADER_BYTES;
  for (const value of values) byteLength += LENGTH_BYTES + (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(byteLength);
  writeHeader(bytes, type, values.length, values.includes(null));
  let at = HEADER_BYTES;
  for (const value of values) {
    at = bytes.writeInt32BE(value === null ? NULL_LENGTH : value.length, at);
    if (value === null) continue;
    bytes.set(value, at);
    at += value.length;
  }
  return { type, bytes };
}

function writeHeader(bytes: Buffer, type: Type, count: number, hasNulls: boolean): void {
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(hasNulls ? 1 : 0, 4);
  bytes.writeInt32BE(TYPE_OID[type], 8);
  bytes.writeInt32BE(count, 12);
  bytes.writeInt32BE(1, 16);
}
