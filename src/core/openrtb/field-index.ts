/**
 * The table of fields for a reader of bytes: every name and every place as a small integer, found by the hash of a key.
 *
 * Compiled once from the tree that the object path follows (field-tree.ts), from the places that are read
 * (read-places.ts) and from the names of identifiers (id-names.ts). Names are found without regard to case; whether the
 * case is that of the table is told, since reading minds it and stripping does not.
 * @module
 */
import { STRIP_ALL } from '../vocabulary.js';
import { type FieldNode, isContainer, ROOT } from './field-tree.js';
import { CLASS_OF_NAME, type NameClass } from './id-names.js';
import { LAYERED_PATHS, SLOT } from './read-places.js';
import { source } from './tape.js';

/** `0` is the place of which the table says nothing. */
export const NO_NODE = 0;
export const ROOT_NODE = 1;

/** A place of the table, numbered. */
interface Place {
  readonly node: FieldNode;
  readonly slot: number;
  readonly isLayered: boolean;
  isRead: boolean;
  /** By number of the name. */
  readonly members: Map<number, number>;
  elements: number;
  others: number;
}

const NOWHERE: Place = {
  node: ROOT,
  slot: 0,
  isLayered: false,
  isRead: false,
  members: new Map(),
  elements: 0,
  others: 0,
};
const HASH_BITS = 11;
const HASH_SLOTS = 1 << HASH_BITS;
const HASH_MASK = HASH_SLOTS - 1;

/** Of an identifier by name (id-names.ts): 0 is no such name. */
export const ALWAYS = 1;
export const EIDS_NAME = 2;
export const SHAPED = 3;
const CLASS_NUMBER: Readonly<Record<NameClass, number>> = { always: ALWAYS, eids: EIDS_NAME, shaped: SHAPED };

/** Bits of `TRAITS_OF`. */
export const IS_NAMED = 1;
export const IS_PASSED = 2;
/** A container that has to be of the type that the table says. */
export const IS_TYPED = 4;
export const HAS_ELEMENTS = 8;

/** Besides the groups that touch a node: it stays exactly as it came. */
export const PASSES: number = STRIP_ALL + 1;

/** The case of ASCII letters folded, byte by byte. */
export const FOLDED: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);

/** Names in lower case; the first is none. */
const names: string[] = [''];
export const NAMES: readonly string[] = names;
const places: Place[] = [NOWHERE];
/** Open addressing, three to a slot: hash, name, and where its bytes begin. */
const nameTable = new Int32Array(3 * HASH_SLOTS);
addPlace(ROOT, '');
for (const name of CLASS_OF_NAME.keys()) numberOf(name);
const bytes = source;
const folded = FOLDED;
const nameBytes: Uint8Array = Buffer.from(names.join(''));
const nameLengths = Uint8Array.from(names, ({ length }) => length);
for (const name of names.slice(1)) enterName(name);

/** By name: whether it is one of an identifier. */
export const CLASS_BY_NAME: Uint8Array = Uint8Array.from(names, (name) => {
  const nameClass = CLASS_OF_NAME.get(name);
  return nameClass === undefined ? 0 : CLASS_NUMBER[nameClass];
});
/** Nodes by number; the first means nothing. */
export const NODES: readonly FieldNode[] = places.map(({ node }) => node);
/** By node: its slot, `0` for none. */
export const SLOT_OF: Uint8Array = Uint8Array.from(places, ({ slot }) => slot);
/** By node: something is read here or below, so that the case of its name matters. */
export const IS_READ: Uint8Array = Uint8Array.from(places, ({ isRead }) => Number(isRead));
/** By node: it means several requests in one. */
export const IS_LAYERED: Uint8Array = Uint8Array.from(places, ({ isLayered }) => Number(isLayered));
/** By node: groups that change anything here or below, and `PASSES`. */
export const TOUCHED_BY: Uint16Array = Uint16Array.from(places, ({ node }, number) =>
  number === NO_NODE ? 0 : node.touchedBy | (node.operation === 'pass' ? PASSES : 0),
);
/** By node: groups whose stripping removes it, and groups whose stripping changes it. */
export const REMOVED_BY: Uint16Array = Uint16Array.from(places, ({ node }, number) =>
  number === NO_NODE ? 0 : node.removedBy,
);
export const CHANGED_BY: Uint16Array = Uint16Array.from(places, ({ node }, number) =>
  number === NO_NODE ? 0 : node.changedBy,
);
/** By node: bits of what is known of it. */
export const TRAITS_OF: Uint8Array = Uint8Array.from(places, ({ node }, number) =>
  number === NO_NODE
    ? 0
    : (node.named ? IS_NAMED : 0) |
      (node.operation === 'pass' ? IS_PASSED : 0) |
      (isContainer(node) && !node.keptAnyType ? IS_TYPED : 0) |
      (node.elements === null ? 0 : HAS_ELEMENTS),
);
/** By node: its elements; `NO_NODE` where the table expects none. */
export const ELEMENTS_OF: Uint16Array = Uint16Array.from(places, ({ elements }) => elements);
/** By node: where its row of `children` begins. */
export const ROW_OF: Uint32Array = new Uint32Array(places.length);
const rowOf = ROW_OF;
/** A row for each node that has members: by name, the child. A table of its own for each took 25 ns to search. */
export const CHILDREN: Uint16Array = compileChildren();
const children = CHILDREN;

