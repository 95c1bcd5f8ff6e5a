/**
 * The keys of members in the scanner's WebAssembly: their names in the table of fields, and whether one stands twice.
 *
 * Not byte by byte: a key is hashed by its length and its first and last eight bytes, and compared with a name sixteen
 * bytes at once.
 * @module
 */
import { CHILDREN, CLASS_BY_NAME, FOLDED, IS_LAYERED, IS_READ, NAMES, ROW_OF, SLOT_OF } from './field-index.js';
import { COLLISIONS_MAX, failureNumber, type ScanFailure } from './scan-failure.js';
import {
  allot,
  allotTable,
  ROW_BYTES,
  SCAN_DEPTH_MAX,
  SCAN_MEMBERS_MAX,
  SCAN_VALUES_MAX,
  SLOTS_AT,
  TAPE_AT,
} from './scan-memory.js';
import { endOfText, passSpace, type TextLocals } from './scan-simd-text.js';
import { KEY_FROM, KEY_TO, NAME, NODE } from './tape.js';
import {
  add,
  add64,
  and,
  and64,
  answer,
  bitmask16,
  block,
  type Code,
  call,
  eq,
  eq16,
  extend,
  type Func,
  func,
  ge,
  get,
  go,
  goIf,
  gt,
  I64,
  i32,
  i64,
  increase,
  isZero,
  isZero64,
  load8,
  load16,
  load32,
  load64,
  load128,
  loop,
  lt,
  mul,
  mul64,
  ne,
  never,
  or,
  or64,
  otherwise,
  rotate64,
  select,
  set,
  shl,
  shl64,
  shr,
  shr64,
  store16,
  store32,
  sub,
  type Type,
  tee,
  when,
  wrap,
  xor64,
} from './wasm.js';

/** Numbers of the functions in the module, behind those of scan-simd-text.ts. */
export const IS_SAME_FOLDED = 4;
const IS_REPEATED = 5;

const QUOTE = 0x22;
const COLON = 0x3a;
const CHUNK = 16;
const NAME_BYTES = 32;
const WORD_BYTES = 8;
/** Sets the bit that tells the case of a letter, in eight bytes; disregards more, so whoever finds something compares. */
const FOLD = 0x2020202020202020n;
const MIX = 0x9e3779b97f4a7c15n;
const SPREAD = 23n;
const SLOT_BITS = 11;
const SLOT_COUNT = 1 << SLOT_BITS;
/** A hash, then the name in the low half of a word and its length in the high half. */
const SLOT_BYTES = 8;
const NAME_BITS = 16;
const IS_READ_BIT = 0x100;
const IS_LAYERED_BIT = 0x200;
const KEY_BYTES = 8;
const NAME_SLOTS_AT = allotTable(nameSlots());
const NAMES_AT = allotTable(
  Buffer.concat(NAMES.map((name) => Buffer.concat([Buffer.from(name), Buffer.alloc(NAME_BYTES)], NAME_BYTES))),
);
const FOLDED_AT = allotTable(FOLDED);
const CLASSES_AT = allotTable(CLASS_BY_NAME);
const CHILDREN_AT = allotTable(CHILDREN);
const CHILD_ROWS_AT = allotTable(ROW_OF);
const PLACES_AT = allotTable(
  Uint32Array.from(SLOT_OF, (slot, node) =>
    IS_READ[node] === 1 ? IS_READ_BIT | slot | (IS_LAYERED[node] === 1 ? IS_LAYERED_BIT : 0) : 0,
  ),
);
/** Hash and row of each key of an open object; by depth. */
const KEYS_AT = allot(SCAN_DEPTH_MAX * SCAN_MEMBERS_MAX * KEY_BYTES);

/** Locals of the fragment {@link memberKey}. */
export interface KeyLocals {
  readonly text: TextLocals;
  /** Of the object: keys seen, how many, where they are noted, and where the row of its children begins. */
  readonly seen: number;
  readonly count: number;
  readonly keysAt: number;
  readonly childrenAt: number;
  /** The address of the next row. */
  readonly free: number;
  /** Of the member: number of its name, and its place. */
  readonly name: number;
  readonly place: number;
  readonly keyFrom: number;
  readonly length: number;
  readonly hash: number;
  readonly isOtherCase: number;
  readonly scratch: number;
  readonly slotAt: number;
  readonly nameAt: number;
  readonly word: number;
  readonly bit: number;
}

export function keyLocals(local: (type?: Type) => number, text: TextLocals, free: number): KeyLocals {
  return {
    ...{ text, seen: local(I64), count: local(), keysAt: local(), childrenAt: local(), free, name: local() },
    ...{ place: local(), keyFrom: local(), length: local(), hash: local(), isOtherCase: local(), scratch: local() },
    ...{ slotAt: local(), nameAt: local(), word: local(I64), bit: local(I64) },
  };
}

/** Answers the failure. */
export function decline(failure: ScanFailure): Code {
  return answer(i32(failureNumber(failure)));
}

