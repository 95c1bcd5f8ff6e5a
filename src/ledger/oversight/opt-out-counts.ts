/**
 * How many opt-outs were received on each day (UTC), by channel. A list counts as many as it names.
 * @module
 */
import type { Session } from '../database.js';
import { textColumn } from '../packed-column.js';
import { CHANNELS, type Channel } from '../request.js';
import { REQUEST_STATUSES } from './request-list.js';

export interface OptOutCount {
  /** `YYYY-MM-DD`. */
  readonly day: string;
  readonly channel: Channel;
  readonly count: number;
}

/** Ranges of one index, and nothing but the index where the database knows its pages to be seen by all. */
const COUNTS = `
select wanted.channel, (found.received_at at time zone 'UTC')::date::text as day,
  sum(case found.nature when 'import' then found.identifier_count else 1 end)::float8 as count
from unnest($1::text[]) as wanted (channel) cross join unnest($2::text[]) as asked (status) cross join lateral (
  select request.received_at, request.nature, request.identifier_count from optgate.request
  where request.channel = wanted.channel and request.status = asked.status and request.nature <> 'opt_in'
    and request.received_at >= to_timestamp($3::float8 / 1000) and request.received_at < to_timestamp($4::float8 / 1000)
) as found
group by 1, 2 order by 2, 1`;

/** See Oversight.optOutCounts. */
export async function optOutCounts(
  session: Session,
  sinceMs: number,
  untilMs: number,
): Promise<readonly OptOutCount[]> {
  const arrays = [textColumn([...CHANNELS]).bytes, textColumn([...REQUEST_STATUSES]).bytes];
  const rows = await session.query(COUNTS, [...arrays, sinceMs, untilMs]);
  return rows.map(({ day, channel, count }) => ({
    day: String(day),
    channel: channel as Channel,
    count: Number(count),
  }));
}