/** HOT. One more byte of a key; start with 0. Disregards case, and more: whoever finds something has to compare. */
export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 0x20)) | 0;
}

/** HOT. The name in the bytes; negative where it is written in another case, 0 where the table has none such. */
export function nameAt(from: number, to: number, hash: number): number {
  for (let slot = indexOf(hash); ; slot = (slot + 1) & HASH_MASK) {
    const name = nameTable[3 * slot + 1]!;
    if (name === 0) return 0;
    if (nameTable[3 * slot] !== hash || nameLengths[name] !== to - from) continue;
    const difference = compareName(from, to, nameTable[3 * slot + 2]!);
    if (difference >= 0) return difference === 0 ? name : -name;
  }
}

/** HOT. 0: the same bytes. Positive: in another case. Negative: another name. */
function compareName(from: number, to: number, nameFrom: number): number {
  let difference = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    const nameByte = nameBytes[nameFrom + at - from]!;
    if (folded[byte] !== nameByte) return -1;
    difference |= byte ^ nameByte;
  }
  return difference;
}

/** HOT. The node of a member, `NO_NODE` where the table says nothing of it. */
export function childNode(node: number, name: number): number {
  return children[rowOf[node]! + name]!;
}

/** HOT. */
function indexOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1 | 0) >>> (32 - HASH_BITS);
}

/** Numbers a place and all below it; nothing below a layered one is looked at. */
function addPlace(node: FieldNode, path: string): number {
  const isLayered = LAYERED_PATHS.includes(path);
  const slot = (SLOT as Readonly<Record<string, number | undefined>>)[path] ?? 0;
  const isRead = isLayered || slot !== 0;
  const place: Place = { node, slot, isLayered, isRead, members: new Map(), elements: 0, others: 0 };
  const number = places.push(place) - 1;
  if (isLayered) return number;
  for (const [name, member] of node.members ?? []) {
    const child = addPlace(member, path === '' ? name : `${path}.${name}`);
    place.members.set(numberOf(name), child);
    place.isRead ||= places[child]?.isRead === true;
  }
  if (node.elements !== null) place.elements = addPlace(node.elements, `${path}[]`);
  if (node.others === node.elements) place.others = place.elements;
  else if (node.others !== null) place.others = addPlace(node.others, `${path}.*`);
  return number;
}

function numberOf(name: string): number {
  const known = names.indexOf(name);
  return known > 0 ? known : names.push(name) - 1;
}

function enterName(name: string): void {
  const number = names.indexOf(name);
  let hash = 0;
  for (const byte of Buffer.from(name)) hash = hashByte(hash, byte);
  let slot = indexOf(hash);
  while (nameTable[3 * slot + 1] !== 0) slot = (slot + 1) & HASH_MASK;
  nameTable.set([hash, number, names.slice(0, number).join('').length], 3 * slot);
}

/** The first row is of all nodes without members. */
function compileChildren(): Uint16Array {
  const parents = [...places.keys()].filter(
    (number) => (places[number]?.members.size ?? 0) > 0 || places[number]?.others,
  );
  const table = new Uint16Array((parents.length + 1) * names.length);
  for (const [index, number] of parents.entries()) {
    const { members, others } = places[number] ?? NOWHERE;
    const at = (index + 1) * names.length;
    rowOf[number] = at;
    table.fill(others, at, at + names.length);
    for (const [name, child] of members) table[at + name] = child;
  }
  return table;
}
