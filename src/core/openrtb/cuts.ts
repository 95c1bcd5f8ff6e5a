/**
 * What becomes of the bytes of a scanned request: ranges that go, ranges that are replaced, and ranges that pass without
 * being searched. In the order of the bytes, and never overlapping. What stands instead of a range, or is searched besides
 * the bytes that stay, is laid into the spare room behind the request, a line feed behind each text.
 * @module
 */
import { CUTS_AT, JOINED_AT, SCAN_VALUES_MAX, SOURCE_BYTES, scanMemory } from './scan-memory.js';
import { simd } from './scan-simd.js';
import { FROM, source, TO, tape } from './tape.js';

const bytes = source;
/** Integers of a cut, and its columns: the range, and the range that stands instead. A value has one cut at most. */
const CUT = 4;
const CUT_FROM = 0;
const CUT_TO = 1;
const TEXT_FROM = 2;
const TEXT_TO = 3;
const cuts = new Int32Array(scanMemory, CUTS_AT, CUT * (SCAN_VALUES_MAX + 1));
const memory = new Uint8Array(scanMemory);
/** Instead of a text: the range stays. */
const PASSES = -1;
/** Most bytes of UTF-8 for a UTF-16 unit. */
const UNIT_BYTES_MAX = 3;
const LINE_FEED = 0x0a;

let count = 0;
/** Behind the request and the texts. */
let spareTo = 0;
let isFull = false;

/** HOT. There are no cuts yet. */
export function resetCuts(): void {
  count = 0;
  spareTo = tape[TO]!;
  isFull = false;
}

/** HOT. How many there are; to be given to `dropCuts`. */
export function cutCount(): number {
  return count;
}

/** HOT. Forgets all but the first ones: they lie inside a part that goes as a whole. */
export function dropCuts(keptCount: number): void {
  count = keptCount;
}

/** HOT. Behind the last text; they begin where the request ends. */
export function spareEnd(): number {
  return spareTo;
}

/** HOT. Whether a text found no room. */
export function isSpareFull(): boolean {
  return isFull;
}

/** HOT. The bytes go. */
export function addCut(from: number, to: number): void {
  noteCut(from, to, 0, 0);
}

/** HOT. The bytes stay, whatever they say. */
export function addPass(from: number, to: number): void {
  noteCut(from, to, PASSES, PASSES);
}

/** HOT. `text` stands instead. */
export function addTextCut(from: number, to: number, text: string): void {
  if (text.length * UNIT_BYTES_MAX >= SOURCE_BYTES - spareTo) isFull = true;
  else addSpareCut(from, to, bytes.write(text, spareTo));
}

/** HOT. What was laid at `spareEnd()` stands instead. */
export function addSpareCut(from: number, to: number, byteCount: number): void {
  noteCut(from, to, spareTo, spareTo + byteCount);
  addSpare(byteCount);
}

/** HOT. What was laid at `spareEnd()` is searched, too. */
export function addSpare(byteCount: number): void {
  if (spareTo + byteCount >= SOURCE_BYTES) isFull = true;
  else {
    bytes[spareTo + byteCount] = LINE_FEED;
    spareTo += byteCount + 1;
  }
}

/** HOT. */
function noteCut(from: number, to: number, textFrom: number, textTo: number): void {
  const at = count++ * CUT;
  cuts[at + CUT_FROM] = from;
  cuts[at + CUT_TO] = to;
  cuts[at + TEXT_FROM] = textFrom;
  cuts[at + TEXT_TO] = textTo;
}

/** HOT. Whether `search` says yes to any range of bytes that stays and does not pass. */
export function someKept(search: (from: number, to: number) => boolean): boolean {
  let at = tape[FROM]!;
  for (let cut = 0; cut < count * CUT; cut += CUT) {
    const from = cuts[cut + CUT_FROM]!;
    if (from > at && search(at, from)) return true;
    at = cuts[cut + CUT_TO]!;
  }
  return search(at, tape[TO]!);
}

/** HOT. The request without white space around it, its cuts made. Joined first, since a call to copy takes 60 ns. */
export function writeKept(): Uint8Array {
  const end = simd === null ? joinPlainly(count) : simd.join(count, tape[FROM]!, tape[TO]!);
  return Buffer.from(new Uint8Array(scanMemory, JOINED_AT, end - JOINED_AT));
}

/** HOT. Lays what stays, and what stands instead of the first cuts, one behind the other; where it ends. */
export function joinPlainly(cutsCount: number): number {
  let joinedTo = JOINED_AT;
  let at = tape[FROM]!;
  for (let cut = 0; cut < cutsCount * CUT; cut += CUT) {
    const textFrom = cuts[cut + TEXT_FROM]!;
    if (textFrom === PASSES) continue;
    joinedTo = copyRun(joinedTo, at, cuts[cut + CUT_FROM]!);
    joinedTo = copyRun(joinedTo, textFrom, cuts[cut + TEXT_TO]!);
    at = cuts[cut + CUT_TO]!;
  }
  return copyRun(joinedTo, at, tape[TO]!);
}

/** HOT. Where the copy ends. */
function copyRun(target: number, from: number, to: number): number {
  memory.copyWithin(target, from, to);
  return target + to - from;
}
