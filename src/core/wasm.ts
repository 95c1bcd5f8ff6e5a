/**
 * WebAssembly written out in TypeScript, so that no build step and no binary file is needed.
 *
 * An instruction is a function of the labels around it, innermost first, and takes what it works on as instructions before
 * it: `store32(get(OUT), add(get(FROM), i32(1)))`. Only what the modules here use is there.
 * @module
 */

/** The bytes of an instruction, given the labels it stands in. */
export type Code = (labels: readonly string[]) => readonly number[];

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
/** What memory grows by. */
export const WASM_PAGE_BYTES = 65_536;

/** A function of 32-bit integers that returns one. Locals are numbered from the first parameter on. */
export interface WasmFunction {
  readonly name: string;
  readonly paramCount: number;
  /** Types of the other locals. */
  readonly locals: readonly number[];
  readonly body: readonly Code[];
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pageCount: number): number;
}

/** Memory that threads share: it may be sent to other threads. What {@link sharedMemory} makes, modules can see, too. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

interface MemoryLimits {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: true;
}

/** What the types of Node.js 20 leave out. */
const { WebAssembly } = globalThis as unknown as {
  /** Not there where nothing may be compiled (`--jitless`). */
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports?: object) => { readonly exports: unknown };
    readonly Memory: new (limits: MemoryLimits) => SharedMemory;
  };
};

/** A compiled module. It may be sent to other threads, which then need not compile it. */
export type WasmModule = object;

export function compiled(functions: readonly WasmFunction[]): WasmModule {
  return new WebAssembly.Module(moduleOf(functions, OWN_MEMORY));
}

/** A module for {@link instanceOver}. */
export function compiledForShared(functions: readonly WasmFunction[]): WasmModule {
  return new WebAssembly.Module(moduleOf(functions, SHARED_MEMORY));
}

/** Zeroed memory of so many pages at least; the system gives it page by page as it is touched. Throws a RangeError. */
export function sharedMemory(byteLength: number): SharedMemory {
  const pageCount = Math.ceil(byteLength / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pageCount, maximum: pageCount, shared: true });
}

/** Whether modules can see it. */
export function isForWasm(memory: SharedMemory): boolean {
  return WebAssembly !== undefined && memory instanceof WebAssembly.Memory;
}

/** An instance over memory that there is already. */
export function instanceOver<Exports>(module: WasmModule, memory: SharedMemory): Exports {
  return new WebAssembly.Instance(module, { [IMPORTED]: { [IMPORTED]: memory } }).exports as Exports;
}

/** An instance with memory of its own, exported as `memory`: the system sets aside much address space for each. */
export function instanceOf<Exports extends { readonly memory: WasmMemory }>(module: WasmModule): Exports {
  return new WebAssembly.Instance(module).exports as Exports;
}

/** Functions call each other by their index. */
function moduleOf(functions: readonly WasmFunction[], memory: MemorySections): Uint8Array {
  const types = functions.map(({ paramCount }) => [0x60, paramCount, ...Array<number>(paramCount).fill(I32), 1, I32]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, index]);
  const bodies = functions.map(({ locals, body }) => {
    const declared = locals.flatMap((type) => [1, type]);
    const bytes = [...unsigned(locals.length), ...declared, ...body.flatMap((code) => code([])), 0x0b];
    return [...unsigned(bytes.length), ...bytes];
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...memory.imported,
    ...section(
      3,
      functions.map((_, index) => [index]),
    ),
    ...memory.own,
    ...section(7, [...memory.exported, ...exported]),
    ...section(10, bodies),
  ]);
}

function section(id: number, entries: readonly (readonly number[])[]): readonly number[] {
  const bytes = [...unsigned(entries.length), ...entries.flat()];
  return [id, ...unsigned(bytes.length), ...bytes];
}

function text(name: string): readonly number[] {
  return [name.length, ...Buffer.from(name)];
}

function unsigned(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: bigint): readonly number[] {
  const low = Number(value & 0x7fn);
  const isLast = value >= -64n && value < 64n;
  return isLast ? [low] : [low | 0x80, ...signed(value >> 7n)];
}

