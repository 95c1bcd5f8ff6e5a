/**
 * Where in a block certain bytes stand: found by SIMD, in a WebAssembly module of one function.
 *
 *     index(from, to, out, outEnd, first, second, below)
 *       for each 128 bytes at from, from + 128 ... before to:
 *         if out + 512 > outEnd: return -1
 *         for each half of them:
 *           mask = bit i set where byte i is first, or is second, or is less than below (unsigned)
 *           for each bit of the mask, lowest first: store the place of its byte at out; out += 4
 *       return out
 * @module
 */

import {
  add,
  and64,
  andNot128,
  atLeastS,
  atLeastU8,
  bitCount64,
  bitmask8,
  block,
  br,
  brIf,
  type Code,
  compiled,
  equal8,
  get,
  I32,
  I64,
  i32,
  i64,
  instanceOf,
  leave,
  load128,
  loop,
  low32,
  moreS,
  or64,
  or128,
  set,
  shl,
  shl64,
  splat8,
  store32At,
  sub64,
  tee,
  trailingZeros64,
  V128,
  WASM_PAGE_BYTES,
  type WasmFunction,
  type WasmMemory,
  when,
  widened,
  xor64,
} from '../core/wasm.js';

/** Bytes of a mask. */
const CHUNK_BYTES = 64;
/** Bytes looked at together, and the room they may need: a position for each. Twice a mask: a tenth faster. */
const STEP_BYTES = 2 * CHUNK_BYTES;
const POSITION_BYTES = 4;

interface Exports {
  readonly memory: WasmMemory;
  index(from: number, to: number, out: number, outEnd: number, first: number, second: number, below: number): number;
}

/** Use the one of the thread, {@link byteIndex}: the system sets aside much address space for each. */
class ByteIndex {
  /** In ascending order. What stands behind those of the last block means nothing. */
  positions: Uint32Array = new Uint32Array(0);
  readonly #wasm = instanceOf<Exports>(compiled([indexFunction()]));
  #input: Uint8Array = new Uint8Array(0);

  /** HOT. Fills `positions` for `bytes[0..to)`: of bytes that are `first`, or `second`, or less than `below`. */
  fill(bytes: Uint8Array, to: number, first: number, second: number, below: number): void {
    if (this.#input.length < to + STEP_BYTES) this.#allot(to + STEP_BYTES, this.positions.length);
    const block = to === bytes.length ? bytes : bytes.subarray(0, to);
    this.#input.set(block);
    for (;;) {
      const { byteOffset: out, byteLength } = this.positions;
      if (this.#wasm.index(0, to, out, out + byteLength, first, second, below) >= 0) return;
      this.#allot(this.#input.length, 2 * this.positions.length + 4 * STEP_BYTES);
      this.#input.set(block);
    }
  }

  /** Makes room, to begin with for a position in every fourth byte. */
  #allot(inputBytes: number, positionCount: number): void {
    const inputLength = Math.ceil(inputBytes / CHUNK_BYTES) * CHUNK_BYTES;
    const count = Math.max(positionCount, inputLength / 4);
    const { memory } = this.#wasm;
    const missing = inputLength + count * POSITION_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
    this.#input = new Uint8Array(memory.buffer, 0, inputLength);
    this.positions = new Uint32Array(memory.buffer, inputLength, count);
  }
}

const [FROM, TO, OUT, OUT_END, FIRST, SECOND, BELOW, FIRSTS, SECONDS, BELOWS, BYTES, MASK, COUNT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
] as const;

/** @internal The function of the module, for others that have it, too. */
export function indexFunction(): WasmFunction {
  const body = [
    set(FIRSTS, splat8(get(FIRST))),
    set(SECONDS, splat8(get(SECOND))),
    set(BELOWS, splat8(get(BELOW))),
    block(
      'done',
      loop(
        'step',
        brIf('done', atLeastS(get(FROM), get(TO))),
        when(moreS(add(get(OUT), i32(STEP_BYTES * POSITION_BYTES)), get(OUT_END)), [leave(i32(-1))]),
        ...indexChunk(0),
        ...indexChunk(CHUNK_BYTES),
        set(FROM, add(get(FROM), i32(STEP_BYTES))),
        br('step'),
      ),
    ),
    get(OUT),
  ];
  return { name: 'index', paramCount: 7, locals: [V128, V128, V128, V128, I64, I32], body };
}

/**
 * The bytes of a mask, at `from + start`. Most have four positions or less: these are stored without a branch, which takes a
 * tenth less than a loop whose end the processor guesses wrong (after Langdale and Lemire, "Parsing Gigabytes of JSON per Second").
 */
function indexChunk(start: number): readonly Code[] {
  const firstHalf = or64(othersAt(start, 0), othersAt(start, 16));
  const secondHalf = or64(othersAt(start, 32), othersAt(start, 48));
  return [
    set(MASK, xor64(or64(firstHalf, secondHalf), i64(-1n))),
    set(COUNT, low32(bitCount64(get(MASK)))),
    ...storeSome(start, 0, 4),
    when(moreS(get(COUNT), i32(4)), [
      ...storeSome(start, 4, 8),
      when(moreS(get(COUNT), i32(8)), [
        ...storeSome(start, 8, 16),
        when(moreS(get(COUNT), i32(16)), storeSome(start, 16, CHUNK_BYTES)),
      ]),
    ]),
    set(OUT, add(get(OUT), shl(get(COUNT), i32(2)))),
  ];
}

/** The mask of those of sixteen bytes that are not looked for, in its place among the 64. */
function othersAt(start: number, offset: number): Code {
  const isAbove = atLeastU8(tee(BYTES, load128(get(FROM), start + offset)), get(BELOWS));
  const isFirst = equal8(get(BYTES), get(FIRSTS));
  const isSecond = equal8(get(BYTES), get(SECONDS));
  return shl64(widened(bitmask8(andNot128(isAbove, or128(isFirst, isSecond)))), i64(BigInt(offset)));
}

/** Stores the positions number `first` to `end` of a mask, whether or not it has so many, and takes them off it. */
function storeSome(start: number, first: number, end: number): readonly Code[] {
  return Array.from({ length: end - first }, (_, index) => [
    store32At(
      get(OUT),
      (first + index) * POSITION_BYTES,
      add(add(get(FROM), i32(start)), low32(trailingZeros64(get(MASK)))),
    ),
    set(MASK, and64(get(MASK), sub64(get(MASK), i64(1n)))),
  ]).flat();
}

let ofThread: ByteIndex | null = null;

/** The index of this thread. Whoever fills it is done with it before anybody else has a turn. */
export function byteIndex(): ByteIndex {
  ofThread ??= new ByteIndex();
  return ofThread;
}
