/**
 * Paths into a row of JSON, such as `user.ids[].value`.
 *
 * Dots separate keys; `[]` says that there is an array, and may be left out, for every array on the way is walked through.
 * A backslash before `.`, `[` or `\` makes it part of a key. All paths of a mapping become one tree, which is walked along
 * with the row.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { ColumnMapping } from '../mapping.js';

/** A key on the way to mapped values. */
export interface PathNode {
  /** Its children's keys in UTF-8, and the children. */
  readonly keys: Uint8Array[];
  readonly children: PathNode[];
  /** Places of the mapping that end here. */
  readonly places: number[];
}

/** @throws {InputError} that names the entry whose path cannot be read. */
export function pathTree(mapping: ColumnMapping): PathNode {
  const root = newNode();
  for (const [place, { place: path }] of mapping.entries()) {
    let node = root;
    for (const key of keysOf(path, `mapping[${place}]`)) node = childOf(node, Buffer.from(key));
    node.places.push(place);
  }
  return root;
}

/** Throws an InputError for a path that is none. */
function keysOf(path: string, field: string): readonly string[] {
  const keys = [''];
  for (let at = 0; at < path.length; at++) {
    const character = path[at]!;
    if (character === '\\' && at + 1 < path.length) keys[keys.length - 1] += path[++at]!;
    else if (character === '[') {
      if (path[at + 1] !== ']' || !(at + 2 === path.length || path[at + 2] === '.' || path[at + 2] === '[')) {
        throw new InputError(field, 'malformed', 'expected "[]" at the end of a key, as in user.ids[].value');
      }
      at++;
    } else if (character === '.') keys.push('');
    else keys[keys.length - 1] += character;
  }
  if (keys.includes(''))
    throw new InputError(field, 'malformed', 'expected a key between dots, as in user.ids[].value');
  return keys;
}

function childOf(node: PathNode, key: Buffer): PathNode {
  const index = node.keys.findIndex((known) => key.equals(known));
  const known = node.children[index];
  if (known !== undefined) return known;
  const child = newNode();
  node.keys.push(key);
  node.children.push(child);
  return child;
}

function newNode(): PathNode {
  return { keys: [], children: [], places: [] };
}
