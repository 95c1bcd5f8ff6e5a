/**
 * The requests of a period, by date of receipt, some at a time. No transaction is open between pages.
 * @module
 */
import type { Row, Session } from '../database.js';
import { TIMED_COLUMNS } from './request-deadline.js';

/** From a moment on, and before another one. */
export interface Period {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Rows with {@link TIMED_COLUMNS} and what records say besides. */
export async function* pagesOfRequests(
  session: Session,
  { sinceMs, untilMs }: Period,
  pageSize: number,
): AsyncGenerator<readonly Row[]> {
  for (let after: Row = { received_text: new Date(sinceMs).toISOString(), row: '0' }; ; ) {
    const rows = await session.query(
      `select public_id, ${TIMED_COLUMNS}, received_at::text as received_text, denial_basis, operator, denied_by,
         agent_name, agent_permission, identifier_count::float8, refused_count::float8,
         round(extract(epoch from recorded_at) * 1000)::float8 as recorded_at_ms
       from optgate.request as request
       where (received_at, id) > ($1::text::timestamptz, $2::int8) and received_at < to_timestamp($3::float8 / 1000)
       order by request.received_at, request.id limit $4::int8`,
      [after.received_text, after.row, untilMs, pageSize],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    after = last;
  }
}
