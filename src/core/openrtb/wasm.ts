/**
 * Writes WebAssembly modules down as data: expressions and statements are lists of bytes, branches name the block they
 * leave, and `moduleOf` puts functions together. Only what the scanner needs (WebAssembly 2.0, with SIMD).
 *
 * So a module needs no build step and no binary file, and its tables stand at addresses that are known when it is made.
 * @module
 */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
export type Type = typeof I32 | typeof I64 | typeof V128;

/** What a branch leaves (a block) or begins again (a loop). */
export type Label = symbol;
interface Region {
  readonly opcode: number;
  readonly label: Label;
  readonly body: Code;
}
interface Branch {
  readonly opcode: number;
  readonly target: Label;
}
/** Instructions, in order; parts may be lists of their own. An expression leaves its value. */
export type Code = readonly (number | Code | Region | Branch)[];

export interface Func {
  readonly name: string;
  readonly parameterCount: number;
  readonly locals: readonly Type[];
  readonly body: Code;
}

/** A function of `parameterCount` integers that answers an integer. `define` is given a maker of locals. */
export function func(name: string, parameterCount: number, define: (local: (type?: Type) => number) => Code): Func {
  const locals: Type[] = [];
  const body = define((type = I32) => parameterCount + locals.push(type) - 1);
  return { name, parameterCount, locals, body };
}

export const i32 = (value: number): Code => [0x41, ...signed(value | 0)];
export const i64 = (value: bigint): Code => [0x42, ...signed64(BigInt.asIntN(64, value))];
export const v128 = (lanes: readonly number[]): Code => [0xfd, 0x0c, ...lanes];
/** The same byte in all lanes. */
export const bytes16 = (byte: number): Code => v128(Array<number>(16).fill(byte));

export const get = (local: number): Code => [0x20, local];
export const set = (local: number, value: Code): Code => [value, 0x21, local];
export const tee = (local: number, value: Code): Code => [value, 0x22, local];
export const increase = (local: number, by: number): Code => set(local, add(get(local), i32(by)));

const binary =
  (...opcode: readonly number[]) =>
  (first: Code, second: Code): Code => [first, second, opcode];
const unary =
  (...opcode: readonly number[]) =>
  (value: Code): Code => [value, opcode];
export const isZero: (value: Code) => Code = unary(0x45);
export const eq: (first: Code, second: Code) => Code = binary(0x46);
export const ne: (first: Code, second: Code) => Code = binary(0x47);
/** Comparisons take integers for unsigned. */
export const lt: (first: Code, second: Code) => Code = binary(0x49);
export const gt: (first: Code, second: Code) => Code = binary(0x4b);
export const le: (first: Code, second: Code) => Code = binary(0x4d);
export const ge: (first: Code, second: Code) => Code = binary(0x4f);
export const trailingZeros: (value: Code) => Code = unary(0x68);
export const add: (first: Code, second: Code) => Code = binary(0x6a);
export const sub: (first: Code, second: Code) => Code = binary(0x6b);
export const mul: (first: Code, second: Code) => Code = binary(0x6c);
export const and: (first: Code, second: Code) => Code = binary(0x71);
export const or: (first: Code, second: Code) => Code = binary(0x72);
export const shl: (first: Code, second: Code) => Code = binary(0x74);
export const shr: (first: Code, second: Code) => Code = binary(0x76);
export const isZero64: (value: Code) => Code = unary(0x50);
export const add64: (first: Code, second: Code) => Code = binary(0x7c);
export const mul64: (first: Code, second: Code) => Code = binary(0x7e);
export const and64: (first: Code, second: Code) => Code = binary(0x83);
export const or64: (first: Code, second: Code) => Code = binary(0x84);
export const xor64: (first: Code, second: Code) => Code = binary(0x85);
export const shl64: (first: Code, second: Code) => Code = binary(0x86);
export const shr64: (first: Code, second: Code) => Code = binary(0x88);
export const rotate64: (first: Code, second: Code) => Code = binary(0x89);
export const wrap: (value: Code) => Code = unary(0xa7);
export const extend: (value: Code) => Code = unary(0xad);
/** By bytes: 16 lanes. */
export const swizzle16: (table: Code, indexes: Code) => Code = binary(0xfd, 0x0e);
export const eq16: (first: Code, second: Code) => Code = binary(0xfd, 0x23);
export const gt16: (first: Code, second: Code) => Code = binary(0xfd, 0x27);
export const and128: (first: Code, second: Code) => Code = binary(0xfd, 0x4e);
export const or128: (first: Code, second: Code) => Code = binary(0xfd, 0x50);
export const splat16: (value: Code) => Code = unary(0xfd, 0x0f);
export const bitmask16: (value: Code) => Code = unary(0xfd, 0x64);
export const shr16: (value: Code, count: Code) => Code = binary(0xfd, 0x6d, 0x01);
/** `second` where the condition does not hold. */
export const select = (first: Code, second: Code, condition: Code): Code => [first, second, condition, 0x1b];

