/**
 * The table of fields for a restricter of bytes: every name and every place as a small integer, found by the hash of a key.
 *
 * Compiled once from the tree that the object path follows (field-tree.ts) and from the names of identifiers
 * (id-names.ts). Names are found without regard to case.
 * @module
 */
import { type FieldNode, ROOT } from './field-tree.js';
import { CLASS_OF_NAME, type NameClass } from './id-names.js';
import { hashByte } from './read-index.js';
import { source } from './tape.js';

/** `0` is the place of which the table says nothing. */
export const NO_NODE = 0;
export const ROOT_NODE = 1;

/** A place of the table, numbered. */
interface Place {
  readonly node: FieldNode;
  elements: number;
  others: number;
}

const NOWHERE: Place = { node: ROOT, elements: 0, others: 0 };
const HASH_SLOTS = 2048;
const HASH_MASK = HASH_SLOTS - 1;
const NAME_BITS = 10;

/** Of an identifier by name (id-names.ts): 0 is no such name. */
export const ALWAYS = 1;
export const EIDS_NAME = 2;
export const SHAPED = 3;
const CLASS_NUMBER: Readonly<Record<NameClass, number>> = { always: ALWAYS, eids: EIDS_NAME, shaped: SHAPED };

/** The case of ASCII letters folded, byte by byte. */
export const FOLDED: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);

/** Names in lower case; the first is none. */
const names: string[] = [''];
const places: Place[] = [NOWHERE];
/** Open addressing, three to a slot: hash, name, and where its bytes begin. */
const nameTable = new Int32Array(3 * HASH_SLOTS);
/** Open addressing, two to a slot: node and name, child. */
const childTable = new Int32Array(2 * HASH_SLOTS);
addPlace(ROOT);
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
/** By node: its elements; `NO_NODE` where the table expects none. */
export const ELEMENTS_OF: Uint16Array = Uint16Array.from(places, ({ elements }) => elements);
const othersOf = Uint16Array.from(places, ({ others }) => others);
const hasNames = Uint8Array.from(places, ({ node }, number) => Number(number !== NO_NODE && node.members !== null));

/** HOT. The name in the bytes, found without regard to case; 0 where the table has none such. */
export function nameAt(from: number, to: number, hash: number): number {
  const length = to - from;
  for (let slot = indexOf(hash); ; slot = (slot + 1) & HASH_MASK) {
    const name = nameTable[3 * slot + 1]!;
    if (name === 0) return 0;
    if (nameTable[3 * slot] !== hash || nameLengths[name] !== length) continue;
    const at = nameTable[3 * slot + 2]!;
    let index = 0;
    while (index < length && folded[bytes[from + index]!] === nameBytes[at + index]) index++;
    if (index === length) return name;
  }
}

/** HOT. The node of a member, `NO_NODE` where the table says nothing of it. */
export function childNode(node: number, name: number): number {
  if (name !== 0 && hasNames[node] === 1) {
    const key = (node << NAME_BITS) | name;
    for (let slot = indexOf(key); ; slot = (slot + 1) & HASH_MASK) {
      const child = childTable[2 * slot + 1]!;
      if (child === 0) break;
      if (childTable[2 * slot] === key) return child;
    }
  }
  return othersOf[node]!;
}

/** HOT. */
function indexOf(key: number): number {
  const mixed = Math.imul(key, 0x9e3779b1 | 0);
  return (mixed ^ (mixed >>> 16)) & HASH_MASK;
}

/** Numbers a place and all below it. */
function addPlace(node: FieldNode): number {
  const place: Place = { node, elements: 0, others: 0 };
  const number = places.push(place) - 1;
  for (const [name, member] of node.members ?? []) {
    enter(childTable, 2, (number << NAME_BITS) | numberOf(name), addPlace(member));
  }
  if (node.elements !== null) place.elements = addPlace(node.elements);
  if (node.others === node.elements) place.others = place.elements;
  else if (node.others !== null) place.others = addPlace(node.others);
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
  enter(nameTable, 3, hash, number, names.slice(0, number).join('').length);
}

/** The second integer of every entry is not zero. */
function enter(table: Int32Array, width: number, key: number, ...values: readonly number[]): void {
  let slot = indexOf(key);
  while (table[width * slot + 1] !== 0) slot = (slot + 1) & HASH_MASK;
  table.set([key, ...values], width * slot);
}
