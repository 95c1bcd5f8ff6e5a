/**
 * The tree of paths as a kernel reads it (ndjson-rows.ts).
 * @module
 */
import type { PathNode } from '../ndjson/path.js';
import { WORD_BYTES } from './layout.js';

const NODE_WORDS = 2;
const CHILD_WORDS = 3;

export class PathTree {
  /** Places of the mapping that each column is. */
  readonly columns: (readonly number[])[] = [];
  readonly #nodes: PathNode[] = [];
  readonly #columnOf = new Map<PathNode, number>();

  constructor(root: PathNode) {
    this.#add(root);
  }

  #add(node: PathNode): void {
    this.#nodes.push(node);
    if (node.places.length > 0) this.#columnOf.set(node, this.columns.push(node.places) - 1);
    for (const child of node.children) this.#add(child);
  }

  /** Its bytes, the root first, for memory where it stands at `address`, a multiple of four. */
  written(address: number): Uint8Array {
    const addressOf = new Map<PathNode, number>();
    let end = address;
    for (const node of this.#nodes) {
      addressOf.set(node, end);
      end += (NODE_WORDS + CHILD_WORDS * node.children.length) * WORD_BYTES;
    }
    const words: number[] = [];
    const keys: Uint8Array[] = [];
    for (const node of this.#nodes) {
      words.push(this.#columnOf.get(node) ?? -1, node.children.length);
      for (const [index, child] of node.children.entries()) {
        const key = node.keys[index] ?? new Uint8Array(0);
        words.push(end, key.length, addressOf.get(child) ?? 0);
        keys.push(key);
        end += key.length;
      }
    }
    return Buffer.concat([new Uint8Array(Int32Array.from(words).buffer), ...keys]);
  }
}
