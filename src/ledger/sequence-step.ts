/**
 * One step of the sequencer: rows of the change log get their seq, and the head moves.
 *
 * Order and completeness: rows are numbered by (xid, id) below the horizon, the oldest transaction that is still at work.
 * No transaction can bring a row from below it any more, so whoever has read up to a seq has missed nothing. That is not
 * the order of commits: see order.ts for what this means for the versions of a key, and why the log can be cut, and is
 * called settled, only where no row up to there is `behind` one that comes later.
 * @module
 */
import type { Session, Transactor } from './database.js';
import { type ClockLook, type HeldRows, StepClock } from './step-clock.js';

/** Channel on which every step is announced, and nothing else. */
export const NOTIFY_CHANNEL = 'optgate';

/** Where a step begins. */
export interface StepStart {
  readonly seq: number;
  readonly settledSeq: number;
  /** The server's clock before the step looked at any row. */
  readonly at: string;
  /** Rows from before the server's clock was put back; `null`: it was not. */
  readonly held: HeldRows | null;
}

/** Where a step has ended. */
export interface Step {
  readonly epoch: string;
  readonly seq: number;
  readonly settledSeq: number;
  /** Rows that got a seq. */
  readonly count: number;
  /** Age of the oldest row that is committed and still has no seq; 0: none. */
  readonly waitingMs: number;
  /** That row; `null`: none. */
  readonly waitingId: string | null;
  /** It is from before the server's clock was put back. */
  readonly isHeld: boolean;
}

const BELOW_HORIZON = 'xid < pg_snapshot_xmin(pg_current_snapshot())';

/** True if a step would give some row its seq. */
export async function hasWork(session: Session): Promise<boolean> {
  const [row] = await session.query<{ there: boolean }>(
    `select exists (select from optgate.change_log where seq is null and ${BELOW_HORIZON}) as there`,
  );
  return row?.there === true;
}

/**
 * The same, but the server looks every `pollMs` and answers as soon as there is something, and after `waitMs` at the
 * latest. Asking it from here as often would cost 2 % of a core on either side; like this it costs less than 1 % there.
 */
export async function serverAwaitsWork(session: Session, pollMs: number, waitMs: number): Promise<boolean> {
  const [row] = await session.query<{ there: boolean }>('select optgate.await_work($1::float8, $2::float8) as there', [
    pollMs,
    waitMs,
  ]);
  return row?.there === true;
}

/** Numbers at most `countMax` rows; with or without them it is a heartbeat. */
export async function sequenceStep(
  session: Transactor,
  countMax: number,
  clock: StepClock = new StepClock(),
): Promise<Step> {
  return session.transaction(async (transaction) => {
    const askedMs = clock.now();
    const head = await lockHead(transaction);
    const start = { ...head, held: clock.look(head, askedMs) };
    const count = await number(transaction, start.seq, `and ${BELOW_HORIZON}`, countMax);
    const step = await settle(transaction, start, count);
    clock.done(step);
    return step;
  });
}

/** Numbers every row that is visible, whatever its xid. Only while nobody else can write. */
export async function numberAll(session: Session, seq: number): Promise<number> {
  return number(session, seq, '', null);
}

async function lockHead(session: Session): Promise<Omit<StepStart, 'held'> & ClockLook> {
  const [head] = await session.query<{
    seq: string;
    settled_seq: string;
    at: string;
    at_ms: number;
    is_back: boolean;
    next_xid: string;
  }>(
    `select seq, settled_seq, now.at::text as at, extract(epoch from now.at)::float8 * 1000 as at_ms,
       now.at < fresh_at as is_back, pg_snapshot_xmax(pg_current_snapshot())::text as next_xid
     from optgate.head, (select clock_timestamp() as at) as now for update of head`,
  );
  if (head === undefined) throw new Error('unreachable: a migrated ledger has a head');
  const { at, at_ms: serverMs, is_back: isBehindHead, next_xid: nextXid } = head;
  return { seq: Number(head.seq), settledSeq: Number(head.settled_seq), at, serverMs, isBehindHead, nextXid };
}