/** What a module says of its memory. */
interface MemorySections {
  readonly imported: readonly number[];
  readonly own: readonly number[];
  readonly exported: readonly (readonly number[])[];
}
const OWN_MEMORY: MemorySections = {
  imported: [],
  own: section(5, [[0, 1]]),
  exported: [[...text('memory'), 2, 0]],
};
const IMPORTED = 'memory';
/** Of any size, since all that is there is looked at only: a limit of pages, shared, from none to all. */
const SHARED_MEMORY: MemorySections = {
  imported: section(2, [[...text(IMPORTED), ...text(IMPORTED), 2, 3, 0, ...unsigned(65_536)]]),
  own: [],
  exported: [],
};

const op =
  (...bytes: readonly number[]) =>
  (...operands: readonly Code[]): Code =>
  (labels) => [...operands.flatMap((operand) => operand(labels)), ...bytes];

export const i32 = (value: number) => op(0x41, ...signed(BigInt(value | 0)))();
export const i64 = (value: bigint) => op(0x42, ...signed(BigInt.asIntN(64, value)))();
export const get = (local: number) => op(0x20, local)();
export const set = (local: number, value: Code) => op(0x21, local)(value);
export const tee = (local: number, value: Code) => op(0x22, local)(value);
export const leave = op(0x0f);
export const call = (index: number, ...operands: readonly Code[]) => op(0x10, index)(...operands);

/** Left by `br` and `brIf` with its label. */
export const block = (label: string, ...body: readonly Code[]): Code => within(0x02, label, body);
/** Begun again by `br` and `brIf` with its label. */
export const loop = (label: string, ...body: readonly Code[]): Code => within(0x03, label, body);
const within = (opcode: number, label: string, body: readonly Code[]): Code => {
  return (labels) => [opcode, 0x40, ...body.flatMap((code) => code([label, ...labels])), 0x0b];
};
export const br =
  (label: string): Code =>
  (labels) => [0x0c, depthOf(label, labels)];
export const brIf = (label: string, condition: Code): Code => {
  return (labels) => [...condition(labels), 0x0d, depthOf(label, labels)];
};
export const when = (condition: Code, then: readonly Code[], otherwise: readonly Code[] = []): Code => {
  return (labels) => {
    const inside = ['', ...labels];
    const [first, second] = [then, otherwise].map((body) => body.flatMap((code) => code(inside)));
    return [...condition(labels), 0x04, 0x40, ...(first ?? []), 0x05, ...(second ?? []), 0x0b];
  };
};

function depthOf(label: string, labels: readonly string[]): number {
  const depth = labels.indexOf(label);
  if (depth < 0) throw new TypeError(`expected to be within ${label}`);
  return depth;
}

export const eqz = op(0x45);
export const equal = op(0x46);
export const notEqual = op(0x47);
export const lessS = op(0x48);
export const lessU = op(0x49);
export const moreS = op(0x4a);
export const moreU = op(0x4b);
export const atLeastS = op(0x4e);
export const atLeastU = op(0x4f);
export const trailingZeros = op(0x68);
export const add = op(0x6a);
export const sub = op(0x6b);
export const mul = op(0x6c);
export const and = op(0x71);
export const or = op(0x72);
export const xor = op(0x73);
export const shl = op(0x74);
export const shr = op(0x76);

export const isZero64 = op(0x50);
export const trailingZeros64 = op(0x7a);
export const bitCount64 = op(0x7b);
export const sub64 = op(0x7d);
export const mul64 = op(0x7e);
export const and64 = op(0x83);
export const or64 = op(0x84);
export const xor64 = op(0x85);
export const shl64 = op(0x86);
export const shr64 = op(0x88);
export const low32 = op(0xa7);
export const widened = op(0xad);

export const load32 = op(0x28, 0, 0);
export const load64 = op(0x29, 0, 0);
export const load8 = op(0x2d, 0, 0);
export const load16 = op(0x2f, 0, 0);
export const store32 = op(0x36, 0, 0);
export const store64 = op(0x37, 0, 0);
export const store8 = op(0x3a, 0, 0);
export const store16 = op(0x3b, 0, 0);
/** Address, address, count of bytes. */
export const copyMemory = op(0xfc, 0x0a, 0, 0);
/** Address, byte, count of bytes. */
export const fillMemory = op(0xfc, 0x0b, 0);

