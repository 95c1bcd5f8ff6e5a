/**
 * Constants of sixteen bytes in WebAssembly.
 * @module
 */
import { type Code, i32, load128, set, splat8, store128 } from '../../core/wasm.js';
import { CONSTANT } from './layout.js';

/**
 * Sixteen times a byte, in a local. Taken from memory, it stays in its register; otherwise it is made anew wherever it is used,
 * which is 6 ns of the 46 that a row of JSON takes (template-rows.ts).
 */
export const constant = (local: number, byte: number): readonly Code[] => [
  store128(i32(CONSTANT), splat8(i32(byte))),
  set(local, load128(i32(CONSTANT))),
];
