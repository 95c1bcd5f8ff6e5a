/**
 * Finds out whether an identifier that was removed stands anywhere in the bytes that stay.
 *
 * What must stay true: what the sweep of the object path (sweep.ts) finds, this finds too. It may find more, since then the
 * request is restricted by way of objects. The bytes are searched for the beginnings of all identifiers at once (Wu and
 * Manber's algorithm): every form that search.ts compares begins so, unless the identifier is of an unusual kind. Only where that finds something, or cannot tell, are the identifiers searched for as search.ts does.
 * @module
 */
import { cutCount, someKept, spareEnd } from './cuts.js';
import { FOLDED } from './field-index.js';
import type { Run } from './restrict.js';
import { SWEPT_AT, SWEPT_COUNT_MAX, scanMemory } from './scan-memory.js';
import { simd } from './scan-simd.js';
import {
  createSearch,
  isFound,
  type Search,
  SWEEP_EXACT_COUNT_MAX,
  SWEEP_LENGTH_MIN,
  SWEEP_START_LENGTH,
} from './search.js';
import { FROM, source, TO, tape } from './tape.js';

const bytes = source;
const folded = FOLDED;
/** Bytes by which each identifier is found. */
const PREFIX = SWEEP_LENGTH_MIN;
/**
 * Bytes that are compared where the first ones were found: coarsened addresses begin like what they were, and templates
 * like each other (`${json-unit.any-string}` in every eighth real request).
 */
const START = 32;
/** Identifiers times bytes, up to which search.ts certainly compares all of each, not only beginnings. */
const EXACT_WORK_MAX = 2 ** 15;
/** Written with hyphens or without: only the first eight are the same. */
const UUID_LENGTH = 36;
const UUID_DIGITS = 32;
const BLOCK = 2;
/** How far a search may go on where no block of a prefix stands. */
const SHIFT_MAX = PREFIX - BLOCK + 1;
const SHIFT_MASK = 4095;
/** By the hash of two bytes: how far to go on. */
const shifts = new Uint8Array(SHIFT_MASK + 1).fill(SHIFT_MAX);
const starts = new Uint8Array(START * SWEEP_EXACT_COUNT_MAX);
const startLengths = new Uint8Array(SWEEP_EXACT_COUNT_MAX);
/** Identifiers that are bytes of the request. */
const froms = new Int32Array(SWEEP_EXACT_COUNT_MAX);
const tos = new Int32Array(SWEEP_EXACT_COUNT_MAX);
/** Where each of a few identifiers begins, and how much of it is compared. */
const swept = new Int32Array(scanMemory, SWEPT_AT, 2 * SWEPT_COUNT_MAX);
let rangeCount = 0;
let isOverfull = false;
let startCount = 0;
let startLengthMax = START;
/** A scheme that search.ts passes over ends before. */
const SCHEME_LENGTH_MAX = 35;
/** Of an identifier whose forms may begin otherwise, or that text may hold otherwise. */
const UNUSUAL = /[^!-~]|%|:\/\//;
/** Of a text in which case is not all that has to be disregarded. */
const UNUSUAL_TEXT = /[^\n -~]|%/;

/** HOT. Nothing has been removed yet. */
export function resetSweep(): void {
  rangeCount = 0;
  isOverfull = false;
}

/** HOT. Notes an identifier: `SWEEP_LENGTH_MIN` bytes of ASCII or more. */
export function addIdentifierAt(from: number, to: number): void {
  if (rangeCount === SWEEP_EXACT_COUNT_MAX) {
    isOverfull = true;
    return;
  }
  froms[rangeCount] = from;
  tos[rangeCount] = to;
  rangeCount++;
}

/** HOT. Whether an identifier may stand in what stays: in bytes that are not cut, in texts that stand instead, or in `run.text`. */
export function mayHoldIdentifier(run: Run): boolean {
  const { identifiers, text } = run;
  if (rangeCount === 0 && identifiers.size === 0) return false;
  if (isOverfull || rangeCount + identifiers.size > SWEEP_EXACT_COUNT_MAX) return true;
  if (simd !== null && identifiers.size === 0 && rangeCount <= SWEPT_COUNT_MAX) {
    return fewMayStand(text) && holdsIdentifier(run);
  }
  if (!enterStarts(run)) return holdsIdentifier(run);
  const isNear =
    someKept(holdsStart) || holdsStart(tape[TO]!, spareEnd()) || (text.length >= PREFIX && textMayHoldStart(text));
  leaveStarts();
  return isNear && holdsIdentifier(run);
}

/** HOT. Whether any of a few identifiers may stand there. Searched for by SIMD they take a third of the time of the tables. */
function fewMayStand(text: string): boolean {
  const spareTo = spareEnd();
  setStartLengthMax(rangeCount);
  for (let index = 0; index < rangeCount; index++) {
    const from = froms[index]!;
    const to = tos[index]!;
    if (isUnusualAt(from, to)) return true;
    swept[2 * index] = from;
    swept[2 * index + 1] = startLength(to - from);
  }
  let searchedTo = spareTo;
  if (text.length >= PREFIX) {
    if (!layText(text, spareTo)) return true;
    searchedTo += text.length;
  }
  return simd!.sweep(rangeCount, cutCount(), tape[FROM]!, tape[TO]!, searchedTo) !== 0;
}

