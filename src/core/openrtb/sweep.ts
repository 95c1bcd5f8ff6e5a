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
import { isIdentifierShaped, isPlaceholder, isTokenShaped } from './id-shape.js';
import { DEPTH_MAX, hasMembers, type JsonObject, parsedJson } from './json.js';
import { rebuildArray, rebuildObject } from './rebuild.js';
import { createSearch, isFound, SEPARATOR, type Search, SWEEP_LENGTH_MIN, searchable } from './search.js';
import { isJsonLike } from './stray-text.js';

/** Numbers below this have fewer digits than `SWEEP_LENGTH_MIN`. */
const LONG_NUMBER_MIN = 10 ** (SWEEP_LENGTH_MIN - 1);
/** `a@b.de` */
const EMAIL_LENGTH_MIN = 6;
const ADDRESS_SEPARATORS = /[\s,]+/;

/** What one restriction has seen. */
export interface Seen {
  /** Identifiers that were removed. */
  readonly identifiers: Set<string>;
  /** Every key and text that stays and is long enough to hold one, or is an e-mail address. */
  text: string;
}

/** Adds the identifiers in a part that is being removed. `how` as in fields.ts. */
export function collectIdentifiers(seen: Seen, key: string, value: unknown, how: Collect, depth = 0): void {
  if (typeof value === 'string') {
    if (how === 'addresses') collectAddresses(seen, value);
    else {
      const text = value.trim();
      if (text.length >= SWEEP_LENGTH_MIN && isCollected(key, text, how)) seen.identifiers.add(text);
    }
    const parsed = depth < DEPTH_MAX && isJsonLike(value) ? parsedJson(value) : undefined;
    const isAll = how === 'all' || how === 'addresses';
    if (parsed !== undefined) collectIdentifiers(seen, key, parsed, isAll ? 'named' : how, depth + 1);
  } else if (typeof value === 'number') {
    if (Math.abs(value) < LONG_NUMBER_MIN) return;
    if (how === 'all' || how === 'addresses' || (how === 'named' && isIdName(key))) seen.identifiers.add(String(value));
  } else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    if (Array.isArray(value)) {
      for (const element of value) collectIdentifiers(seen, key, element, how, depth + 1);
      return;
    }
    for (const name in value) {
      const inner = (value as JsonObject)[name];
      const innerHow = how === 'all' || how === 'addresses' || groupOfNamed(name, inner) === null ? how : 'all';
      collectIdentifiers(seen, name, inner, innerHow, depth + 1);
    }
  }
}

/**
 * Each address of a list by itself. Where all are too short for that, or it is something else with spaces in it, the whole:
 * what holds it would hold a part that is looked for, too.
 */
function collectAddresses(seen: Seen, value: string): void {
  const parts = value.split(ADDRESS_SEPARATORS).filter(saysSomething);
  const long = parts.filter(({ length }) => length >= SWEEP_LENGTH_MIN);
  for (const part of long) seen.identifiers.add(part);
  const whole = value.trim();
  if (long.length === 0 && parts.length > 0 && whole.length >= SWEEP_LENGTH_MIN) seen.identifiers.add(whole);
}

/** The loopback address is no person's, but looks like a version. */
function saysSomething(part: string): boolean {
  return part !== '' && !isPlaceholder(part) && !part.startsWith('127.');
}

function isCollected(key: string, text: string, how: Exclude<Collect, 'addresses'>): boolean {
  if (isPlaceholder(text)) return false;
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
  if (text.length < SWEEP_LENGTH_MIN && !(text.length >= EMAIL_LENGTH_MIN && text.includes('@'))) return;
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
  if (seen.identifiers.size === 0) return request;
  const search = createSearch(seen.identifiers, seen.text.length, mask);
  if (!isFound(search, seen.text)) return request;
  if (Array.isArray(request)) return rebuildArray(request, { ...root, elements: root }, search, 1, sweptMember);
  return rebuildObject(request as JsonObject, root, search, 1, sweptMember);
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