/** Sets where children and keys of the object or array are looked up. */
export function enterContainer({ keysAt, childrenAt }: KeyLocals, node: number, depth: number): Code {
  const keysBytes = SCAN_MEMBERS_MAX * KEY_BYTES;
  return [
    ...set(keysAt, add(mul(get(depth), i32(keysBytes)), i32(KEYS_AT - keysBytes))),
    ...set(childrenAt, shl(load32(shl(get(node), i32(2)), CHILD_ROWS_AT), i32(1))),
  ];
}

/** Whether the name in a local is one of an identifier. */
export function isIdName(name: Code): Code {
  return ne(load8(name, CLASSES_AT), i32(0));
}

/** From the quote of a key on to its value: starts a row, notes the key, and leaves its marks in those of the text. */
export function memberKey(locals: KeyLocals): Code {
  const { text, seen, count, keysAt, free, name, place, keyFrom, length, hash, scratch, bit } = locals;
  const { at } = text;
  const noteAt = add(get(keysAt), shl(get(count), i32(3)));
  return [
    ...when(ne(load8(get(at)), i32(QUOTE)), decline('invalid')),
    ...set(keyFrom, tee(at, add(get(at), i32(1)))),
    ...endOfText(text, decline('unusual_key')),
    ...set(length, sub(get(at), get(keyFrom))),
    ...when(ge(get(count), i32(SCAN_MEMBERS_MAX)), decline('too_many_members')),
    ...when(ge(get(free), i32(TAPE_AT + SCAN_VALUES_MAX * ROW_BYTES)), decline('too_many_values')),
    ...findName(locals),
    ...set(place, load16(add(get(locals.childrenAt), shl(get(name), i32(1))), CHILDREN_AT)),
    ...when(tee(scratch, load32(shl(get(place), i32(2)), PLACES_AT)), noteRead(locals)),
    ...store32(get(free), 4 * KEY_FROM, get(keyFrom)),
    ...store32(get(free), 4 * KEY_TO, get(at)),
    ...store32(get(free), 4 * NODE, get(place)),
    ...store32(get(free), 4 * NAME, get(name)),
    ...set(bit, shl64(i64(1n), extend(get(hash)))),
    ...when(
      isZero(isZero64(and64(get(seen), get(bit)))),
      when(call(IS_REPEATED, get(keysAt), get(count), get(hash), get(keyFrom), get(length)), decline('repeated_key')),
    ),
    ...set(seen, or64(get(seen), get(bit))),
    ...store32(noteAt, 0, get(hash)),
    ...store32(noteAt, 4, get(free)),
    ...increase(count, 1),
    ...increase(at, 1),
    ...passSpace(at),
    ...when(ne(load8(get(at)), i32(COLON)), decline('invalid')),
    ...increase(at, 1),
    ...passSpace(at),
  ];
}

/** Notes the row of a value that is read; what `canRead` in scan.ts does. */
function noteRead({ free, scratch, isOtherCase }: KeyLocals): Code {
  const row = shr(sub(get(free), i32(TAPE_AT)), i32(5));
  return [
    ...when(and(get(scratch), i32(IS_LAYERED_BIT)), decline('layered')),
    ...when(get(isOtherCase), decline('unusual_key')),
    ...store16(shl(and(get(scratch), i32(IS_READ_BIT - 1)), i32(1)), SLOTS_AT, row),
  ];
}

/** The key's length and its first and last eight bytes, regardless of case; what `hashOfName` makes of a name. */
function hashKey({ text, keyFrom, length, hash, word }: KeyLocals): Code {
  const folded = (address: Code) => or64(load64(address), i64(FOLD));
  const outside = shl64(i64(-1n), extend(shl(get(length), i32(3))));
  const last = rotate64(folded(sub(get(text.at), i32(WORD_BYTES))), i64(SPREAD));
  return [
    ...when(
      ge(get(length), i32(WORD_BYTES)),
      set(word, xor64(folded(get(keyFrom)), last)),
      otherwise,
      set(word, and64(folded(get(keyFrom)), xor64(outside, i64(-1n)))),
    ),
    ...set(hash, wrap(shr64(mul64(add64(get(word), extend(get(length))), i64(MIX)), i64(32n)))),
  ];
}

