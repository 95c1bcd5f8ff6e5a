/**
 * Where in a block certain bytes stand: found 64 at a time by SIMD, in a WebAssembly module of one function.
 *
 *     index(from, to, out, outEnd, first, second, below)
 *       for each 64 bytes at from, from + 64 ... before to:
 *         if out + 256 > outEnd: return -1
 *         mask = bit i set where byte i is first, or is second, or is less than below (unsigned)
 *         for each bit of the mask, lowest first: store from + bit at out; out += 4
 *       return out
 *
 * The module is written out below, so that no build step and no binary file is needed.
 * @module
 */

const PAGE_BYTES = 65_536;
/** Bytes looked at together, and the room they may need: a position for each. */
const CHUNK_BYTES = 64;
const POSITION_BYTES = 4;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  index(from: number, to: number, out: number, outEnd: number, first: number, second: number, below: number): number;
}

/** What the types of Node.js 20 leave out. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
  };
};

/** Use the one of the thread, {@link byteIndex}: the system sets aside much address space for each. */
class ByteIndex {
  /** In ascending order. What stands behind those of the last block means nothing. */
  positions: Uint32Array = new Uint32Array(0);
  readonly #wasm = new WebAssembly.Instance(new WebAssembly.Module(MODULE)).exports as Exports;
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
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#input = new Uint8Array(memory.buffer, 0, inputLength);
    this.positions = new Uint32Array(memory.buffer, inputLength, count);
  }
}

/** Parameters and locals of the function, by number. */
const [FROM, TO, OUT, OUT_END, FIRST, SECOND, BELOW, FIRSTS, SECONDS, BELOWS, BYTES, MASK] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
] as const;
const I32 = 0x7f;
const I64 = 0x7e;
const V128 = 0x7b;

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const add = [0x6a];
const or = [0xfd, 0x50];
const splat = (from: number, to: number) => [...get(from), 0xfd, 0x0f, ...set(to)];
const equals = (other: number) => [...get(other), 0xfd, 0x23];
const lessThan = (other: number) => [...get(other), 0xfd, 0x26];
const block = (...body: readonly (readonly number[])[]) => [0x02, 0x40, ...body.flat(), 0x0b];
const loop = (...body: readonly (readonly number[])[]) => [0x03, 0x40, ...body.flat(), 0x0b];
const again = [0x0c, 0];
const leaveIf = [0x0d, 1];

/** The mask of the sixteen bytes at `from + offset`, in its place among the 64. */
const maskOf = (offset: number) => [
  ...[...get(FROM), 0xfd, 0x00, 0, offset, ...tee(BYTES), ...equals(FIRSTS)],
  ...[...get(BYTES), ...equals(SECONDS), ...or],
  ...[...get(BYTES), ...lessThan(BELOWS), ...or],
  ...[0xfd, 0x64, 0xad, 0x42, offset, 0x86],
];
const BODY = [
  ...[2, 4, V128, 1, I64],
  ...[...splat(FIRST, FIRSTS), ...splat(SECOND, SECONDS), ...splat(BELOW, BELOWS)],
  ...block(
    loop(
      [...get(FROM), ...get(TO), 0x4e, ...leaveIf],
      [...get(OUT), 0x41, 0x80, 0x02, ...add, ...get(OUT_END), 0x4a, 0x04, 0x40, 0x41, 0x7f, 0x0f, 0x0b],
      [...maskOf(0), ...maskOf(16), 0x84, ...maskOf(32), 0x84, ...maskOf(48), 0x84, ...set(MASK)],
      block(
        loop(
          [...get(MASK), 0x50, ...leaveIf],
          [...get(OUT), ...get(FROM), ...get(MASK), 0x7a, 0xa7, ...add, 0x36, 2, 0],
          [...get(OUT), 0x41, 4, ...add, ...set(OUT)],
          [...get(MASK), ...get(MASK), 0x42, 1, 0x7d, 0x83, ...set(MASK), ...again],
        ),
      ),
      [...get(FROM), 0x41, 0xc0, 0x00, ...add, ...set(FROM), ...again],
    ),
  ),
  ...[...get(OUT), 0x0b],
];

const leb = (value: number) => (value < 128 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
const section = (id: number, ...body: readonly number[]) => [id, ...leb(body.length), ...body];
const name = (text: string) => [text.length, ...Buffer.from(text)];
const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 1, 0x60, 7, I32, I32, I32, I32, I32, I32, I32, 1, I32),
  ...section(3, 1, 0),
  ...section(5, 1, 0, 1),
  ...section(7, 2, ...name('memory'), 2, 0, ...name('index'), 0, 0),
  ...section(10, 1, ...leb(BODY.length), ...BODY),
]);

let ofThread: ByteIndex | null = null;

/** The index of this thread. Whoever fills it is done with it before anybody else has a turn. */
export function byteIndex(): ByteIndex {
  ofThread ??= new ByteIndex();
  return ofThread;
}
