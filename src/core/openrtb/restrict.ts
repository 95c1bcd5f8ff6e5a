/**
 * Restricts a bid request: removes or coarsens what names the person, group by group, as the table in fields.ts says.
 *
 * What must stay true: the input is never changed, and parts in which nothing changes are shared with it; restricting
 * twice is restricting once; `id`, `imp[].id` and `regs` come through as they came; nothing in a request makes it throw.
 * Where `ids` are stripped, members with the name of an identifier go wherever they stand (id-names.ts), and so do texts
 * with an e-mail address; where `urls` are, URLs anywhere lose their ids (stray-text.ts). JSON inside texts is treated like
 * the request around it. In the end the request is swept for the identifiers that were stripped (sweep.ts).
 * @module
 */
import { type StripGroup, stripMask } from '../vocabulary.js';
import { type FieldNode, isContainer, ROOT } from './field-tree.js';
import type { Collect } from './fields.js';
import { groupOfNamed } from './id-names.js';
import { DEPTH_MAX, type JsonObject, parsedJson } from './json.js';
import { applyOperation, type RestrictOptions } from './operations.js';
import { rebuildArray, rebuildObject } from './rebuild.js';
import { cleanStrayText, isJsonLike, showsEmail } from './stray-text.js';
import { appendNumber, appendText, collectIdentifiers, isDropped, type Seen, sweepRequest } from './sweep.js';

export { RESTRICT_DEFAULTS, type RestrictOptions } from './operations.js';

export const IDS: number = stripMask(['ids']);
export const EIDS: number = stripMask(['eids']);
export const URLS: number = stripMask(['urls']);
/** Groups whose values may stand elsewhere too. */
const SWEPT = stripMask(['ids', 'eids', 'ip', 'tid']);

/** One restriction. */
export interface Run extends Seen {
  readonly mask: number;
  readonly options: RestrictOptions;
  /** The ids by name in places the table does not know, and texts anywhere, are looked at. */
  readonly cleaning: boolean;
  /** The text of what stays is noted. */
  readonly sweeping: boolean;
  /** Texts and names with an e-mail address go. */
  readonly withoutEmails: boolean;
}

/**
 * The request without the groups in `strip`; the very same object when there is nothing to take out.
 *
 * @example
 * restrictRequest(bidRequest, ['ids', 'eids', 'ip'], RESTRICT_DEFAULTS);
 */
export function restrictRequest<T extends object>(
  request: T,
  strip: readonly StripGroup[],
  options: RestrictOptions,
): T {
  return restrictByMask(request, stripMask(strip), options);
}

/** The same for groups as a mask (`stripMask` in vocabulary.ts). An array is taken for several requests. */
export function restrictByMask<T extends object>(request: T, mask: number, options: RestrictOptions): T {
  if (mask === 0) return request;
  let run = createRun(mask, options);
  let rest: object = rebuild(request, run);
  if ((mask & IDS) !== 0 && showsEmail(run.text)) {
    // rare, so looked for in all the text at once, and only then in each
    run = { ...run, withoutEmails: true, text: '' };
    rest = rebuild(rest, run);
  }
  return sweepRequest(rest, ROOT, run, mask) as T;
}

/** A restriction that has seen nothing yet. */
export function createRun(mask: number, options: RestrictOptions): Run {
  const cleaning = (mask & (IDS | EIDS | URLS)) !== 0;
  const sweeping = (mask & SWEPT) !== 0;
  return { mask, options, cleaning, sweeping, withoutEmails: false, identifiers: new Set(), text: '' };
}

/** HOT. One walk along the request. */
function rebuild(request: object, run: Run): object {
  if (Array.isArray(request)) return rebuildArray(request, { ...ROOT, elements: ROOT }, run, 1, restrictMember);
  return rebuildObject(request as JsonObject, ROOT, run, 1, restrictMember);
}

/** HOT. What is left of one member; `undefined` for nothing. */
export function restrictMember(key: string, value: unknown, node: FieldNode | null, run: Run, depth: number): unknown {
  const { mask, sweeping } = run;
  let rest = value;
  if (run.cleaning && (node === null || !node.named) && isNamedIdentifier(key, value, mask)) {
    return removed(key, value, run, 'all');
  }
  if (node !== null) {
    if (node.operation === 'pass') return value;
    if ((node.touchedBy & mask) !== 0 && isWrongType(node, value)) return removed(key, value, run, 'named');
    if ((node.removedBy & mask) !== 0) return removed(key, value, run, node.collect);
    if ((node.changedBy & mask) !== 0) {
      rest = applyOperation(node.operation, value, run.options);
      if (rest === undefined) return removed(key, value, run, node.collect);
      if (rest !== value && node.collect === 'addresses') removed(key, value, run, node.collect);
    }
  }
  if (run.withoutEmails && showsEmail(key)) return removed(key, value, run, 'listed');
  if (sweeping) appendText(run, key);
  if (typeof rest === 'object' && rest !== null) return restrictInside(rest, node, run, depth);
  if (typeof rest === 'string') return restrictText(rest, node, run, depth);
  if (sweeping && typeof rest === 'number') appendNumber(run, rest);
  return rest;
}

/** HOT. What is left of a text, which may be JSON itself. */
function restrictText(text: string, node: FieldNode | null, run: Run, depth: number): string | undefined {
  let rest: string | undefined = text;
  if (run.cleaning) {
    if (isJsonLike(text)) rest = restrictJson(text, run, depth);
    const withoutUrlIds = (run.mask & URLS) !== 0 && (node === null || node.operation !== 'url');
    if (rest !== undefined) rest = cleanStrayText(rest, run.withoutEmails, withoutUrlIds);
  }
  if (run.sweeping && rest !== undefined) appendText(run, rest);
  return rest;
}

/** JSON in a text loses what a member of the request would lose that the table does not know. */
function restrictJson(text: string, run: Run, depth: number): string | undefined {
  const parsed = parsedJson(text);
  if (parsed === undefined) return text;
  const rest = restrictInside(parsed, null, run, depth);
  if (rest === parsed) return text;
  return rest === undefined ? undefined : JSON.stringify(rest);
}

/** HOT. Nothing is left of the member; what it identifies is remembered. */
function removed(key: string, value: unknown, run: Run, how: Collect): undefined {
  if (run.sweeping) collectIdentifiers(run, key, value, how);
  return undefined;
}

/** HOT. Whether a member that the table does not know carries an identifier of a group being stripped. */
function isNamedIdentifier(key: string, value: unknown, mask: number): boolean {
  const group = groupOfNamed(key, value);
  return group !== null && (mask & (group === 'ids' ? IDS : EIDS)) !== 0;
}

/** HOT. What is left of an object or array. */
function restrictInside(value: object, node: FieldNode | null, run: Run, depth: number): object | undefined {
  if (!run.sweeping && !run.cleaning && (node === null || (node.touchedBy & run.mask) === 0)) return value;
  if (depth >= DEPTH_MAX) return undefined;
  const rest = Array.isArray(value)
    ? rebuildArray(value, node, run, depth + 1, restrictMember)
    : rebuildObject(value as JsonObject, node, run, depth + 1, restrictMember);
  return isDropped(node, rest, run.mask) ? undefined : rest;
}

/** HOT. A container of the table with another JSON type: not looked into, so not passed on. */
function isWrongType(node: FieldNode, value: unknown): boolean {
  if (value === null || node.keptAnyType || !isContainer(node)) return false;
  if (typeof value !== 'object') return true;
  return Array.isArray(value) !== (node.elements !== null);
}
