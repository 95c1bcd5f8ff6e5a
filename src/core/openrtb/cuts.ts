/**
 * What becomes of the bytes of a scanned request: ranges that go, ranges that are replaced, and ranges that pass without
 * being searched. In the order of the bytes, and never overlapping.
 * @module
 */
import { FROM, SCAN_VALUES_MAX, source, TO, tape } from './tape.js';

const bytes = source;
/** A value has one cut at most. */
const froms = new Int32Array(SCAN_VALUES_MAX + 1);
const tos = new Int32Array(SCAN_VALUES_MAX + 1);
/** What stands instead; `null` for a range that passes. */
const texts: (string | null)[] = [];
let count = 0;
/** Up to here a run is quicker copied byte by byte than by a call. */
const SHORT_RUN_BYTES = 96;

/** HOT. How many there are; to be given to `dropCuts`. */
export function cutCount(): number {
  return count;
}

/** HOT. Forgets all but the first ones: they lie inside a part that goes as a whole. */
export function dropCuts(keptCount: number): void {
  count = keptCount;
}

/** HOT. The bytes give way to `text`, which may be empty. */
export function addCut(from: number, to: number, text: string): void {
  froms[count] = from;
  tos[count] = to;
  texts[count] = text;
  count++;
}

/** HOT. The bytes stay, whatever they say. */
export function addPass(from: number, to: number): void {
  froms[count] = from;
  tos[count] = to;
  texts[count] = null;
  count++;
}

/** HOT. Whether `search` says yes to any range of bytes that stays and does not pass. */
export function someKept(search: (from: number, to: number) => boolean): boolean {
  let at = tape[FROM]!;
  for (let index = 0; index < count; index++) {
    if (froms[index]! > at && search(at, froms[index]!)) return true;
    at = tos[index]!;
  }
  return search(at, tape[TO]!);
}

/** HOT. The request without white space around it, its cuts made. */
export function writeKept(): Uint8Array {
  const start = tape[FROM]!;
  const end = tape[TO]!;
  let byteCount = end - start;
  for (let index = 0; index < count; index++) {
    const text = texts[index]!;
    if (text === null) continue;
    byteCount -= tos[index]! - froms[index]!;
    if (text !== '') byteCount += Buffer.byteLength(text);
  }
  const written = Buffer.allocUnsafe(byteCount);
  let writtenAt = 0;
  let at = start;
  for (let index = 0; index < count; index++) {
    const text = texts[index]!;
    if (text === null) continue;
    writtenAt = copyRun(written, writtenAt, at, froms[index]!);
    if (text !== '') writtenAt += written.write(text, writtenAt);
    at = tos[index]!;
  }
  copyRun(written, writtenAt, at, end);
  return written;
}

/** HOT. Where the copy ends. */
function copyRun(target: Buffer, targetAt: number, from: number, to: number): number {
  if (to - from > SHORT_RUN_BYTES) bytes.copy(target, targetAt, from, to);
  else for (let offset = 0; offset < to - from; offset++) target[targetAt + offset] = bytes[from + offset]!;
  return targetAt + to - from;
}
