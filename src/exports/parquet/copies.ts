/**
 * How bytes are copied in WebAssembly.
 * @module
 */
import {
  add,
  brIf,
  type Code,
  copyMemory,
  get,
  i32,
  lessU,
  load128,
  loop,
  moreU,
  set,
  store128,
  when,
} from '../../core/wasm.js';

export const increase = (local: number, by: Code) => set(local, add(get(local), by));
/** Copies in steps of sixteen bytes; `step` is a local of its own. */
export const copyInSteps = (from: Code, to: Code, byteCount: Code, step: number): readonly Code[] => [
  set(step, i32(0)),
  loop(
    'copy',
    store128(add(to, get(step)), load128(add(from, get(step)))),
    increase(step, i32(16)),
    brIf('copy', lessU(get(step), byteCount)),
  ),
];
/** Any number of bytes; a call of the engine takes longer than a few steps. */
export const copyBytes = (from: Code, to: Code, byteCount: Code, step: number): Code =>
  when(moreU(byteCount, i32(128)), [copyMemory(to, from, byteCount)], copyInSteps(from, to, byteCount, step));
