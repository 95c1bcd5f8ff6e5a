/**
 * Restricts a bid request: removes or coarsens what names the person, group by group, as the table in fields.ts says.
 *
 * What must stay true: the input is never changed, and parts in which nothing changes are shared with it; restricting
 * twice is restricting once; `id`, `imp[].id` and `regs` come through as they came; nothing in a request makes it throw.
 * Where `ids` are stripped, members with the name of an identifier go wherever they stand (id-names.ts), and in the end
 * the request is swept for the identifiers that were stripped (sweep.ts).
 * @module
 */
import { type StripGroup, stripMask } from '../vocabulary.js';
import { type FieldNode, isContainer, ROOT } from './field-tree.js';
import type { Collect } from './fields.js';
import { groupOfNamed } from './id-names.js';
import { DEPTH_MAX, type JsonObject } from './json.js';
import { applyOperation, type RestrictOptions } from './operations.js';
import { rebuildArray, rebuildObject } from './rebuild.js';
import { appendNumber, appendText, collectIdentifiers, isDropped, type Seen, sweepRequest } from './sweep.js';

export { RESTRICT_DEFAULTS, type RestrictOptions } from './operations.js';

const IDS = stripMask(['ids']);
const EIDS = stripMask(['eids']);

interface Run extends Seen {
  readonly mask: number;
  readonly options: RestrictOptions;
  /** Identifiers are being stripped, so names matter and the text of what stays is noted. */
  readonly sweeping: boolean;
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
  const run: Run = { mask, options, sweeping: (mask & (IDS | EIDS)) !== 0, identifiers: [], text: '' };
  const rest = Array.isArray(request)
    ? rebuildArray(request, { ...ROOT, elements: ROOT }, run, 1, restrictMember)
    : rebuildObject(request as JsonObject, ROOT, run, 1, restrictMember);
  return sweepRequest(rest, ROOT, run, mask) as T;
}

/** HOT. What is left of one member; `undefined` for nothing. */
function restrictMember(key: string, value: unknown, node: FieldNode | null, run: Run, depth: number): unknown {
  const { mask, sweeping } = run;
  let rest = value;
  if (sweeping && (node === null || !node.named) && isNamedIdentifier(key, value, mask)) {
    return removed(key, value, run, 'all');
  }
  if (node !== null) {
    if (node.operation === 'pass') return value;
    if ((node.touchedBy & mask) !== 0 && isWrongType(node, value)) return removed(key, value, run, 'named');
    if ((node.removedBy & mask) !== 0) return removed(key, value, run, node.collect);
    if ((node.changedBy & mask) !== 0) {
      rest = applyOperation(node.operation, value, run.options);
      if (rest === undefined) return removed(key, value, run, node.collect);
    }
  }
  if (sweeping) appendText(run, key);
  if (typeof rest === 'object' && rest !== null) return restrictInside(rest, node, run, depth);
  if (sweeping) {
    if (typeof rest === 'string') appendText(run, rest);
    else if (typeof rest === 'number') appendNumber(run, rest);
  }
  return rest;
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
  if (!run.sweeping && (node === null || (node.touchedBy & run.mask) === 0)) return value;
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
