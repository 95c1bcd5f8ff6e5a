/**
 * A request beside its deadline: due, complied with, and in which state that leaves it.
 * @module
 */
import type { Session } from '../database.js';
import type { RequestNature, RequestStatus } from '../request.js';
import { type Compliance, complianceOf } from './compliance.js';
import { type DeadlineState, deadlineOf, deadlineState, pathOfChannel } from './deadline.js';

/** What is looked at of a request. */
export interface TimedRequest {
  readonly row: string;
  readonly nature: RequestNature;
  readonly status: RequestStatus;
  readonly channel: string;
  readonly state: string | null;
  /** A mask. */
  readonly rights: number;
  readonly receivedAtMs: number;
  readonly respondedAtMs: number | null;
}

/** How a request stands with its deadline. All of it is `null` for an opt-in: nothing is due on one. */
export interface RequestDeadline {
  readonly dueAtMs: number | null;
  /** The last day for it, `YYYY-MM-DD` where the person lives. */
  readonly dueOn: string | null;
  readonly deadlineState: DeadlineState | null;
  /** Which row of the table of deadlines holds. */
  readonly deadlineRule: string | null;
  /** When it was in force everywhere, or an opt-in confirmed; `null`: not yet, or it was denied. */
  readonly compliedAtMs: number | null;
}

/** A request's deadline, with how far it has come. */
export interface TimedDeadline extends RequestDeadline {
  readonly compliance: Compliance;
}

/** The deadlines of some requests, in their order. */
export async function requestDeadlines(
  session: Session,
  requests: readonly TimedRequest[],
  nowMs: number,
  nearlyBusinessDays?: number,
): Promise<readonly TimedDeadline[]> {
  const compliance = await complianceOf(
    session,
    requests.map(({ row }) => row),
  );
  return requests.map((request) => timed(request, compliance(request.row), nowMs, nearlyBusinessDays));
}

function timed(
  request: TimedRequest,
  compliance: Compliance,
  nowMs: number,
  nearlyBusinessDays: number | undefined,
): TimedDeadline {
  const { nature, status, respondedAtMs } = request;
  const isDone = status === 'complied';
  if (nature === 'opt_in') {
    const compliedAtMs = isDone ? respondedAtMs : null;
    return { dueAtMs: null, dueOn: null, deadlineState: null, deadlineRule: null, compliedAtMs, compliance };
  }
  const deadline = deadlineOf({ ...request, path: pathOfChannel(request.channel) }, nearlyBusinessDays);
  // an import in which every row was refused changes nothing, and is done when it ends
  const isEmpty = isDone && compliance.processedAtMs === null;
  const compliedAtMs = isEmpty ? respondedAtMs : isDone ? compliance.compliedAtMs : null;
  const settledAtMs = status === 'denied' ? respondedAtMs : compliedAtMs;
  return {
    dueAtMs: deadline.dueAtMs,
    dueOn: deadline.dueOn,
    deadlineState: deadlineState(deadline, settledAtMs, nowMs),
    deadlineRule: deadline.row.id,
    compliedAtMs,
    compliance,
  };
}

/** SQL: the columns of `optgate.request` that {@link timedRequestOf} reads. */
export const TIMED_COLUMNS = `request.id::text as row, request.nature, request.status, request.channel, request.state,
  request.rights, round(extract(epoch from request.received_at) * 1000)::float8 as received_at_ms,
  round(extract(epoch from request.responded_at) * 1000)::float8 as responded_at_ms`;

export function timedRequestOf(row: Readonly<Record<string, unknown>>): TimedRequest {
  return {
    row: String(row.row),
    nature: row.nature as RequestNature,
    status: row.status as RequestStatus,
    channel: String(row.channel),
    state: row.state === null ? null : String(row.state),
    rights: Number(row.rights),
    receivedAtMs: Number(row.received_at_ms),
    respondedAtMs: row.responded_at_ms === null ? null : Number(row.responded_at_ms),
  };
}
