/**
 * The function of the scanner's WebAssembly that lays what stays of a request one behind the other; what `joinPlainly` in
 * cuts.ts does.
 * @module
 */
import { CUTS_AT, JOINED_AT } from './scan-memory.js';
import {
  add,
  block,
  type Code,
  eq,
  type Func,
  func,
  ge,
  get,
  go,
  goIf,
  i32,
  increase,
  load32,
  load128,
  loop,
  set,
  shl,
  store128,
  sub,
} from './wasm.js';

const CHUNK = 16;
const CUT_BYTES = 16;
const PASSES = -1;

/** Parameters: how many cuts, and the range of the request. */
export function joinFunction(): Func {
  return func('join', 3, (local) => {
    const [count, at, to] = [0, 1, 2];
    const [cut, joinedTo, from, end] = [local(), local(), local(), local()];
    const [next, passed, done] = [Symbol('next'), Symbol('passed'), Symbol('done')];
    /** Whole chunks; what is too much is written over by the next run, or stands behind the last. */
    const copyRun = (): Code => {
      const [chunks, copied] = [Symbol('chunks'), Symbol('copied')];
      return [
        ...set(end, add(get(joinedTo), sub(get(end), get(from)))),
        ...block(
          copied,
          loop(
            chunks,
            goIf(copied, ge(get(joinedTo), get(end))),
            store128(get(joinedTo), 0, load128(get(from))),
            increase(joinedTo, CHUNK),
            increase(from, CHUNK),
            go(chunks),
          ),
        ),
        ...set(joinedTo, get(end)),
      ];
    };
    const replace = [
      ...goIf(passed, eq(load32(get(cut), 8), i32(PASSES))),
      ...[...set(from, get(at)), ...set(end, load32(get(cut), 0)), ...copyRun()],
      ...[...set(from, load32(get(cut), 8)), ...set(end, load32(get(cut), 12)), ...copyRun()],
      ...set(at, load32(get(cut), 4)),
    ];
    return [
      ...set(joinedTo, i32(JOINED_AT)),
      ...set(cut, i32(CUTS_AT)),
      ...set(count, add(i32(CUTS_AT), shl(get(count), i32(4)))),
      ...block(
        done,
        loop(next, goIf(done, ge(get(cut), get(count))), block(passed, replace), increase(cut, CUT_BYTES), go(next)),
      ),
      ...[...set(from, get(at)), ...set(end, get(to)), ...copyRun()],
      ...get(joinedTo),
    ];
  });
}
