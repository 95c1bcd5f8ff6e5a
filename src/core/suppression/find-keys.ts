/**
 * Looks for keys in buckets of a table, four at a time, in WebAssembly over the table's own memory.
 *
 *     find4(bucket, high, low, bucket, high, low, bucket, high, low, bucket, high, low)
 *       a byte for each key, the first lowest: its rights if it is in that bucket; 128 if it is not, nor has the bucket room for it
 *
 * The eight slots of a bucket are compared with four loads and no branch between them, each of which a processor would guess wrong
 * for every other key. A slot is read once, and both its words in one load; should that load tear, it sees the slot as it was
 * before, as table.ts says.
 * @module
 */
import {
  add,
  and,
  and128,
  type Code,
  compiledForShared,
  constant128,
  equal64x2,
  eqz,
  get,
  I32,
  i32,
  instanceOver,
  load32At,
  load128,
  or,
  or128,
  type SharedMemory,
  set,
  shl,
  shuffle8,
  splat32,
  tee,
  V128,
  type WasmFunction,
  type WasmModule,
  word32,
  xor128,
} from '../wasm.js';
import { BUCKET_BYTES, HEADER_BYTES, RIGHTS_MASK } from './layout.js';

export const FIND_AT_ONCE = 4;

export interface KeyFinder {
  find4(
    bucket0: number,
    high0: number,
    low0: number,
    bucket1: number,
    high1: number,
    low1: number,
    bucket2: number,
    high2: number,
    low2: number,
    bucket3: number,
    high3: number,
    low3: number,
  ): number;
}

let ofThread: WasmModule | null = null;

/** A finder for the table that stands in this memory. */
export function keyFinder(memory: SharedMemory): KeyFinder {
  ofThread ??= compiledForShared([findFunction()]);
  return instanceOver(ofThread, memory);
}

const LAST_SLOT = BUCKET_BYTES - 8;
const SLOT_BITS = [~RIGHTS_MASK & 0xff, ...Array<number>(7).fill(0xff)];
/** All of two slots but their rights. */
const KEY_BITS = constant128([...SLOT_BITS, ...SLOT_BITS]);
const NONE = constant128(Array<number>(16).fill(0));
/** Two words, twice: as two slots lie. */
const TWO_SLOTS = [0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19];

function findFunction(): WasmFunction {
  const [ADDRESS, RIGHTS, RESULT, KEY, FOUND, SLOTS] = [12, 13, 14, 15, 16, 17] as const;
  /** Adds two slots to `FOUND` where they hold the key. */
  const compareSlots = (offset: number) =>
    set(
      FOUND,
      or128(
        get(FOUND),
        and128(
          tee(SLOTS, load128(get(ADDRESS), offset)),
          equal64x2(and128(xor128(get(SLOTS), get(KEY)), KEY_BITS), NONE),
        ),
      ),
    );
  const find = (index: number): readonly Code[] => {
    const [bucket, high, low] = [get(3 * index), get(3 * index + 1), get(3 * index + 2)];
    return [
      set(ADDRESS, add(shl(bucket, i32(Math.log2(BUCKET_BYTES))), i32(HEADER_BYTES))),
      set(KEY, shuffle8(splat32(shl(high, i32(7))), splat32(low), TWO_SLOTS)),
      set(FOUND, NONE),
      ...[0, 16, 32, 48].map(compareSlots),
      set(RIGHTS, and(or(word32(get(FOUND), 0), word32(get(FOUND), 2)), i32(RIGHTS_MASK))),
      set(RIGHTS, or(get(RIGHTS), shl(and(eqz(get(RIGHTS)), isNot0(load32At(get(ADDRESS), LAST_SLOT))), i32(7)))),
      set(RESULT, or(get(RESULT), shl(get(RIGHTS), i32(8 * index)))),
    ];
  };
  const body = [...[0, 1, 2, 3].flatMap(find), get(RESULT)];
  return { name: 'find4', paramCount: 12, locals: [I32, I32, I32, V128, V128, V128], body };
}

const isNot0 = (value: Code) => eqz(eqz(value));
