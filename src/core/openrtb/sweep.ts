/**
 * The last step of restricting: no identifier that was stripped may stand anywhere else in the request.
 *
 * `collectIdentifiers` gathers the identifiers from the parts that go, `appendText` the text of what stays. One search
 * of that text usually finds nothing; only if it finds something is the request walked again, and each member or element
 * removed whose key or value holds an identifier. The search disregards case, looks through percent-encoding, and looks
 * into JSON inside strings (`imp.native.request`), of which only the offending members go. Identifiers shorter than
 * `SWEEP_LENGTH_MIN` are not searched for, since they occur by accident.
 * @module
 */
import type { FieldNode } from './field-tree.js';
import type { Collect } from './fields.js';
import { groupOfNamed, isIdName } from './id-names.js';
import { isIdentifierShaped, isTokenShaped, percentDecoded } from './id-shape.js';
import { DEPTH_MAX, hasMembers, type JsonObject } from './json.js';
import { rebuildArray, rebuildObject } from './rebuild.js';

/** Shortest identifier that is searched for, in UTF-16 units. No name that OpenRTB needs for its structure is as long. */
export const SWEEP_LENGTH_MIN = 8;

/**
 * Beyond this many identifiers only their first `SWEEP_LENGTH_MIN` characters are compared: that removes more, and
 * takes linear time however many there are.
 */
export const SWEEP_EXACT_COUNT_MAX = 64;

/** Levels of JSON inside strings of JSON that are read. */
const JSON_LEVELS_MAX = 3;
/** Between two texts; no identifier is likely to hold it. */
const SEPARATOR = '\n';
/** Numbers below this have fewer digits than `SWEEP_LENGTH_MIN`. */
const LONG_NUMBER_MIN = 10 ** (SWEEP_LENGTH_MIN - 1);
const NOT_ASCII = /[^\0-\x7f]/;
const LOOKS_LIKE_JSON = /^\s*[[{]/;

/** What one restriction has seen. */
export interface Seen {
  /** Identifiers that were removed. */
  readonly identifiers: string[];
  /** Every key and text that stays and is long enough to hold one. */
  text: string;
}

/** Adds the identifiers in a part that is being removed. `how` as in fields.ts. */
export function collectIdentifiers(seen: Seen, key: string, value: unknown, how: Collect, depth = 0): void {
  if (typeof value === 'string') {
    const text = value.trim();
    if (text.length >= SWEEP_LENGTH_MIN && isCollected(key, text, how)) seen.identifiers.push(text);
  } else if (typeof value === 'number') {
    if (Math.abs(value) < LONG_NUMBER_MIN) return;
    if (how === 'all' || (how === 'named' && isIdName(key))) seen.identifiers.push(String(value));
  } else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    if (Array.isArray(value)) {
      for (const element of value) collectIdentifiers(seen, key, element, how, depth + 1);
      return;
    }
    for (const name in value) {
      const inner = (value as JsonObject)[name];
      const innerHow = how === 'all' || groupOfNamed(name, inner) === null ? how : 'all';
      collectIdentifiers(seen, name, inner, innerHow, depth + 1);
    }
  }
}

function isCollected(key: string, text: string, how: Collect): boolean {
  switch (how) {
    case 'all':
      return true;
    case 'named':
      return isIdName(key) || isIdentifierShaped(text) || isTokenShaped(text);
    case 'listed':
      return false;
    default:
      return how satisfies never;
  }
}

/** HOT. Notes a key or text that stays. */
export function appendText(seen: Seen, text: string): void {
  if (text.length < SWEEP_LENGTH_MIN) return;
  seen.text += SEPARATOR;
  seen.text += text.includes('\\') ? searchable(text) : text;
}

/** HOT. Notes a number that stays. */
export function appendNumber(seen: Seen, value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < LONG_NUMBER_MIN) return;
  seen.text += SEPARATOR;
  seen.text += value;
}

/** The request without any member or element that holds an identifier in `seen`; the request itself if none does. */
export function sweepRequest(request: object, root: FieldNode, seen: Seen, mask: number): object {
  if (seen.identifiers.length === 0) return request;
  const search = createSearch(seen.identifiers, mask);
  if (!isFound(search, seen.text)) return request;
  if (Array.isArray(request)) return rebuildArray(request, { ...root, elements: root }, search, 1, sweptMember);
  return rebuildObject(request as JsonObject, root, search, 1, sweptMember);
}

