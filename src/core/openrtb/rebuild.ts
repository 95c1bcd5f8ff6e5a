/**
 * Walks a request together with the tree of fields and copies only what changes: an object or array in which nothing
 * changed is returned itself.
 * @module
 */
import { childOf, type FieldNode } from './field-tree.js';
import { type JsonObject, setMember } from './json.js';

/** What becomes of one member or element (whose key is `''`): the value itself, another one, or `undefined` for "removed". */
export type MemberRule<Run> = (key: string, value: unknown, node: FieldNode | null, run: Run, depth: number) => unknown;

/** HOT. The object after `rule` was asked about each member. */
export function rebuildObject<Run>(
  source: JsonObject,
  node: FieldNode | null,
  run: Run,
  depth: number,
  rule: MemberRule<Run>,
): JsonObject {
  let target: JsonObject | null = null;
  for (const key in source) {
    if (!Object.hasOwn(source, key)) continue;
    const value = source[key];
    const kept = rule(key, value, node === null ? null : childOf(node, key), run, depth);
    if (target === null) {
      if (kept === value) continue;
      target = membersBefore(source, key);
    }
    if (kept !== undefined) setMember(target, key, kept);
  }
  return target ?? source;
}

/** HOT. The array after `rule` was asked about each element. */
export function rebuildArray<Run>(
  source: readonly unknown[],
  node: FieldNode | null,
  run: Run,
  depth: number,
  rule: MemberRule<Run>,
): readonly unknown[] {
  const elementNode = node === null ? null : node.elements;
  let target: unknown[] | null = null;
  for (let index = 0; index < source.length; index++) {
    const value = source[index];
    const kept = rule('', value, elementNode, run, depth);
    if (target === null) {
      if (kept === value) continue;
      target = source.slice(0, index);
    }
    if (kept !== undefined) target.push(kept);
  }
  return target ?? source;
}

function membersBefore(source: JsonObject, end: string): JsonObject {
  const target: JsonObject = {};
  for (const key in source) {
    if (key === end) break;
    if (Object.hasOwn(source, key)) setMember(target, key, source[key]);
  }
  return target;
}