/** With a fixed distance from the address, in bytes. */
export const load8At = (address: Code, offset: number) => op(0x2d, 0, ...unsigned(offset))(address);
export const load16At = (address: Code, offset: number) => op(0x2f, 0, ...unsigned(offset))(address);
export const load32At = (address: Code, offset: number) => op(0x28, 0, ...unsigned(offset))(address);
export const store32At = (address: Code, offset: number, value: Code) =>
  op(0x36, 0, ...unsigned(offset))(address, value);

export const load128 = (address: Code, offset = 0) => op(0xfd, 0x00, 0, ...unsigned(offset))(address);
/** One word in all four places. */
export const loadSplat32 = (address: Code, offset = 0) => op(0xfd, 0x09, 0, ...unsigned(offset))(address);
export const store128 = op(0xfd, 0x0b, 0, 0);
export const store128At = (address: Code, offset: number, value: Code) =>
  op(0xfd, 0x0b, 0, ...unsigned(offset))(address, value);
/** Sixteen bytes of two vectors: `lanes` counts those of the first from 0, those of the second from 16. */
export const shuffle8 = (first: Code, second: Code, lanes: readonly number[]) =>
  op(0xfd, 0x0d, ...lanes)(first, second);
export const splat32 = op(0xfd, 0x11);
/** One of the four words. */
export const word32 = (vector: Code, lane: number) => op(0xfd, 0x1b, lane)(vector);
export const constant128 = (bytes: readonly number[]) => op(0xfd, 0x0c, ...bytes)();
export const splat8 = op(0xfd, 0x0f);
export const equal8 = op(0xfd, 0x23);
export const atMostU8 = op(0xfd, 0x2a);
export const equal32x4 = op(0xfd, 0x37);
export const and128 = op(0xfd, 0x4e);
export const or128 = op(0xfd, 0x50);
export const xor128 = op(0xfd, 0x51);
/** Bits of the first where those of the third are set, and of the second where not. */
export const select128 = op(0xfd, 0x52);
/** The highest bits of sixteen bytes. */
export const bitmask8 = op(0xfd, 0x64);
export const add8 = op(0xfd, 0x6e);
export const sub8 = op(0xfd, 0x71);
export const shl16x8 = op(0xfd, 0x8b, 0x01);
export const shr16x8 = op(0xfd, 0x8d, 0x01);
export const shl32x4 = op(0xfd, 0xab, 0x01);
export const shr32x4 = op(0xfd, 0xad, 0x01);
export const add32x4 = op(0xfd, 0xae, 0x01);

/** Which halves are the same, as all bits of each. */
export const equal64x2 = op(0xfd, 0xd6, 0x01);

export const atLeastU8 = op(0xfd, 0x2c);
/** Bits of the first that are not set in the second. */
export const andNot128 = op(0xfd, 0x4f);
/** Sums and differences that stay at 255 and 0. */
export const addUpTo255 = op(0xfd, 0x70);
export const subDownTo0 = op(0xfd, 0x73);
export const lesserU8 = op(0xfd, 0x77);
export const greaterU8 = op(0xfd, 0x79);
/** The eight halves of the first, then those of the second, as bytes; at most 255. */
export const narrow8 = op(0xfd, 0x66);
/** Eight bytes, then zeros. */
export const load64Zero = (address: Code, offset = 0) => op(0xfd, 0x5d, 0, ...unsigned(offset))(address);
/** The vector with one of its four words from memory, and one of them to memory. */
export const loadWord32 = (address: Code, offset: number, vector: Code, lane: number) =>
  op(0xfd, 0x56, 0, ...unsigned(offset), lane)(address, vector);
export const storeWord32At = (address: Code, offset: number, vector: Code, lane: number) =>
  op(0xfd, 0x5a, 0, ...unsigned(offset), lane)(address, vector);

export const countBits = op(0x69);
/** The first where the third is not 0, else the second. */
export const select = op(0x1b);
export const leadingZeros64 = op(0x79);
