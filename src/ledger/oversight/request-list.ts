/**
 * Requests in a list, the latest first, some at a time: by channel, status and the time they were received.
 *
 * A page costs the same on a ledger of any size: for each pair of channel and status the index gives the next requests in
 * order, and the page is the latest of all of them. The next page begins after the last request of this one, which is
 * given by its id, so no request is left out or shown twice where others come in meanwhile.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { type Right, rightsOfMask } from '../../core/vocabulary.js';
import type { Row, Session } from '../database.js';
import { textColumn } from '../packed-column.js';
import { CHANNELS, type Channel, isRequestId, type RequestNature, type RequestStatus } from '../request.js';

/** Most requests on a page. */
export const REQUESTS_PER_PAGE_MAX = 100;

const STATUS_SET: Readonly<Record<RequestStatus, true>> = {
  pending: true,
  in_progress: true,
  complied: true,
  denied: true,
};
export const REQUEST_STATUSES = Object.keys(STATUS_SET) as readonly RequestStatus[];

export interface RequestFilter {
  readonly channel?: Channel | undefined;
  readonly status?: RequestStatus | undefined;
  /** Received at this moment or later, ms since 1970. */
  readonly sinceMs?: number | undefined;
  /** Received before this moment. */
  readonly untilMs?: number | undefined;
  /** Only what comes after this request in the list. */
  readonly afterRequestId?: string | undefined;
  readonly limit: number;
}

/** A request, as far as a list shows it. */
export interface ListedRequest {
  readonly requestId: string;
  readonly nature: RequestNature;
  readonly channel: Channel;
  readonly status: RequestStatus;
  /** `null`: each row of an import has its own. */
  readonly rights: readonly Right[] | null;
  readonly receivedAtMs: number;
  readonly identifierCount: number;
  /** Who recorded it; `null`: nobody said. */
  readonly operator: string | null;
}

export interface RequestPage {
  readonly requests: readonly ListedRequest[];
  /** There are more. */
  readonly hasMore: boolean;
}

/** One bound for where the page begins: of two the index would take either, and read all between them. */
const PAGE = `
with page as (
  select found.id, found.received_at
  from unnest($1::text[]) as wanted (channel) cross join unnest($2::text[]) as asked (status) cross join lateral (
    select request.id, request.received_at from optgate.request
    where request.channel = wanted.channel and request.status = asked.status
      and request.received_at >= to_timestamp($3::float8 / 1000)
      and (request.received_at, request.id) < (coalesce($4::timestamptz, to_timestamp($5::float8 / 1000)), $6::int8)
    order by request.received_at desc, request.id desc limit $7::int4
  ) as found
  order by found.received_at desc, found.id desc limit $7::int4
)
select request.public_id, request.nature, request.channel, request.status, request.rights, request.operator,
  request.identifier_count::float8, round(extract(epoch from request.received_at) * 1000)::float8 as received_at_ms
from page join optgate.request on request.id = page.id order by page.received_at desc, page.id desc`;

/** Later than anything. */
const LAST_MS = 8_640_000_000_000_000 / 10;

/** See Oversight.requests. */
export async function listRequests(session: Session, filter: RequestFilter): Promise<RequestPage> {
  const { channel, status, sinceMs = 0, untilMs = LAST_MS, afterRequestId, limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > REQUESTS_PER_PAGE_MAX) {
    throw new InputError('limit', 'out_of_range', `expected 1 to ${REQUESTS_PER_PAGE_MAX}`);
  }
  const end = Math.min(untilMs, LAST_MS);
  const after = afterRequestId === undefined ? null : await placeOf(session, afterRequestId, end);
  const rows = await session.query(PAGE, [
    textColumn(channel === undefined ? [...CHANNELS] : [channel]).bytes,
    textColumn(status === undefined ? [...REQUEST_STATUSES] : [status]).bytes,
    sinceMs,
    after?.receivedAt ?? null,
    end,
    after?.id ?? '0',
    limit + 1,
  ]);
  return { requests: rows.slice(0, limit).map(listedOf), hasMore: rows.length > limit };
}

/** Where the list goes on; as text, to the microsecond: a Date would cut it off. */
async function placeOf(
  session: Session,
  requestId: string,
  endMs: number,
): Promise<{ readonly id: string; readonly receivedAt: string }> {
  const sql = `select case when received_at < until then id else 0 end::text as id,
      least(received_at, until)::text as received_at
    from optgate.request, to_timestamp($2::float8 / 1000) as until where public_id = $1`;
  const [row] = isRequestId(requestId) ? await session.query(sql, [requestId, endMs]) : [];
  if (row === undefined) throw new InputError('after', 'unknown', 'expected the id of a request that was recorded');
  return { id: String(row.id), receivedAt: String(row.received_at) };
}

function listedOf(row: Row): ListedRequest {
  const nature = row.nature as RequestNature;
  return {
    requestId: String(row.public_id),
    nature,
    channel: row.channel as Channel,
    status: row.status as RequestStatus,
    rights: nature === 'import' ? null : rightsOfMask(Number(row.rights)),
    receivedAtMs: Number(row.received_at_ms),
    identifierCount: Number(row.identifier_count),
    operator: row.operator === null ? null : String(row.operator),
  };
}
