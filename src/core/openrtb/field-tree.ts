/**
 * The rows of fields.ts as a tree to walk along a request, built once.
 * @module
 */
import { STRIP_GROUPS } from '../vocabulary.js';
import {
  type Collect,
  FIELDS,
  type FieldRow,
  KEPT_ANY_TYPE,
  KEPT_WHEN_EMPTY,
  type Operation,
  placesOf,
} from './fields.js';

export interface FieldNode {
  /** The table has this place by its name, not as one of the others (`*`) or of the elements. */
  named: boolean;
  /** Groups whose stripping removes the whole member. */
  removedBy: number;
  /** Groups whose stripping applies `operation`. */
  changedBy: number;
  operation: Operation;
  collect: Collect;
  /** Groups that change anything here or below. */
  touchedBy: number;
  /** Members by name in lower case; `null` where none has a row. */
  members: Map<string, FieldNode> | null;
  /** Every other member; its node has no name of its own. */
  others: FieldNode | null;
  /** Elements, where an array is expected. */
  elements: FieldNode | null;
  keptWhenEmpty: boolean;
  /** Stays whatever its JSON type. Only for what a request cannot be without. */
  keptAnyType: boolean;
}

/** The request itself. */
export const ROOT: FieldNode = compile();

/** HOT. The node of a member, `null` where the table says nothing of it. Names are matched without regard to case. */
export function childOf(node: FieldNode, key: string): FieldNode | null {
  const { members } = node;
  if (members !== null) {
    const exact = members.get(key);
    if (exact !== undefined) return exact;
    const folded = key.toLowerCase();
    if (folded !== key) return members.get(folded) ?? node.others;
  }
  return node.others;
}

/** HOT. Whether the table expects members or elements here. */
export function isContainer(node: FieldNode): boolean {
  return node.members !== null || node.others !== null || node.elements !== null;
}

function compile(): FieldNode {
  const root = blankNode();
  for (const row of FIELDS) for (const place of placesOf(row.path)) addRow(root, place, row);
  for (const path of KEPT_WHEN_EMPTY) for (const place of placesOf(path)) nodeAt(root, place, 0).keptWhenEmpty = true;
  for (const path of KEPT_ANY_TYPE) {
    for (const place of placesOf(path)) {
      const node = nodeAt(root, place, 0);
      node.keptAnyType = true;
      // some encoders write an array with gaps as an object
      node.others ??= node.elements;
    }
  }
  return root;
}

function addRow(root: FieldNode, place: string, row: FieldRow): void {
  const bit = row.group === null ? 0 : 1 << STRIP_GROUPS.indexOf(row.group);
  const node = nodeAt(root, place, bit);
  if (row.operation === 'remove') node.removedBy |= bit;
  else {
    node.changedBy |= bit;
    node.operation = row.operation;
  }
  if (row.collect !== undefined) node.collect = row.collect;
}

/** The node of a place, made where it is missing; every node on the way learns that `bit` touches it. */
function nodeAt(root: FieldNode, place: string, bit: number): FieldNode {
  let node = root;
  node.touchedBy |= bit;
  for (const step of place.toLowerCase().replaceAll('[]', '.[]').split('.')) {
    node = stepInto(node, step);
    node.touchedBy |= bit;
  }
  return node;
}

function stepInto(node: FieldNode, step: string): FieldNode {
  if (step === '[]') {
    node.elements ??= blankNode();
    return node.elements;
  }
  if (step === '*') {
    node.others ??= blankNode();
    return node.others;
  }
  node.members ??= new Map();
  const child = node.members.get(step) ?? blankNode();
  child.named = true;
  node.members.set(step, child);
  return child;
}

function blankNode(): FieldNode {
  return {
    named: false,
    removedBy: 0,
    changedBy: 0,
    operation: 'keep',
    collect: 'listed',
    touchedBy: 0,
    members: null,
    others: null,
    elements: null,
    keptWhenEmpty: false,
    keptAnyType: false,
  };
}
