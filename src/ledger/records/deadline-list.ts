/**
 * The requests whose deadline has passed or is near, and that are not in force everywhere.
 *
 * Enforcers that are up to date have everything in force, so what is open is found from the end of the change log, and not
 * by going through all requests. Where nobody enforces the ledger every request is open.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { type Right, rightsOfMask } from '../../core/vocabulary.js';
import type { LedgerContext } from '../context.js';
import type { Row, Session } from '../database.js';
import type { Channel, RequestNature, RequestStatus } from '../request.js';
import { NEARLY_OVERDUE_BUSINESS_DAYS, NEARLY_OVERDUE_BUSINESS_DAYS_MAX } from './deadline.js';
import { requestDeadlines, TIMED_COLUMNS, timedRequestOf } from './request-deadline.js';

/** Requests in the list, unless told; the most urgent ones. */
export const DEADLINES_LISTED = 100;
/** Most requests in the list. */
export const DEADLINES_LISTED_MAX = 1000;
/** Requests that are looked at together. */
const REQUESTS_PER_PAGE = 500;

export interface DeadlineOptions {
  /** Business days before the last one from when on it is nearly overdue. Default: 3. */
  readonly nearlyBusinessDays?: number | undefined;
  /** Default: 100. */
  readonly limit?: number | undefined;
}

/** A request that is overdue or nearly so. */
export interface DueRequest {
  readonly requestId: string;
  readonly nature: RequestNature;
  readonly channel: Channel;
  readonly status: RequestStatus;
  readonly rights: readonly Right[];
  readonly receivedAtMs: number;
  readonly dueAtMs: number;
  readonly dueOn: string;
  readonly deadlineState: 'nearly_overdue' | 'overdue';
  readonly deadlineRule: string;
  readonly inForceOn: number;
  readonly enforcerCount: number;
}

export interface DeadlineList {
  readonly nearlyBusinessDays: number;
  readonly overdueCount: number;
  readonly nearlyOverdueCount: number;
  /** Not in force everywhere, and there is time. */
  readonly openCount: number;
  /** The most urgent first; not more than were asked for. */
  readonly requests: readonly DueRequest[];
}

/** See LedgerRecords.deadlines. */
export async function dueRequests(context: LedgerContext, options: DeadlineOptions = {}): Promise<DeadlineList> {
  const { nearlyBusinessDays = NEARLY_OVERDUE_BUSINESS_DAYS, limit = DEADLINES_LISTED } = options;
  checkWhole('nearlyBusinessDays', nearlyBusinessDays, 0, NEARLY_OVERDUE_BUSINESS_DAYS_MAX);
  checkWhole('limit', limit, 1, DEADLINES_LISTED_MAX);
  return context.database.transaction(
    async (session) => {
      const nowMs = context.now();
      const counts = { overdue: 0, nearly_overdue: 0, open: 0 };
      let urgent: DueRequest[] = [];
      for await (const rows of openPages(session)) {
        const deadlines = await requestDeadlines(session, rows.map(timedRequestOf), nowMs, nearlyBusinessDays);
        for (const [index, deadline] of deadlines.entries()) {
          const row = rows[index];
          const { deadlineState: state, compliedAtMs, dueAtMs } = deadline;
          if (row === undefined || compliedAtMs !== null || dueAtMs === null || state === null || state === 'met')
            continue;
          counts[state]++;
          if (state !== 'open') urgent.push({ ...dueOf(row, deadline), deadlineState: state });
        }
        urgent = urgent.sort((a, b) => a.dueAtMs - b.dueAtMs).slice(0, limit);
      }
      const { overdue, nearly_overdue: nearlyOverdueCount, open: openCount } = counts;
      return { nearlyBusinessDays, overdueCount: overdue, nearlyOverdueCount, openCount, requests: urgent };
    },
    { isSnapshot: true },
  );
}

function dueOf(
  row: Row,
  { dueAtMs, dueOn, deadlineRule, compliance }: Awaited<ReturnType<typeof requestDeadlines>>[number],
): Omit<DueRequest, 'deadlineState'> {
  return {
    requestId: String(row.public_id),
    nature: row.nature as RequestNature,
    channel: row.channel as Channel,
    status: row.status as RequestStatus,
    rights: rightsOfMask(Number(row.rights)),
    receivedAtMs: Number(row.received_at_ms),
    dueAtMs: dueAtMs ?? 0,
    dueOn: dueOn ?? '',
    deadlineRule: deadlineRule ?? '',
    inForceOn: compliance.inForceOn,
    enforcerCount: compliance.enforcerCount,
  };
}

/** Requests that may not be in force everywhere yet. What every enforcer that is waited for has applied cannot be among them. */
async function* openPages(session: Session): AsyncGenerator<readonly Row[]> {
  const [floor] = await session.query(
    `select coalesce(min(case when enforcer.epoch = head.epoch then applied_seq end) filter (where retired_at is null), 0)
         * (count(*) filter (where retired_at is null and (enforcer.epoch is null or enforcer.epoch <> head.epoch)) = 0)::int
       as seq from optgate.head left join optgate.enforcer on true group by head.epoch`,
  );
  for (let after = '0'; ; ) {
    const rows = await session.query(
      `select request.public_id, ${TIMED_COLUMNS} from optgate.request as request
       where request.id > $1::int8 and request.nature <> 'opt_in' and request.status in ('complied', 'in_progress')
         and (request.status = 'in_progress' or request.id in (
           select entry.request_id from optgate.change_log as entry
           where (entry.seq > $2::int8 or entry.seq is null) and entry.request_id is not null))
       order by request.id limit ${REQUESTS_PER_PAGE}`,
      [after, String(floor?.seq ?? 0)],
    );
    if (rows.length === 0) return;
    yield rows;
    after = String(rows.at(-1)?.row);
  }
}

function checkWhole(field: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return;
  throw new InputError(field, 'out_of_range', `expected a whole number from ${min} to ${max}`);
}
