/**
 * How long requests took from being written until enforcers had them in force, over time.
 *
 * From the acknowledgements: an enforcer has a request in force from the moment it had applied its entry or a later one of
 * the same epoch. Of busy times a sample is looked at. Enforcers that came later, and those that have not said so yet,
 * are not in it: who is behind is told by the list of enforcers.
 * @module
 */
import type { Session } from '../database.js';

/** Requests that are looked at for each interval of a chart. */
export const EFFECT_SAMPLE_MAX = 20;
/** Intervals of a chart. */
export const EFFECT_INTERVALS_MAX = 200;

export interface EffectInterval {
  /** Its beginning, ms since 1970. */
  readonly atMs: number;
  /** Pairs of a request and an enforcer. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

const TIMES = `
with sample as (
  select beginning.at as beginning, entry.seq, entry.at
  from generate_series($1::float8::int8, $2::float8::int8, $3::float8::int8) as beginning (at) cross join lateral (
    select change_log.seq, change_log.at from optgate.change_log
    where change_log.request_id is not null and change_log.seq is not null
      and change_log.at >= to_timestamp(beginning.at::float8 / 1000)
      and change_log.at < to_timestamp((beginning.at::float8 + $3::float8) / 1000)
    order by change_log.at desc limit ${EFFECT_SAMPLE_MAX}
  ) as entry
), taken as (
  select sample.beginning, greatest(0, extract(epoch from ack.at - sample.at) * 1000)::float8 as ms
  from sample cross join optgate.enforcer cross join optgate.head cross join lateral (
    select enforcer_ack.at from optgate.enforcer_ack
    where enforcer_ack.enforcer_id = enforcer.id and enforcer_ack.epoch = head.epoch and enforcer_ack.seq >= sample.seq
    order by enforcer_ack.seq limit 1
  ) as ack
  where enforcer.registered_at <= sample.at
)
select beginning::float8 as at_ms, count(*)::float8 as count, max(ms)::float8 as max_ms,
  percentile_cont(0.5) within group (order by ms)::float8 as p50_ms,
  percentile_cont(0.95) within group (order by ms)::float8 as p95_ms
from taken group by beginning order by beginning`;

/** See Oversight.effectTimes. */
export async function effectTimes(
  session: Session,
  sinceMs: number,
  untilMs: number,
  everyMs: number,
): Promise<readonly EffectInterval[]> {
  const intervals = (untilMs - sinceMs) / everyMs;
  if (!(everyMs >= 1 && intervals > 0 && intervals <= EFFECT_INTERVALS_MAX)) {
    throw new RangeError(`everyMs: expected 1 to ${EFFECT_INTERVALS_MAX} intervals, got ${intervals}`);
  }
  const rows = await session.query(TIMES, [sinceMs, untilMs - 1, everyMs]);
  return rows.map((row) => ({
    atMs: Number(row.at_ms),
    count: Number(row.count),
    p50Ms: Number(row.p50_ms),
    p95Ms: Number(row.p95_ms),
    maxMs: Number(row.max_ms),
  }));
}