/** HOT. */
function setStartLengthMax(identifierCount: number): void {
  const work = identifierCount * (spareEnd() - tape[FROM]!);
  startLengthMax = work > EXACT_WORK_MAX ? SWEEP_START_LENGTH : START;
}

/** HOT. Makes the beginnings of all identifiers ready to be searched for; false where one is unusual. */
function enterStarts({ identifiers }: Run): boolean {
  startCount = 0;
  setStartLengthMax(rangeCount + identifiers.size);
  for (let index = 0; index < rangeCount; index++) {
    const from = froms[index]!;
    const length = startLength(tos[index]! - from);
    if (isUnusualAt(from, tos[index]!)) return leaveStarts();
    for (let offset = 0; offset < length; offset++)
      starts[startCount * START + offset] = folded[bytes[from + offset]!]!;
    enterBlocks(length);
  }
  for (const identifier of identifiers) {
    const length = startLength(identifier.length);
    if (UNUSUAL.test(identifier)) return leaveStarts();
    for (let offset = 0; offset < length; offset++) {
      starts[startCount * START + offset] = folded[identifier.charCodeAt(offset)]!;
    }
    enterBlocks(length);
  }
  return true;
}

/** HOT. How much of an identifier is the same in all its forms, and compared. */
function startLength(length: number): number {
  return length === UUID_LENGTH || length === UUID_DIGITS ? PREFIX : Math.min(length, startLengthMax);
}

/** HOT. As `UNUSUAL`, of what is compared; the rest need not be alike. */
function isUnusualAt(from: number, to: number): boolean {
  const end = Math.min(to, from + SCHEME_LENGTH_MAX);
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte <= 0x20 || byte === 0x25 || byte === 0x7f) return true;
    if (byte === 0x3a && bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f) return true;
  }
  return false;
}

/** HOT. */
function enterBlocks(length: number): void {
  startLengths[startCount] = length;
  const base = startCount++ * START;
  for (let offset = 0; offset < SHIFT_MAX; offset++) {
    const block = blockHash(starts[base + offset]!, starts[base + offset + 1]!);
    const shift = SHIFT_MAX - 1 - offset;
    if (shift < shifts[block]!) shifts[block] = shift;
  }
}

/** HOT. Leaves the table as it was; false. */
function leaveStarts(): false {
  for (let base = 0; base < startCount * START; base += START) {
    for (let offset = 0; offset < SHIFT_MAX; offset++) {
      shifts[blockHash(starts[base + offset]!, starts[base + offset + 1]!)] = SHIFT_MAX;
    }
  }
  return false;
}

/** HOT. Disregards case, and more. */
function blockHash(first: number, second: number): number {
  return (((first | 0x20) << 5) ^ (second | 0x20)) & SHIFT_MASK;
}

/** HOT. Whether any identifier begins in the bytes. */
function holdsStart(from: number, to: number): boolean {
  let at = from + PREFIX;
  while (at <= to) {
    const shift = shifts[blockHash(bytes[at - 2]!, bytes[at - 1]!)]!;
    if (shift !== 0) at += shift;
    else if (isStartAt(at - PREFIX)) return true;
    else at++;
  }
  return false;
}

/** HOT. Bytes behind a range are looked at, too, which finds too much at worst. */
function isStartAt(at: number): boolean {
  for (let index = 0; index < startCount; index++) {
    const base = index * START;
    const length = startLengths[index]!;
    let offset = 0;
    while (offset < length && folded[bytes[at + offset]!] === starts[base + offset]) offset++;
    if (offset === length) return true;
  }
  return false;
}

/** Whether any identifier begins in the text, or would have to be searched for otherwise. */
function textMayHoldStart(text: string): boolean {
  const spareTo = spareEnd();
  return !layText(text, spareTo) || holdsStart(spareTo, spareTo + text.length);
}

/** Lays a text behind the others for a search; false where its bytes do not say it all, or there is no room. */
function layText(text: string, at: number): boolean {
  if (at + text.length > bytes.length || UNUSUAL_TEXT.test(text)) return false;
  bytes.write(text, at, 'latin1');
  return true;
}

/** As sweep.ts searches, and disregarding where texts begin and end. Too much to compare counts as found. */
function holdsIdentifier(run: Run): boolean {
  const identifiers = new Set(run.identifiers);
  for (let index = 0; index < rangeCount; index++) {
    identifiers.add(bytes.toString('latin1', froms[index]!, tos[index]!));
  }
  const search: Search = createSearch(identifiers, spareEnd() - tape[FROM]! + run.text.length, run.mask);
  if (search.starts !== null || isFound(search, run.text)) return true;
  if (isFound(search, bytes.toString('latin1', tape[TO]!, spareEnd()))) return true;
  return someKept((from, to) => isFound(search, bytes.toString('latin1', from, to)));
}