/** The identifiers in the forms that are compared. */
interface Search {
  readonly forms: readonly string[];
  /** Set where there are too many forms: the first characters of each. */
  readonly starts: ReadonlySet<string> | null;
  /** Some form is not ASCII, so folding the text is not enough. */
  readonly withOriginal: boolean;
  readonly mask: number;
}

function createSearch(identifiers: readonly string[], mask: number): Search {
  const forms: string[] = [];
  let withOriginal = false;
  for (const identifier of identifiers) {
    const folded = identifier.toLowerCase();
    forms.push(folded);
    if (folded.includes('%')) {
      // one that was itself encoded: the text is searched with all layers of encoding undone, or none
      const decoded = percentDecoded(folded);
      if (decoded.length >= SWEEP_LENGTH_MIN) forms.push(decoded);
    }
    if (!NOT_ASCII.test(identifier)) continue;
    withOriginal = true;
    for (const form of [identifier, folded, identifier.toUpperCase()]) {
      forms.push(form, percentEncoded(form).toLowerCase());
    }
  }
  const exact = identifiers.length <= SWEEP_EXACT_COUNT_MAX;
  const starts = exact ? null : new Set(forms.map((form) => form.slice(0, SWEEP_LENGTH_MIN)));
  return { forms, starts, withOriginal, mask };
}

/** As `encodeURIComponent`, which throws on half a surrogate pair. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'));
}

/** Whether any identifier stands in the text. */
function isFound(search: Search, text: string): boolean {
  if (text.length < SWEEP_LENGTH_MIN) return false;
  let folded = text.toLowerCase();
  if (search.withOriginal) folded += SEPARATOR + text;
  if (folded.includes('%')) folded += SEPARATOR + percentDecoded(folded);
  if (search.starts !== null) return holdsStart(search.starts, folded);
  for (const form of search.forms) if (folded.includes(form)) return true;
  return false;
}

function holdsStart(starts: ReadonlySet<string>, text: string): boolean {
  for (let at = 0; at + SWEEP_LENGTH_MIN <= text.length; at++) {
    if (starts.has(text.slice(at, at + SWEEP_LENGTH_MIN))) return true;
  }
  return false;
}

/** The text, and what it says once escapes of JSON in it are undone. */
function searchable(text: string, level = 0): string {
  if (!text.includes('\\') || level === JSON_LEVELS_MAX) return text;
  const parsed = parsedJson(text);
  if (parsed === undefined) return text + SEPARATOR + text.replaceAll('\\/', '/');
  const parts = [text];
  addTexts(parts, parsed, level + 1, 0);
  return parts.join(SEPARATOR);
}

function addTexts(parts: string[], value: unknown, level: number, depth: number): void {
  if (typeof value === 'string') parts.push(searchable(value, level));
  else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    for (const [key, inner] of Object.entries(value)) {
      parts.push(key);
      addTexts(parts, inner, level, depth + 1);
    }
  }
}

/** The object or array that a text is the JSON of; `undefined` where it is none. */
function parsedJson(text: string): object | undefined {
  if (!LOOKS_LIKE_JSON.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}

/** What the sweep leaves of a member. */
function sweptMember(key: string, value: unknown, node: FieldNode | null, search: Search, depth: number): unknown {
  if (node !== null && node.operation === 'pass') return value;
  if (isFound(search, key)) return undefined;
  if (typeof value === 'string') return isFound(search, searchable(value)) ? sweptJson(value, search, depth) : value;
  if (typeof value === 'number') return isFound(search, String(value)) ? undefined : value;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return undefined;
  const swept = Array.isArray(value)
    ? rebuildArray(value, node, search, depth + 1, sweptMember)
    : rebuildObject(value as JsonObject, node, search, depth + 1, sweptMember);
  return swept !== value && isDropped(node, swept, search.mask) ? undefined : swept;
}

/** A text that holds an identifier: as JSON without the members that do, or not at all. */
function sweptJson(text: string, search: Search, depth: number): string | undefined {
  const parsed = depth >= DEPTH_MAX ? undefined : parsedJson(text);
  if (parsed === undefined) return undefined;
  const swept = sweptMember('', parsed, null, search, depth + 1);
  const rest = JSON.stringify(swept);
  return rest === undefined || isFound(search, searchable(rest)) ? undefined : rest;
}

/** Whether nothing is left of a container that the table has rows for. */
export function isDropped(node: FieldNode | null, rest: object, mask: number): boolean {
  if (node === null || node.keptWhenEmpty || (node.touchedBy & mask) === 0) return false;
  return (node.members !== null || node.others !== null || node.elements !== null) && !hasMembers(rest);
}
