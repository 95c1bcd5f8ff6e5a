/**
 * Reports as text: CSV with a header (RFC 4180), or JSON as an array with one element a line; in pieces, never whole.
 *
 * A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@` or a control character for a formula. What came from
 * outside is written with an apostrophe before it, so that it stays text.
 * @module
 */
import type { AuditRecord } from './request-records.js';

export const REPORT_FORMATS = ['csv', 'json'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** Characters that are gathered before a piece is given out. */
const PIECE_LENGTH = 65_536;

export type Cell = string | number | boolean | null;
/** A column: its name, and the cell of one row. */
export type Column<T> = readonly [name: string, cell: (row: T) => Cell];

/** One line of CSV, with its end. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell !== 'string') return String(cell);
  const text = /^[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows as text, in pieces of some size; complete only where it ends without an error. */
export async function* reportText<T>(
  rows: AsyncIterable<T> | Iterable<T>,
  format: ReportFormat,
  { columns, json }: { readonly columns: readonly Column<T>[]; readonly json: (row: T) => object },
): AsyncGenerator<string> {
  let text = format === 'csv' ? csvLine(columns.map(([name]) => name)) : '[';
  let isFirst = true;
  for await (const row of rows) {
    if (format === 'csv') text += csvLine(columns.map(([, cell]) => cell(row)));
    else text += `${isFirst ? '' : ','}\n${JSON.stringify(json(row))}`;
    isFirst = false;
    if (text.length < PIECE_LENGTH) continue;
    yield text;
    text = '';
  }
  yield format === 'csv' ? text : `${text}\n]\n`;
}

/** A moment as it is written. */
export function momentText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** The columns of a record; the first six are what 11 CCR 7101(b) names. */
const RECORD_COLUMNS: readonly Column<AuditRecord>[] = [
  ['date_of_request', (one) => momentText(one.receivedAtMs)],
  ['nature_of_request', (one) => natureText(one)],
  ['manner_of_request', (one) => one.channel],
  ['date_of_response', (one) => momentText(one.respondedAtMs)],
  ['nature_of_response', (one) => one.response],
  ['basis_of_denial', (one) => one.denialBasis],
  ['request_id', (one) => one.requestId],
  ['row', (one) => one.row],
  ['status', (one) => one.status],
  ['state', (one) => one.state],
  ['agent', (one) => one.agent?.name ?? null],
  ['agent_permission_on_file', (one) => one.agent?.isPermitted ?? null],
  ['recorded_at', (one) => momentText(one.recordedAtMs)],
  ['recorded_by', (one) => one.recordedBy],
  ['denied_by', (one) => one.deniedBy],
  ['processed_at', (one) => momentText(one.processedAtMs)],
  ['sharing_ceased_at', (one) => momentText(one.inForceEverywhereAtMs)],
  ['in_force_on', (one) => one.inForceOn],
  ['enforcers', (one) => one.enforcerCount],
  ['due_on', (one) => one.dueOn],
  ['deadline_state', (one) => one.deadlineState],
  ['deadline_rule', (one) => one.deadlineRule],
  ['identifier_count', (one) => one.identifierCount],
  ['refused_count', (one) => one.refusedCount],
  ['identifiers', (one) => one.identifiers.map(identifierText).join(' ')],
  ['notices_owed_to', (one) => one.notices.map(({ destination }) => destination).join(' ')],
  ['exports_after', (one) => one.exportsAfterCount],
  ['exports_after_ids', (one) => one.exportsAfter.map(({ runId }) => runId).join(' ')],
];

function natureText({ nature, rights }: AuditRecord): string {
  return rights === null ? nature : `${nature}: ${rights.join(' ')}`;
}

function identifierText({ kind, digests, value }: AuditRecord['identifiers'][number]): string {
  const shown = digests.map((digest) => `${digest.kind}:${digest.hex}`).join('|');
  return value === undefined ? `${kind}=${shown}` : `${kind}=${shown}=${value}`;
}

/** Records as text. */
export function recordsText(
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
  format: ReportFormat,
): AsyncGenerator<string> {
  return reportText(records, format, { columns: RECORD_COLUMNS, json: recordJson });
}

/** A record as JSON shows it: moments as text, no unit in a name. */
export function recordJson(record: AuditRecord): object {
  const { receivedAtMs, respondedAtMs, recordedAtMs, processedAtMs, inForceEverywhereAtMs, dueAtMs, ...same } = record;
  const { agent, notices, exportsAfter, identifiers, ...rest } = same;
  return {
    dateOfRequest: momentText(receivedAtMs),
    natureOfRequest: { nature: rest.nature, rights: rest.rights },
    mannerOfRequest: rest.channel,
    dateOfResponse: momentText(respondedAtMs),
    natureOfResponse: rest.response,
    basisOfDenial: rest.denialBasis,
    requestId: rest.requestId,
    row: rest.row,
    status: rest.status,
    state: rest.state,
    agent: agent === null ? null : { name: agent.name, permissionOnFile: agent.isPermitted },
    recordedAt: momentText(recordedAtMs),
    recordedBy: rest.recordedBy,
    deniedBy: rest.deniedBy,
    processedAt: momentText(processedAtMs),
    sharingCeasedAt: momentText(inForceEverywhereAtMs),
    inForceOn: rest.inForceOn,
    enforcerCount: rest.enforcerCount,
    dueAt: momentText(dueAtMs),
    dueOn: rest.dueOn,
    deadlineState: rest.deadlineState,
    deadlineRule: rest.deadlineRule,
    identifierCount: rest.identifierCount,
    refusedCount: rest.refusedCount,
    identifiers,
    noticesOwed: notices.map(({ sentFirstMs, sentLastMs, destination, isSentAfterRequest }) => ({
      destination,
      sentFirst: momentText(sentFirstMs),
      sentLast: momentText(sentLastMs),
      sentAfterRequest: isSentAfterRequest,
    })),
    exportsAfterCount: rest.exportsAfterCount,
    exportsAfter: exportsAfter.map(({ finishedAtMs, isExempt, ...one }) => ({
      ...one,
      finishedAt: momentText(finishedAtMs),
      exempt: isExempt,
    })),
  };
}