const loading =
  (...opcode: readonly number[]) =>
  (address: Code, offset = 0): Code => [address, opcode, 0, ...unsigned(offset)];
type Load = (address: Code, offset?: number) => Code;
export const load8: Load = loading(0x2d);
export const load16: Load = loading(0x2f);
export const load32: Load = loading(0x28);
export const load64: Load = loading(0x29);
export const load128: Load = loading(0xfd, 0x00);

const storing =
  (...opcode: readonly number[]) =>
  (address: Code, offset: number, value: Code): Code => [address, value, opcode, 0, ...unsigned(offset)];
type Store = (address: Code, offset: number, value: Code) => Code;
export const store16: Store = storing(0x3b);
export const store32: Store = storing(0x36);
export const store64: Store = storing(0x37);
export const store128: Store = storing(0xfd, 0x0b);

const EMPTY = 0x40;
const END = 0x0b;
export const block = (label: Label, ...body: readonly Code[]): Code => [{ opcode: 0x02, label, body }];
export const loop = (label: Label, ...body: readonly Code[]): Code => [{ opcode: 0x03, label, body }];
export const when = (condition: Code, ...body: readonly Code[]): Code => [
  condition,
  { opcode: 0x04, label: Symbol('when'), body },
];
export const otherwise: Code = [0x05];
export const go = (target: Label): Code => [{ opcode: 0x0c, target }];
export const goIf = (target: Label, condition: Code): Code => [condition, { opcode: 0x0d, target }];
export const answer = (value: Code): Code => [value, 0x0f];
/** Calls a function by its number. */
export const call = (index: number, ...args: readonly Code[]): Code => [args, 0x10, index];
/** Behind a loop that is only left by an answer. */
export const never: Code = [0x00];

/** The binary form of a module that imports `memory.it`, of `pageCount` pages, and exports its functions by name. */
export function moduleOf(functions: readonly Func[], pageCount: number): Uint8Array {
  const signatures = functions.map(({ parameterCount }) => [
    0x60,
    ...unsigned(parameterCount),
    ...Array<number>(parameterCount).fill(I32),
    ...[1, I32],
  ]);
  const limits = [0x01, ...unsigned(pageCount), ...unsigned(pageCount)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(signatures)),
    ...section(2, vector([[...text('memory'), ...text('it'), 0x02, ...limits]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))),
    ...section(10, vector(functions.map(bodyOf))),
  ]);
}

function bodyOf({ locals, body }: Func): readonly number[] {
  const code = [...vector(locals.map((type) => [1, type]))];
  emit(code, body, []);
  code.push(END);
  return [...unsigned(code.length), ...code];
}

/** Appends the bytes of code; a branch counts the regions between it and its target. */
function emit(bytes: number[], code: Code, labels: readonly Label[]): void {
  for (const piece of code) {
    if (typeof piece === 'number') bytes.push(piece);
    else if ('target' in piece) {
      const depth = labels.indexOf(piece.target);
      if (depth < 0) throw new RangeError(`no region around a branch has the label ${String(piece.target)}`);
      bytes.push(piece.opcode, ...unsigned(depth));
    } else if ('body' in piece) {
      bytes.push(piece.opcode, EMPTY);
      emit(bytes, piece.body, [piece.label, ...labels]);
      bytes.push(END);
    } else emit(bytes, piece, labels);
  }
}

function section(id: number, body: readonly number[]): readonly number[] {
  return [id, ...unsigned(body.length), ...body];
}

function vector(items: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): readonly number[] {
  return [...unsigned(value.length), ...Buffer.from(value)];
}

function unsigned(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): readonly number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

function signed64(value: bigint): readonly number[] {
  const low = Number(value & 0x7fn);
  return value >= -0x40n && value < 0x40n ? [low] : [low | 0x80, ...signed64(value >> 7n)];
}