/** Hashes the key, and finds the number of its name, 0 for none. */
function findName(locals: KeyLocals): Code {
  const { text, keyFrom, length, hash, name, isOtherCase, scratch, slotAt, nameAt } = locals;
  const [found, next, differs] = [Symbol('found'), Symbol('next'), Symbol('differs')];
  const same = (keyAt: Code, otherAt: Code) => bitmask16(eq16(load128(keyAt), load128(otherAt)));
  const outside = shl(i32(-1), select(get(length), i32(CHUNK), lt(get(length), i32(CHUNK))));
  const sameEnd = same(sub(get(text.at), i32(CHUNK)), add(get(nameAt), sub(get(length), i32(CHUNK))));
  const take = [...set(name, and(get(scratch), i32((1 << NAME_BITS) - 1))), ...go(found)];
  const compare = [
    ...set(nameAt, add(shl(and(get(scratch), i32((1 << NAME_BITS) - 1)), i32(5)), i32(NAMES_AT))),
    ...block(
      differs,
      goIf(differs, ne(or(same(get(keyFrom), get(nameAt)), outside), i32(-1))),
      when(gt(get(length), i32(CHUNK)), goIf(differs, ne(sameEnd, i32((1 << CHUNK) - 1)))),
      take,
    ),
    ...when(call(IS_SAME_FOLDED, get(keyFrom), get(length), get(nameAt)), set(isOtherCase, i32(1)), take),
  ];
  return [
    ...hashKey(locals),
    ...set(name, i32(0)),
    ...set(isOtherCase, i32(0)),
    ...set(slotAt, shl(shr(get(hash), i32(32 - SLOT_BITS)), i32(3))),
    ...block(
      found,
      loop(
        next,
        goIf(found, isZero(tee(scratch, load32(get(slotAt), NAME_SLOTS_AT + 4)))),
        when(
          and(eq(load32(get(slotAt), NAME_SLOTS_AT), get(hash)), eq(shr(get(scratch), i32(NAME_BITS)), get(length))),
          compare,
        ),
        set(slotAt, and(add(get(slotAt), i32(SLOT_BYTES)), i32(SLOT_BYTES * SLOT_COUNT - 1))),
        go(next),
      ),
    ),
  ];
}

/** In the order of their numbers. */
export function keyFunctions(): readonly Func[] {
  return [isSameFolded(), isRepeated()];
}

/** Whether bytes are the same but for the case of letters. Parameters: where they stand, and how many between. */
function isSameFolded(): Func {
  return func('isSameFolded', 3, (local) => {
    const [firstAt, length, secondAt] = [0, 1, 2];
    const offset = local();
    const next = Symbol('next');
    const byteAt = (from: number) => load8(load8(add(get(from), get(offset))), FOLDED_AT);
    return [
      ...loop(
        next,
        when(ge(get(offset), get(length)), answer(i32(1))),
        when(ne(byteAt(firstAt), byteAt(secondAt)), answer(i32(0))),
        increase(offset, 1),
        go(next),
      ),
      ...never,
    ];
  });
}

/** Whether an object has a key already, or too many keys of one hash to tell; what `isRepeated` in scan.ts does. */
function isRepeated(): Func {
  return func('isRepeated', 5, (local) => {
    const [keysAt, count, hash, keyAt, length] = [0, 1, 2, 3, 4];
    const [end, other, offset, collisions] = [local(), local(), local(), local()];
    const [next, differs, bytes] = [Symbol('next'), Symbol('differs'), Symbol('bytes')];
    const byteAt = (from: Code) => load8(add(from, get(offset)));
    const compare = [
      ...set(other, load32(get(keysAt), 4)),
      ...block(
        differs,
        goIf(differs, ne(sub(load32(get(other), 4 * KEY_TO), load32(get(other), 4 * KEY_FROM)), get(length))),
        set(other, load32(get(other), 4 * KEY_FROM)),
        set(offset, i32(0)),
        loop(
          bytes,
          when(ge(get(offset), get(length)), answer(i32(1))),
          goIf(differs, ne(byteAt(get(other)), byteAt(get(keyAt)))),
          increase(offset, 1),
          go(bytes),
        ),
      ),
      ...increase(collisions, 1),
      ...when(gt(get(collisions), i32(COLLISIONS_MAX)), answer(i32(1))),
    ];
    return [
      ...set(end, add(get(keysAt), shl(get(count), i32(3)))),
      ...loop(
        next,
        when(ge(get(keysAt), get(end)), answer(i32(0))),
        when(eq(load32(get(keysAt)), get(hash)), compare),
        increase(keysAt, KEY_BYTES),
        go(next),
      ),
      ...never,
    ];
  });
}

/** The names of the table by their hash: open addressing, a word of 0 where there is none. */
function nameSlots(): Uint32Array {
  const slots = new Uint32Array(2 * SLOT_COUNT);
  for (const [number, name] of NAMES.entries()) {
    if (number === 0) continue;
    if (name.length > NAME_BYTES) throw new RangeError(`expected names of at most ${NAME_BYTES} bytes`);
    const hash = hashOfName(Buffer.from(name));
    let slot = hash >>> (32 - SLOT_BITS);
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) % SLOT_COUNT;
    slots.set([hash, (name.length << NAME_BITS) | number], 2 * slot);
  }
  return slots;
}

function hashOfName(name: Buffer): number {
  const { length } = name;
  const padded = Buffer.concat([name, Buffer.alloc(WORD_BYTES)]);
  const first = padded.readBigUInt64LE(0) | FOLD;
  const last = length < WORD_BYTES ? 0n : padded.readBigUInt64LE(length - WORD_BYTES) | FOLD;
  const word =
    length < WORD_BYTES
      ? first & ((1n << BigInt(8 * length)) - 1n)
      : first ^ BigInt.asUintN(64, (last << SPREAD) | (last >> (64n - SPREAD)));
  return Number(BigInt.asUintN(64, (word + BigInt(length)) * MIX) >> 32n);
}
