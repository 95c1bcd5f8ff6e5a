/**
 * Finds keys in a table four at a time, in WebAssembly over the table's own memory: what probe.ts does for one.
 *
 *     touch4(high, high, high, high)
 *       loads the first word of each key's home and of the bucket behind it, for the lines to be near; returns all of them in one
 *     find4(high, low, high, low, high, low, high, low)
 *       returns the rights of the keys, a byte each, the first lowest; 0 where one is not there
 *
 * Of each key both buckets are compared without a branch, eight slots with four loads each: a processor would guess wrong for
 * every other key. That an entry behind a bucket with room is found, too, does no harm: bucket and fingerprint give back the
 * whole key (layout.ts).
 *
 * A slot is read once, and both its words in one load; should that load tear, it sees the slot as it was before, as table.ts says.
 * @module
 */
import {
  add,
  and,
  and128,
  block,
  br,
  brIf,
  type Code,
  call,
  compiledForShared,
  constant128,
  equal64x2,
  eqz,
  f64,
  float64,
  get,
  I32,
  i32,
  instanceOver,
  leave,
  lessU,
  load32,
  load32At,
  load128,
  loop,
  moreU,
  mulFloat64,
  or,
  or128,
  type SharedWasmMemory,
  set,
  shl,
  shuffle8,
  splat32,
  sub,
  tee,
  V128,
  type WasmFunction,
  type WasmModule,
  when,
  whole32,
  word32,
  xor128,
} from '../wasm.js';
import { BUCKET_BYTES, HEADER, HEADER_BYTES, RIGHTS_MASK } from './layout.js';

export const FIND_AT_ONCE = 4;

export interface KeyFinder {
  touch4(high0: number, high1: number, high2: number, high3: number): number;
  find4(
    high0: number,
    low0: number,
    high1: number,
    low1: number,
    high2: number,
    low2: number,
    high3: number,
    low3: number,
  ): number;
}

let ofThread: WasmModule | null = null;

/** A finder for the table that stands in this memory. */
export function keyFinder(memory: SharedWasmMemory): KeyFinder {
  ofThread ??= compiledForShared([furtherFunction(), touchFunction(), findFunction(0)]);
  return instanceOver(ofThread, memory);
}

const SLOT_BITS = [~RIGHTS_MASK & 0xff, ...Array<number>(7).fill(0xff)];
const LAST_SLOT = BUCKET_BYTES - 8;
const BUCKET_SHIFT = Math.log2(BUCKET_BYTES);
const bucketCount = load32(i32(4 * HEADER.bucketCount));
const displacementMax = load32(i32(4 * HEADER.displacementMax));
const addressOf = (bucket: Code) => add(shl(bucket, i32(BUCKET_SHIFT)), i32(HEADER_BYTES));

/** The home of a key, in the very arithmetic of table.ts: exact numbers would round otherwise. */
const homeOf = (high: Code) => whole32(mulFloat64(float64(high), mulFloat64(float64(bucketCount), f64(2 ** -32))));

/** Sets `next` to the bucket so many behind `bucket`, around the end. */
const goOn = (next: number, bucket: Code, by: Code): readonly Code[] => [
  set(next, add(bucket, by)),
  when(eqz(lessU(get(next), bucketCount)), [set(next, sub(get(next), bucketCount))]),
];

/** Fingerprint and `low`, twice: as two slots lie. */
const keyVector = (fingerprint: Code, low: Code) =>
  shuffle8(splat32(fingerprint), splat32(low), [0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19]);

/** All of two slots but their rights. */
const KEY_BITS = constant128([...SLOT_BITS, ...SLOT_BITS]);
const NONE = constant128(Array<number>(16).fill(0));

/** Adds to `found` the slots of a bucket that hold the key. */
const compareBucket = (address: number, key: number, found: number, slots: number): readonly Code[] =>
  [0, 16, 32, 48].map((offset) =>
    set(
      found,
      or128(
        get(found),
        and128(
          tee(slots, load128(get(address), offset)),
          equal64x2(and128(xor128(get(slots), get(key)), KEY_BITS), NONE),
        ),
      ),
    ),
  );
const rightsIn = (found: number) => and(or(word32(get(found), 0), word32(get(found), 2)), i32(RIGHTS_MASK));

/** `further(fingerprint, low, bucket)`: the rights of a key for which the bucket and its home have no room. */
function furtherFunction(): WasmFunction {
  const [FINGERPRINT, LOW, BUCKET, ADDRESS, DISPLACEMENT, KEY, FOUND, SLOTS] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const body = [
    set(KEY, keyVector(get(FINGERPRINT), get(LOW))),
    set(DISPLACEMENT, i32(2)),
    block(
      'none',
      loop(
        'next',
        brIf('none', moreU(get(DISPLACEMENT), displacementMax)),
        ...goOn(BUCKET, get(BUCKET), get(DISPLACEMENT)),
        set(ADDRESS, addressOf(get(BUCKET))),
        set(FOUND, NONE),
        ...compareBucket(ADDRESS, KEY, FOUND, SLOTS),
        when(rightsIn(FOUND), [leave(rightsIn(FOUND))]),
        brIf('none', eqz(load32At(get(ADDRESS), LAST_SLOT))),
        set(DISPLACEMENT, add(get(DISPLACEMENT), i32(1))),
        br('next'),
      ),
    ),
    i32(0),
  ];
  return { name: 'further', paramCount: 3, locals: [I32, I32, V128, V128, V128], body };
}

function touchFunction(): WasmFunction {
  const [HOME, TOUCHED] = [4, 5] as const;
  const touch = (high: number): readonly Code[] => [
    set(HOME, homeOf(get(high))),
    set(TOUCHED, or(get(TOUCHED), load32(addressOf(get(HOME))))),
    ...goOn(HOME, get(HOME), i32(1)),
    set(TOUCHED, or(get(TOUCHED), load32(addressOf(get(HOME))))),
  ];
  const body = [...[0, 1, 2, 3].flatMap(touch), get(TOUCHED)];
  return { name: 'touch4', paramCount: 4, locals: [I32, I32], body };
}

function findFunction(further: number): WasmFunction {
  const [HOME, SECOND, BUCKET, RIGHTS, RESULT, KEY, FOUND, SLOTS] = [8, 9, 10, 11, 12, 13, 14, 15] as const;
  const find = (index: number): readonly Code[] => {
    const [high, low] = [get(2 * index), get(2 * index + 1)];
    return [
      set(BUCKET, homeOf(high)),
      set(HOME, addressOf(get(BUCKET))),
      ...goOn(BUCKET, get(BUCKET), i32(1)),
      set(SECOND, addressOf(get(BUCKET))),
      set(KEY, keyVector(shl(high, i32(7)), low)),
      set(FOUND, NONE),
      ...compareBucket(HOME, KEY, FOUND, SLOTS),
      ...compareBucket(SECOND, KEY, FOUND, SLOTS),
      set(RIGHTS, rightsIn(FOUND)),
      when(
        and(eqz(get(RIGHTS)), and(isNot0(load32At(get(HOME), LAST_SLOT)), isNot0(load32At(get(SECOND), LAST_SLOT)))),
        [set(RIGHTS, call(further, shl(high, i32(7)), low, get(BUCKET)))],
      ),
      set(RESULT, or(get(RESULT), shl(get(RIGHTS), i32(8 * index)))),
    ];
  };
  const body = [...[0, 1, 2, 3].flatMap(find), get(RESULT)];
  return { name: 'find4', paramCount: 8, locals: [I32, I32, I32, I32, I32, V128, V128, V128], body };
}

const isNot0 = (value: Code) => eqz(eqz(value));
