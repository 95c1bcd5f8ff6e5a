/**
 * Finds out whether an identifier that was removed stands anywhere in the bytes that stay.
 *
 * What must stay true: what the sweep of the object path (sweep.ts) finds, this finds too. It may find more, since then the
 * request is restricted by way of objects. The bytes are searched for the first eight characters of all identifiers at
 * once (Wu and Manber's algorithm): every form that search.ts compares begins with them, unless the identifier is of an
 * unusual kind. Only where that finds something, or cannot tell, are the identifiers searched for as search.ts does.
 * @module
 */
import { someKept } from './cuts.js';
import { FOLDED } from './field-index.js';
import type { Run } from './restrict.js';
import { createSearch, isFound, type Search, SWEEP_EXACT_COUNT_MAX, SWEEP_LENGTH_MIN } from './search.js';
import { FROM, SOURCE_SPARE_BYTES, source, TO, tape } from './tape.js';

const bytes = source;
const folded = FOLDED;
/** Bytes that are compared of each identifier. */
const PREFIX = SWEEP_LENGTH_MIN;
const BLOCK = 2;
/** How far a search may go on where no block of a prefix stands. */
const SHIFT_MAX = PREFIX - BLOCK + 1;
const SHIFT_MASK = 4095;
/** By the hash of two bytes: how far to go on. */
const shifts = new Uint8Array(SHIFT_MASK + 1).fill(SHIFT_MAX);
const prefixes = new Uint8Array(PREFIX * SWEEP_EXACT_COUNT_MAX);
/** Identifiers that are bytes of the request. */
const froms = new Int32Array(SWEEP_EXACT_COUNT_MAX);
const tos = new Int32Array(SWEEP_EXACT_COUNT_MAX);
let rangeCount = 0;
let isOverfull = false;
let prefixCount = 0;
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

/** HOT. Whether an identifier may stand in what stays: in bytes that are not cut, or in `run.text`. */
export function mayHoldIdentifier(run: Run): boolean {
  const { identifiers, text } = run;
  if (rangeCount === 0 && identifiers.size === 0) return false;
  if (isOverfull || rangeCount + identifiers.size > SWEEP_EXACT_COUNT_MAX) return true;
  if (!enterPrefixes(run) || text.length > SOURCE_SPARE_BYTES || UNUSUAL_TEXT.test(text)) return holdsIdentifier(run);
  const isNear = someKept(holdsPrefix) || (text.length >= PREFIX && textHoldsPrefix(text));
  leavePrefixes();
  return isNear && holdsIdentifier(run);
}

/** HOT. Makes the beginnings of all identifiers ready to be searched for; false where one is unusual. */
function enterPrefixes({ identifiers }: Run): boolean {
  prefixCount = 0;
  for (let index = 0; index < rangeCount; index++) {
    if (isUnusualAt(froms[index]!, tos[index]!)) return leavePrefixes();
    for (let offset = 0; offset < PREFIX; offset++) {
      prefixes[prefixCount * PREFIX + offset] = folded[bytes[froms[index]! + offset]!]!;
    }
    enterBlocks();
  }
  for (const identifier of identifiers) {
    if (UNUSUAL.test(identifier)) return leavePrefixes();
    for (let offset = 0; offset < PREFIX; offset++) {
      prefixes[prefixCount * PREFIX + offset] = folded[identifier.charCodeAt(offset)]!;
    }
    enterBlocks();
  }
  return true;
}

/** HOT. The same as `UNUSUAL`. */
function isUnusualAt(from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte <= 0x20 || byte >= 0x7f || byte === 0x25) return true;
    if (byte === 0x3a && bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f) return true;
  }
  return false;
}

/** HOT. */
function enterBlocks(): void {
  const base = prefixCount++ * PREFIX;
  for (let offset = 0; offset < SHIFT_MAX; offset++) {
    const block = blockHash(prefixes[base + offset]!, prefixes[base + offset + 1]!);
    const shift = SHIFT_MAX - 1 - offset;
    if (shift < shifts[block]!) shifts[block] = shift;
  }
}

/** HOT. Leaves the table as it was; false. */
function leavePrefixes(): false {
  for (let base = 0; base < prefixCount * PREFIX; base += PREFIX) {
    for (let offset = 0; offset < SHIFT_MAX; offset++) {
      shifts[blockHash(prefixes[base + offset]!, prefixes[base + offset + 1]!)] = SHIFT_MAX;
    }
  }
  return false;
}

/** HOT. Disregards case, and more. */
function blockHash(first: number, second: number): number {
  return (((first | 0x20) << 5) ^ (second | 0x20)) & SHIFT_MASK;
}

/** HOT. Whether any prefix stands in the bytes. */
function holdsPrefix(from: number, to: number): boolean {
  let at = from + PREFIX;
  while (at <= to) {
    const shift = shifts[blockHash(bytes[at - 2]!, bytes[at - 1]!)]!;
    if (shift !== 0) at += shift;
    else if (isPrefixAt(at - PREFIX)) return true;
    else at++;
  }
  return false;
}

/** HOT. */
function isPrefixAt(at: number): boolean {
  for (let base = 0; base < prefixCount * PREFIX; base += PREFIX) {
    let offset = 0;
    while (offset < PREFIX && folded[bytes[at + offset]!] === prefixes[base + offset]) offset++;
    if (offset === PREFIX) return true;
  }
  return false;
}

/** HOT. Text of ASCII, which is laid behind the request. */
function textHoldsPrefix(text: string): boolean {
  const from = tape[TO]!;
  bytes.write(text, from, 'latin1');
  return holdsPrefix(from, from + text.length);
}

/** As sweep.ts searches, and disregarding where texts begin and end. Too much to compare counts as found. */
function holdsIdentifier(run: Run): boolean {
  const identifiers = new Set(run.identifiers);
  for (let index = 0; index < rangeCount; index++) {
    identifiers.add(bytes.toString('latin1', froms[index]!, tos[index]!));
  }
  const search: Search = createSearch(identifiers, tape[TO]! - tape[FROM]! + run.text.length, run.mask);
  if (search.starts !== null || isFound(search, run.text)) return true;
  return someKept((from, to) => isFound(search, bytes.toString('latin1', from, to)));
}
