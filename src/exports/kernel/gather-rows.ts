/**
 * Puts the rows of a batch that leave one behind the other.
 *
 *     gatherRows(rowCount, base, from, out)
 *       the first row begins at base + from, and the places of ROW_TO count from base; LEAVES says of each whether it leaves
 *       returns where the last one ends
 *
 * A row is copied whether it leaves or not, and written over by the next one if not: a processor guesses wrong for every other
 * row otherwise. So `out` has room for all of them, and for what one copy takes beyond the end.
 * @module
 */
import {
  add,
  atLeastU,
  block,
  br,
  brIf,
  get,
  I32,
  i32,
  lessU,
  load8At,
  load32At,
  load128,
  loop,
  mul,
  set,
  shl,
  store128At,
  sub,
  type WasmFunction,
} from '../../core/wasm.js';
import { LEAVES, ROW_TO } from './layout.js';

const [ROW_COUNT, BASE, FROM, OUT, ROW, TO, AT, TARGET] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
/** Bytes copied at a time. */
const GATHER_BYTES = 32;

export function gatherRowsFunction(): WasmFunction {
  const copyRow = [
    set(AT, get(FROM)),
    set(TARGET, get(OUT)),
    loop(
      'copy',
      store128At(get(TARGET), 0, load128(get(AT), 0)),
      store128At(get(TARGET), 16, load128(get(AT), 16)),
      set(AT, add(get(AT), i32(GATHER_BYTES))),
      set(TARGET, add(get(TARGET), i32(GATHER_BYTES))),
      brIf('copy', lessU(get(AT), get(TO))),
    ),
  ];
  const body = [
    set(FROM, add(get(FROM), get(BASE))),
    block(
      'done',
      loop(
        'row',
        brIf('done', atLeastU(get(ROW), get(ROW_COUNT))),
        set(TO, add(load32At(shl(get(ROW), i32(2)), ROW_TO), get(BASE))),
        ...copyRow,
        set(OUT, add(get(OUT), mul(sub(get(TO), get(FROM)), load8At(get(ROW), LEAVES)))),
        set(FROM, get(TO)),
        set(ROW, add(get(ROW), i32(1))),
        br('row'),
      ),
    ),
    get(OUT),
  ];
  return { name: 'gatherRows', paramCount: 4, locals: [I32, I32, I32, I32], body };
}
