/**
 * The functions of the scanner's WebAssembly that search what stays for the beginnings of a few identifiers: what
 * `holdsStart` in splice-sweep.ts does for many, sixteen places at once.
 * @module
 */
import { CUTS_AT, SWEPT_AT } from './scan-memory.js';
import { IS_SAME_FOLDED } from './scan-simd-key.js';
import { SWEEP_LENGTH_MIN } from './search.js';
import {
  add,
  and,
  and128,
  answer,
  bitmask16,
  block,
  bytes16,
  type Code,
  call,
  eq16,
  type Func,
  func,
  ge,
  get,
  go,
  goIf,
  gt,
  i32,
  increase,
  isZero,
  load8,
  load32,
  load128,
  loop,
  lt,
  or128,
  set,
  shl,
  splat16,
  sub,
  trailingZeros,
  V128,
  when,
} from './wasm.js';

/** Number of the function in the module, behind those of scan-simd-key.ts. */
const HOLDS_START = 6;

const CHUNK = 16;
const CUT_BYTES = 16;
const IDENTIFIER_BYTES = 8;
/** Of an identifier, the first byte and this one are compared at once. */
const FAR = SWEEP_LENGTH_MIN - 1;

/** In the order of their numbers. */
export function sweepFunctions(): readonly Func[] {
  return [holdsStartFunction(), sweepFunction()];
}

/** Whether an identifier begins in a range. Parameters: the range, and the end of the identifiers. */
function holdsStartFunction(): Func {
  return func('holdsStart', 3, (local) => {
    const [from, to, identifiersTo] = [0, 1, 2];
    const [identifier, start, at, mask, last] = [local(), local(), local(), local(), local()];
    const [first, far] = [local(V128), local(V128)];
    const [next, chunks, bits, swept] = [Symbol('next'), Symbol('chunks'), Symbol('bits'), Symbol('swept')];
    const folded = (value: Code) => or128(value, bytes16(0x20));
    const isSame = (offset: number, other: number) => eq16(folded(load128(get(at), offset)), get(other));
    const left = sub(get(last), get(at));
    const compare = call(
      IS_SAME_FOLDED,
      add(get(at), trailingZeros(get(mask))),
      load32(get(identifier), 4),
      get(start),
    );
    return [
      ...when(lt(sub(get(to), get(from)), i32(SWEEP_LENGTH_MIN)), answer(i32(0))),
      ...set(last, sub(get(to), i32(SWEEP_LENGTH_MIN))),
      ...set(identifier, i32(SWEPT_AT)),
      ...loop(
        next,
        when(ge(get(identifier), get(identifiersTo)), answer(i32(0))),
        set(start, load32(get(identifier))),
        set(first, folded(splat16(load8(get(start))))),
        set(far, folded(splat16(load8(get(start), FAR)))),
        set(at, get(from)),
        block(
          swept,
          loop(
            chunks,
            goIf(swept, gt(get(at), get(last))),
            set(mask, bitmask16(and128(isSame(0, first), isSame(FAR, far)))),
            when(lt(left, i32(CHUNK - 1)), set(mask, and(get(mask), sub(shl(i32(2), left), i32(1))))),
            block(
              Symbol('none'),
              loop(
                bits,
                when(
                  get(mask),
                  when(compare, answer(i32(1))),
                  set(mask, and(get(mask), sub(get(mask), i32(1)))),
                  go(bits),
                ),
              ),
            ),
            increase(at, CHUNK),
            go(chunks),
          ),
        ),
        increase(identifier, IDENTIFIER_BYTES),
        go(next),
      ),
      0x00,
    ];
  });
}

/** Searches all that stays. Parameters: how many identifiers and cuts, the range of the request, the end of the texts behind. */
function sweepFunction(): Func {
  return func('sweep', 5, (local) => {
    const [identifiers, cuts, at, to, spareTo] = [0, 1, 2, 3, 4];
    const cut = local();
    const [next, done] = [Symbol('next'), Symbol('done')];
    const search = (from: Code, end: Code) => when(call(HOLDS_START, from, end, get(identifiers)), answer(i32(1)));
    return [
      ...set(identifiers, add(i32(SWEPT_AT), shl(get(identifiers), i32(3)))),
      ...set(cuts, add(i32(CUTS_AT), shl(get(cuts), i32(4)))),
      ...set(cut, i32(CUTS_AT)),
      ...block(
        done,
        loop(
          next,
          goIf(done, ge(get(cut), get(cuts))),
          when(gt(load32(get(cut)), get(at)), search(get(at), load32(get(cut)))),
          set(at, load32(get(cut), 4)),
          increase(cut, CUT_BYTES),
          go(next),
        ),
      ),
      ...search(get(at), get(to)),
      ...isZero(isZero(call(HOLDS_START, get(to), get(spareTo), get(identifiers)))),
    ];
  });
}
