/**
 * Where in a block certain bytes stand: found 64 at a time by SIMD, in a WebAssembly module of one function.
 *
 *     index(from, to, out, outEnd, first, second, below)
 *       for each 64 bytes at from, from + 64 ... before to:
 *         if out + 256 > outEnd: return -1
 *         mask = bit i set where byte i is first, or is second, or is less than below (unsigned)
 *         for each bit of the mask, lowest first: store from + bit at out; out += 4
 *       return out
 * @module
 */

import {
  add,
  and64,
  atLeastS,
  bitmask8,
  block,
  br,
  brIf,
  type Code,
  compiled,
  equal8,
  get,
  I64,
  i32,
  i64,
  instanceOf,
  isZero64,
  leave,
  lessU8,
  load128,
  loop,
  low32,
  moreS,
  or64,
  or128,
  set,
  shl64,
  splat8,
  store32,
  sub64,
  tee,
  trailingZeros64,
  V128,
  WASM_PAGE_BYTES,
  type WasmFunction,
  type WasmMemory,
  when,
  widened,
} from '../core/wasm.js';

/** Bytes looked at together, and the room they may need: a position for each. */
const CHUNK_BYTES = 64;
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
    if (this.#input.length < to + CHUNK_BYTES) this.#allot(to + CHUNK_BYTES, this.positions.length);
    const block = to === bytes.length ? bytes : bytes.subarray(0, to);
    this.#input.set(block);
    for (;;) {
      const { byteOffset: out, byteLength } = this.positions;
      if (this.#wasm.index(0, to, out, out + byteLength, first, second, below) >= 0) return;
      this.#allot(this.#input.length, 2 * this.positions.length + 4 * CHUNK_BYTES);
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

/** @internal The function of the module, for others that have it, too. */
export function indexFunction(): WasmFunction {
  const [FROM, TO, OUT, OUT_END, FIRST, SECOND, BELOW, FIRSTS, SECONDS, BELOWS, BYTES, MASK] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ] as const;
  /** The mask of the sixteen bytes at `from + offset`, in its place among the 64. */
  const maskOf = (offset: number): Code => {
    const isFirst = equal8(tee(BYTES, load128(get(FROM), offset)), get(FIRSTS));
    const isSecond = equal8(get(BYTES), get(SECONDS));
    const isBelow = lessU8(get(BYTES), get(BELOWS));
    return shl64(widened(bitmask8(or128(or128(isFirst, isSecond), isBelow))), i64(BigInt(offset)));
  };
  const body = [
    set(FIRSTS, splat8(get(FIRST))),
    set(SECONDS, splat8(get(SECOND))),
    set(BELOWS, splat8(get(BELOW))),
    block(
      'done',
      loop(
        'chunk',
        brIf('done', atLeastS(get(FROM), get(TO))),
        when(moreS(add(get(OUT), i32(CHUNK_BYTES * POSITION_BYTES)), get(OUT_END)), [leave(i32(-1))]),
        set(MASK, or64(or64(maskOf(0), maskOf(16)), or64(maskOf(32), maskOf(48)))),
        block(
          'none left',
          loop(
            'position',
            brIf('none left', isZero64(get(MASK))),
            store32(get(OUT), add(get(FROM), low32(trailingZeros64(get(MASK))))),
            set(OUT, add(get(OUT), i32(POSITION_BYTES))),
            set(MASK, and64(get(MASK), sub64(get(MASK), i64(1n)))),
            br('position'),
          ),
        ),
        set(FROM, add(get(FROM), i32(CHUNK_BYTES))),
        br('chunk'),
      ),
    ),
    get(OUT),
  ];
  return { name: 'index', paramCount: 7, locals: [V128, V128, V128, V128, I64], body };
}

let ofThread: ByteIndex | null = null;

/** The index of this thread. Whoever fills it is done with it before anybody else has a turn. */
export function byteIndex(): ByteIndex {
  ofThread ??= new ByteIndex();
  return ofThread;
}
