/**
 * The first 128 bits of SHA-256 (FIPS 180-4) of many short messages, four at a time, a lane each.
 *
 *     sha256Blocks(blocks, blockCount)
 *       of padded messages of one block each: stores four words of each as the words of a key; of up to three more
 *       that mean nothing
 *       returns 0
 *
 * A digest takes 1.2 us by `crypto.hash`, whose text has to be read again, and 0.1 us here.
 * @module
 */
import {
  add,
  add32x4,
  atLeastU,
  block,
  br,
  brIf,
  type Code,
  equal,
  get,
  I32,
  i32,
  load128,
  loadSplat32,
  loop,
  or128,
  select128,
  set,
  shl,
  shl32x4,
  shr32x4,
  shuffle8,
  splat32,
  store128At,
  sub,
  V128,
  type WasmFunction,
  xor128,
} from '../../core/wasm.js';
import { KEY_WORD_BYTES, KEY_WORDS, MESSAGE_BYTES, ROUND_CONSTANTS, SCHEDULE, WORD_BYTES } from './layout.js';

const [BLOCKS, BLOCK_COUNT, KEY_AT, KEYS_END, AT, END] = [0, 1, 2, 3, 4, 5] as const;
const [A, B, C, D, E, F, G, H, SUM, W] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const VECTOR_BYTES = 16;
const ROUNDS = 64;
const ROUNDS_UNROLLED = 8;

/** The first 32 bits of the fractional parts of a root of the first primes (FIPS 180-4, 4.2.2 and 5.3.3). */
function primeRoots(count: number, root: (prime: number) => number): readonly number[] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < count; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  return primes.map((prime) => Math.floor((root(prime) % 1) * 2 ** 32) | 0);
}

/** What stands at `ROUND_CONSTANTS`. */
export const roundConstants: readonly number[] = primeRoots(ROUNDS, Math.cbrt);
const initialState = primeRoots(8, Math.sqrt);

export function sha256BlocksFunction(): WasmFunction {
  const body = [
    set(KEY_AT, i32(0)),
    set(KEYS_END, shl(get(BLOCK_COUNT), i32(2))),
    block(
      'done',
      loop(
        'four',
        brIf('done', atLeastU(get(KEY_AT), get(KEYS_END))),
        ...[0, 1, 2, 3].flatMap(transposed),
        ...expand,
        ...initialState.map((word, index) => set(A + index, splat32(i32(word)))),
        ...compress,
        ...[A, B, C, D].map((variable, index) =>
          store128At(
            get(KEY_AT),
            KEY_WORDS + index * KEY_WORD_BYTES,
            add32x4(get(variable), splat32(i32(initialState[index] ?? 0))),
          ),
        ),
        set(BLOCKS, add(get(BLOCKS), i32(4 * MESSAGE_BYTES))),
        set(KEY_AT, add(get(KEY_AT), i32(VECTOR_BYTES))),
        br('four'),
      ),
    ),
    i32(0),
  ];
  return { name: 'sha256Blocks', paramCount: 2, locals: [I32, I32, I32, I32, ...Array<number>(10).fill(V128)], body };
}

/** The bytes of four lanes of `words` of the first vector, then of the second. */
const wordsOf = (...words: readonly number[]) => words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
const BIG_ENDIAN = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12] as const;

/** Four words of each of four messages, to where each vector is one word of all. */
function transposed(quarter: number): readonly Code[] {
  const loaded = [A, B, C, D].map((variable, message) =>
    set(variable, load128(get(BLOCKS), message * MESSAGE_BYTES + quarter * VECTOR_BYTES)),
  );
  const turned = [A, B, C, D].map((variable) => set(variable, shuffle8(get(variable), get(variable), BIG_ENDIAN)));
  const target = SCHEDULE + 4 * quarter * VECTOR_BYTES;
  const store = (word: number, first: number, second: number, words: readonly number[]) =>
    store128At(i32(0), target + word * VECTOR_BYTES, shuffle8(get(first), get(second), words));
  return [
    ...loaded,
    ...turned,
    set(E, shuffle8(get(A), get(B), wordsOf(0, 4, 1, 5))),
    set(F, shuffle8(get(C), get(D), wordsOf(0, 4, 1, 5))),
    set(G, shuffle8(get(A), get(B), wordsOf(2, 6, 3, 7))),
    set(H, shuffle8(get(C), get(D), wordsOf(2, 6, 3, 7))),
    store(0, E, F, wordsOf(0, 1, 4, 5)),
    store(1, E, F, wordsOf(2, 3, 6, 7)),
    store(2, G, H, wordsOf(0, 1, 4, 5)),
    store(3, G, H, wordsOf(2, 3, 6, 7)),
  ];
}

const rotated = (vector: Code, bits: number) => or128(shr32x4(vector, i32(bits)), shl32x4(vector, i32(32 - bits)));
const sigma = (variable: number, first: number, second: number, third: Code) =>
  xor128(xor128(rotated(get(variable), first), rotated(get(variable), second)), third);
const sum = (...terms: readonly Code[]) => terms.reduce((total, term) => add32x4(total, term));

/** Words 16 to 63 of the schedule. */
const expand: readonly Code[] = [
  set(AT, i32(SCHEDULE)),
  set(END, i32(SCHEDULE + (ROUNDS - 16) * VECTOR_BYTES)),
  loop(
    'word',
    set(A, load128(get(AT), 1 * VECTOR_BYTES)),
    set(B, load128(get(AT), 14 * VECTOR_BYTES)),
    store128At(
      get(AT),
      16 * VECTOR_BYTES,
      sum(
        load128(get(AT)),
        sigma(A, 7, 18, shr32x4(get(A), i32(3))),
        load128(get(AT), 9 * VECTOR_BYTES),
        sigma(B, 17, 19, shr32x4(get(B), i32(10))),
      ),
    ),
    set(AT, add(get(AT), i32(VECTOR_BYTES))),
    brIf('word', sub(get(END), get(AT))),
  ),
];

/** One round, whose variables go by the names they have before it. */
function round(index: number): readonly Code[] {
  const [a, b, c, d, e, f, g, h] = [A, B, C, D, E, F, G, H].map((_, name) => A + ((name + 8 - index) % 8)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return [
    set(W, add32x4(load128(get(AT), index * VECTOR_BYTES), loadSplat32(get(END), index * WORD_BYTES))),
    set(SUM, sum(get(h), sigma(e, 6, 11, rotated(get(e), 25)), select128(get(f), get(g), get(e)), get(W))),
    set(d, add32x4(get(d), get(SUM))),
    set(h, sum(get(SUM), sigma(a, 2, 13, rotated(get(a), 22)), select128(get(c), get(b), xor128(get(a), get(b))))),
  ];
}

const compress: readonly Code[] = [
  set(AT, i32(SCHEDULE)),
  set(END, i32(ROUND_CONSTANTS)), // where the constants of the rounds at hand stand
  loop(
    'rounds',
    ...Array.from({ length: ROUNDS_UNROLLED }, (_, index) => round(index)).flat(),
    set(AT, add(get(AT), i32(ROUNDS_UNROLLED * VECTOR_BYTES))),
    set(END, add(get(END), i32(ROUNDS_UNROLLED * WORD_BYTES))),
    brIf('rounds', equal(equal(get(AT), i32(SCHEDULE + ROUNDS * VECTOR_BYTES)), i32(0))),
  ),
];
