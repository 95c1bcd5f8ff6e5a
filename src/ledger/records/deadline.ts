/**
 * By when a request must have been complied with, and how it stands with that.
 *
 * The clock starts at receipt and counts days in the time zone of the person's state. The day of receipt is not counted
 * and the last one is, whole: it must be done before the next one begins. What came for several rights is due with the
 * first of them.
 * @module
 */
import { rightsOfMask } from '../../core/vocabulary.js';
import { addBusinessDays } from './business-days.js';
import { type DeadlinePath, type DeadlineRow, deadlineRow } from './deadline-table.js';
import { type Day, dayAt, dayText, startOfDay, timeZoneOf } from './local-days.js';

/** Business days before the last one at which a request that is still open is nearly overdue, unless told. */
export const NEARLY_OVERDUE_BUSINESS_DAYS = 3;
/** What that can be set to. */
export const NEARLY_OVERDUE_BUSINESS_DAYS_MAX = 60;

/**
 * `met`: in force everywhere, or denied, in time. `overdue`: it was not; it may have been since. Of what is still to be done
 * `open`, and `nearly_overdue` where little time is left.
 */
export const DEADLINE_STATES = ['met', 'open', 'nearly_overdue', 'overdue'] as const;
export type DeadlineState = (typeof DEADLINE_STATES)[number];

/** What a deadline depends on. */
export interface DeadlineBasis {
  readonly state: string | null;
  /** A mask. */
  readonly rights: number;
  readonly path: DeadlinePath;
  readonly receivedAtMs: number;
}

export interface Deadline {
  /** It must have been done before this moment. */
  readonly dueAtMs: number;
  /** The last day for it, `YYYY-MM-DD` where the person lives. */
  readonly dueOn: string;
  /** From when on it is nearly overdue. */
  readonly nearlyAtMs: number;
  readonly row: DeadlineRow;
}

/** The path of a request in the ledger: what is decided on the bid path at once is no request there. */
export function pathOfChannel(channel: string): DeadlinePath {
  return channel === 'drop' ? 'drop' : 'recorded';
}

/** The deadline of what came for some rights: the first of theirs. */
export function deadlineOf(
  { state, rights, path, receivedAtMs }: DeadlineBasis,
  nearlyBusinessDays: number = NEARLY_OVERDUE_BUSINESS_DAYS,
): Deadline {
  const timeZone = timeZoneOf(state);
  const received = dayAt(receivedAtMs, timeZone);
  const rows = new Set(rightsOfMask(rights).map((right) => deadlineRow(state, right, path)));
  let first: { readonly day: Day; readonly row: DeadlineRow } | null = null;
  for (const row of rows) {
    const day = lastDay(row, received);
    if (first === null || day < first.day) first = { day, row };
  }
  if (first === null) throw new RangeError('rights: expected at least one');
  const { day, row } = first;
  if (row.kind === 'immediate') {
    return { dueAtMs: receivedAtMs, dueOn: dayText(day), nearlyAtMs: receivedAtMs, row };
  }
  const calendar = row.kind === 'business_days' ? row.calendar : 'california_and_federal';
  const nearly = addBusinessDays(day, -nearlyBusinessDays, calendar);
  return {
    dueAtMs: startOfDay(day + 1, timeZone),
    dueOn: dayText(day),
    nearlyAtMs: startOfDay(nearly, timeZone),
    row,
  };
}

function lastDay(row: DeadlineRow, received: Day): Day {
  switch (row.kind) {
    case 'immediate':
      return received;
    case 'business_days':
      return addBusinessDays(received, row.count, row.calendar);
    case 'calendar_days':
      return received + row.count;
    default:
      return row satisfies never;
  }
}

/** @param settledAtMs When it was complied with, or denied; `null`: neither. */
export function deadlineState(
  { dueAtMs, nearlyAtMs }: Pick<Deadline, 'dueAtMs' | 'nearlyAtMs'>,
  settledAtMs: number | null,
  nowMs: number,
): DeadlineState {
  if (settledAtMs !== null) return settledAtMs < dueAtMs ? 'met' : 'overdue';
  if (nowMs >= dueAtMs) return 'overdue';
  return nowMs >= nearlyAtMs ? 'nearly_overdue' : 'open';
}