async function number(session: Session, seq: number, condition: string, countMax: number | null): Promise<number> {
  const [row] = await session.query<{ count: string }>(
    `with next as (
       select id, row_number() over (order by xid, id) as n from optgate.change_log
       where seq is null ${condition} order by xid, id limit $2::int8),
     numbered as (
       update optgate.change_log as entry set seq = $1::int8 + next.n from next where entry.id = next.id returning 1)
     select count(*) from numbered`,
    [seq, countMax],
  );
  return Number(row?.count ?? 0);
}

/** Moves the head over `count` rows that were just numbered, and settles what can be settled. */
export async function settle(session: Session, start: StepStart, count: number): Promise<Step> {
  const seq = start.seq + count;
  const links = await session.query<{ seq: string; behind_seq: string | null }>(
    `select entry.seq, ahead.seq as behind_seq
     from optgate.change_log as entry left join optgate.change_log as ahead on ahead.id = entry.behind
     where entry.behind <> 0 and entry.seq > $1::int8`,
    [start.settledSeq],
  );
  const settledSeq = lastCut(
    start.settledSeq,
    seq,
    links.map((link) => ({
      seq: Number(link.seq),
      behindSeq: link.behind_seq === null ? Number.POSITIVE_INFINITY : Number(link.behind_seq),
    })),
  );
  const [head] = await session.query<MovedHead>(MOVE_HEAD, [
    seq,
    settledSeq,
    start.settledSeq,
    start.at,
    start.held?.belowXid ?? '0',
    start.held?.waitedMs ?? 0,
  ]);
  return {
    epoch: head?.epoch ?? '',
    seq,
    settledSeq,
    count,
    waitingMs: Math.max(0, head?.waiting_ms ?? 0),
    waitingId: head?.waiting_id ?? null,
    isHeld: head?.is_held === true,
  };
}

interface MovedHead {
  readonly epoch: string;
  readonly waiting_ms: number | null;
  readonly waiting_id: string | null;
  readonly is_held: boolean | null;
}

/** The digest is kept modulo 2^32, and sums may be negative. */
const sum32 = (column: string) =>
  `((((head.${column} + settled.${column}) % 4294967296) + 4294967296) % 4294967296)::int8`;

const MOVE_HEAD = `
with settled as (
  select coalesce(sum(digest_high), 0) as digest_high, coalesce(sum(digest_low), 0) as digest_low,
    coalesce(sum(entry_count), 0) as entry_count, coalesce(bit_or(kind_mask), 0) as kind_mask,
    coalesce(bit_or(given_kind_mask), 0) as given_kind_mask
  from optgate.change_log where seq > $3::int8 and seq <= $2::int8),
oldest as (select id, xid from optgate.change_log where seq is null order by xid, id limit 1),
waiting as (
  select least((select min(at) from optgate.change_log where seq is null),
    case when xid < $5::text::xid8 then clock_timestamp() - $6::float8 * interval '1 millisecond' end) as at, id, xid < $5::text::xid8 as is_held
  from (select) as always left join oldest on true),
moved as (
  update optgate.head set seq = $1::int8, settled_seq = $2::int8,
    digest_high = ${sum32('digest_high')}, digest_low = ${sum32('digest_low')},
    entry_count = head.entry_count + settled.entry_count, kind_mask = head.kind_mask | settled.kind_mask,
    given_kind_mask = head.given_kind_mask | settled.given_kind_mask,
    beat = head.beat + 1, fresh_at = least($4::timestamptz, waiting.at)
  from settled, waiting
  returning epoch, head.seq)
select epoch, extract(epoch from clock_timestamp() - waiting.at)::float8 * 1000 as waiting_ms, waiting.id as waiting_id, waiting.is_held,
  pg_notify('${NOTIFY_CHANNEL}', json_build_object('epoch', epoch, 'seq', moved.seq)::text)
from moved, waiting`;

/** An entry that builds on one which comes later: no cut between the two. Not sequenced yet: infinitely later. */
interface Link {
  readonly seq: number;
  readonly behindSeq: number;
}

/** The last place up to `seq` where the log can be cut without parting any link; `settledSeq` is one. */
export function lastCut(settledSeq: number, seq: number, links: readonly Link[]): number {
  let cut = seq;
  // from the last link to the first: a cut that moves before one link has left all that were looked at behind it
  for (const link of [...links].sort((a, b) => b.seq - a.seq)) {
    if (link.seq <= cut && link.behindSeq > cut) cut = link.seq - 1;
  }
  return Math.max(settledSeq, cut);
}
