/**
 * Canonical JSON of the plain sort, told by one pass over its characters: objects, lists, whole numbers, literals and text
 * of ASCII without escapes, as nearly all bodies are.
 *
 * It only ever says yes, and only to what parseCanonical (canonical-json.ts) takes; for anything else ask that one.
 * @module
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LIST_START = 0x5b;
const LIST_END = 0x5d;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const DEPTH_MAX = 16;
/** Digits of a number that is surely written as itself. */
const DIGITS_MAX = 15;

/** Whether the text from `at` up to `end` is one canonical object of the plain sort. */
export function isPlainObject(text: string, at: number, end: number): boolean {
  return text.charCodeAt(at) === OBJECT_START && objectEnd(text, at + 1, 0) === end;
}

/** HOT. Where the value that begins at `at` ends; -1: it is not of the plain sort. As all below. */
function valueEnd(text: string, at: number, depth: number): number {
  const code = text.charCodeAt(at);
  if (code === QUOTE) return textEnd(text, at + 1);
  if (code === OBJECT_START) return depth === DEPTH_MAX ? -1 : objectEnd(text, at + 1, depth + 1);
  if (code === LIST_START) return depth === DEPTH_MAX ? -1 : listEnd(text, at + 1, depth + 1);
  if (text.startsWith('null', at) || text.startsWith('true', at)) return at + 4;
  return text.startsWith('false', at) ? at + 5 : numberEnd(text, at);
}

/** From behind the first quotation mark to behind the last one. */
function textEnd(text: string, at: number): number {
  for (let index = at; ; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) return index + 1;
    if (!(code >= 0x20 && code < 0x7f) || code === BACKSLASH) return -1; // NaN, behind the end, too
  }
}

function numberEnd(text: string, at: number): number {
  let index = text[at] === '-' ? at + 1 : at;
  const first = index;
  for (let code = text.charCodeAt(index); code >= 0x30 && code <= 0x39; code = text.charCodeAt(++index));
  const count = index - first;
  if (count === 0 || count > DIGITS_MAX || (text[first] === '0' && index - at > 1)) return -1;
  const next = text.charCodeAt(index);
  return next === COMMA || next === OBJECT_END || next === LIST_END ? index : -1;
}

function listEnd(text: string, at: number, depth: number): number {
  if (text.charCodeAt(at) === LIST_END) return at + 1;
  for (let index = at; ; index++) {
    index = valueEnd(text, index, depth);
    if (index < 0) return -1;
    const code = text.charCodeAt(index);
    if (code === LIST_END) return index + 1;
    if (code !== COMMA) return -1;
  }
}

/** Names must ascend, so that none is there twice. */
function objectEnd(text: string, at: number, depth: number): number {
  if (text.charCodeAt(at) === OBJECT_END) return at + 1;
  let [before, beforeEnd] = [-1, -1];
  for (let index = at; ; index++) {
    if (text.charCodeAt(index) !== QUOTE) return -1;
    const name = index + 1;
    index = textEnd(text, name);
    if (index < 0 || text.charCodeAt(index) !== COLON) return -1;
    const nameEnd = index - 1;
    if (before >= 0 && !isBefore(text, before, beforeEnd, name, nameEnd)) return -1;
    [before, beforeEnd] = [name, nameEnd];
    index = valueEnd(text, index + 1, depth);
    if (index < 0) return -1;
    const code = text.charCodeAt(index);
    if (code === OBJECT_END) return index + 1;
    if (code !== COMMA) return -1;
  }
}

/** Whether the text of one range sorts before that of another. */
function isBefore(text: string, at: number, end: number, otherAt: number, otherEnd: number): boolean {
  const length = Math.min(end - at, otherEnd - otherAt);
  for (let index = 0; index < length; index++) {
    const difference = text.charCodeAt(at + index) - text.charCodeAt(otherAt + index);
    if (difference !== 0) return difference < 0;
  }
  return end - at < otherEnd - otherAt;
}
