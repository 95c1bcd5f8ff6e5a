/**
 * A ledger as enforcers follow it: entries in order with the head of the same moment, news of more, and the table.
 *
 * An answer is one statement, and so one view of the database. News come by NOTIFY, on a connection of their own that is
 * made again whenever it breaks; besides, the head is looked at now and then, so that a lost notification costs little.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { Entry, Frame, Head } from '../core/suppression/index.js';
import type { EnforcerReport, LedgerFeed, LoadedTable, Reporter } from '../sync/source.js';
import { type Database, type LedgerLocation, openDatabase } from './database.js';
import { FeedListener } from './feed-listener.js';
import { checkMigrated } from './migrations.js';

/** Bytes of changes in one answer; a single entry may be larger. */
export const ANSWER_BYTES_MAX = 4 * 2 ** 20;
/** How often the head is looked at while nobody can tell of news. */
export const DEAF_POLL_MS = 250;
/** How often while the ledger is listened to: its heartbeats come about every second. */
export const LISTENING_POLL_MS = 1_500;

const HEAD_COLUMNS = `
  head.epoch, meta.seed, head.seq as head_seq, head.settled_seq, head.digest_high, head.digest_low, head.entry_count,
  head.kind_mask, head.given_kind_mask, head.beat,
  extract(epoch from clock_timestamp() - head.fresh_at)::float8 * 1000 as lag_ms`;

/** Entries as long as they fit, the first one in any case. The length of changes is known without reading them. */
const ENTRIES_AFTER = `
select ${HEAD_COLUMNS}, entry.seq, extract(epoch from entry.at)::float8 * 1000 as at_ms, entry.is_canary, entry.changes
from optgate.head cross join optgate.meta left join lateral (
  select seq, at, is_canary, changes, sum(length(changes)) over (order by seq) as bytes from (
    select seq, at, is_canary, changes from optgate.change_log where seq > $1::int8 order by seq limit $2::int8) as next
) as entry on entry.bytes <= $3::int8 or entry.seq = $1::int8 + 1
order by entry.seq`;

/**
 * A position that the ledger never had, of another history or past its end, is none: the enforcer was seen, and no more.
 * When it was reached is told as an age and placed on the ledger's own clock, so it is never too early. An acknowledgement
 * is kept only if it is the first of some request: so there are no more of them than requests for each enforcer. Nothing is
 * taken down, and no row comes back, where the enforcer is bound to a token of another name.
 */
const REPORT = `
with before as (select epoch, applied_seq from optgate.enforcer where id = $1::text),
said as (select epoch, $8::int8 as seq from optgate.head where epoch = $7::text and seq >= $8::int8),
enforcer as (
  insert into optgate.enforcer as known
    (id, name, role, source, version, lease_ms, epoch, applied_seq, applied_at, state, retired_at, token_name)
  select $1::text, $2::text, $3::text, $4::text, $5::text, $6::int4, said.epoch, said.seq,
    case when said.epoch is not null then clock_timestamp() - greatest(0, $9::float8) * interval '1 millisecond' end, $10::text,
    case when $11::bool then clock_timestamp() end, $12::text
  from (select) as always left join said on true
  on conflict (id) do update set
    name = excluded.name, role = excluded.role, source = excluded.source, version = excluded.version,
    lease_ms = excluded.lease_ms, last_seen_at = clock_timestamp(), state = excluded.state,
    epoch = coalesce(excluded.epoch, known.epoch),
    applied_seq = case when excluded.epoch is null then known.applied_seq else excluded.applied_seq end,
    applied_at = case when excluded.epoch is null then known.applied_at else excluded.applied_at end,
    retired_at = excluded.retired_at, token_name = coalesce(known.token_name, excluded.token_name)
  where $13::bool or known.token_name is null or known.token_name = $12::text
  returning epoch, applied_seq, applied_at),
ack as (
  insert into optgate.enforcer_ack (enforcer_id, epoch, seq, at)
  select $1::text, enforcer.epoch, enforcer.applied_seq, enforcer.applied_at from enforcer, said
  where not exists (select from before where before.epoch = enforcer.epoch)
    or exists (
      select from before join optgate.change_log as entry on entry.seq > before.applied_seq
      where entry.seq <= enforcer.applied_seq and entry.request_id is not null)
  on conflict (enforcer_id, epoch, seq) do nothing)
select 1 from enforcer`;

interface FeedRow {
  readonly epoch: string;
  readonly seed: string;
  readonly head_seq: string;
  readonly settled_seq: string;
  readonly digest_high: string;
  readonly digest_low: string;
  readonly entry_count: string;
  readonly kind_mask: number;
  readonly given_kind_mask: number;
  readonly beat: string;
  readonly lag_ms: number;
  readonly seq: string | null;
  readonly at_ms: number;
  readonly is_canary: boolean;
  readonly changes: Uint8Array;
}

/**
 * A feed with connections of its own. Throws a GateError `ledger.not_migrated`, `ledger.newer` and as
 * {@link openDatabase}.
 * @example const source = createLedgerSource(await openFeed('postgres://ledger.internal/optgate'))
 */
export async function openFeed(location: LedgerLocation): Promise<LedgerFeed> {
  const database = await openDatabase(location);
  try {
    await checkMigrated(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return new Feed(database, true);
}

/** A feed of a database that is open already, and that stays open when the feed is closed. */
export function createFeed(database: Database): LedgerFeed {
  return new Feed(database, false);
}

class Feed implements LedgerFeed {
  readonly name: 'postgres' | 'pglite';
  private readonly listener: FeedListener;
  private isClosed = false;
  /** News that had come when the last answer was asked for. */
  private newsSeen = 0;
  private lastBeat = -1;
  private lastEpoch = '';
  /** When news were last heard of, and the beat and the count of that time. */
  private heard = { newsCount: -1, beat: -1, atMs: 0 };

  constructor(
    private readonly database: Database,
    private readonly isOwner: boolean,
  ) {
    this.name = database.name;
    this.listener = new FeedListener(database);
  }

  async entriesAfter(seq: number, limit: number): Promise<Frame> {
    this.refuseClosed();
    this.newsSeen = this.listener.newsCount;
    const rows = await this.database.query<FeedRow>(ENTRIES_AFTER, [seq, limit, ANSWER_BYTES_MAX]);
    const [first] = rows;
    if (first === undefined) throw new GateError('ledger.not_migrated');
    const head = headOf(first);
    this.lastBeat = head.beat;
    this.lastEpoch = head.epoch;
    this.checkHearing(head.beat);
    return { head, entries: rows.filter((row) => row.seq !== null).map(entryOf) };
  }

  async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + waitMs;
    this.listener.start();
    while (!this.isClosed && !signal.aborted && this.listener.newsCount === this.newsSeen) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return;
      const pollMs = this.listener.isListening ? LISTENING_POLL_MS : DEAF_POLL_MS;
      await this.listener.news(Math.min(leftMs, pollMs), signal);
      if (leftMs <= pollMs || this.listener.newsCount !== this.newsSeen || signal.aborted) return;
      if (await this.hasMoved()) return;
    }
  }

  buildTable(signal: AbortSignal): Promise<LoadedTable> {
    this.refuseClosed();
    return this.database.buildTable(signal);
  }

  async report(report: EnforcerReport, reporter?: Reporter): Promise<void> {
    this.refuseClosed();
    const { id, name, role, version, leaseMs, position, appliedAgeMs, state, isLeaving } = report;
    const taken = await this.database.query(REPORT, [
      ...[id, name, role, this.name, version, leaseMs],
      ...[position?.epoch ?? null, position?.seq ?? null],
      ...[appliedAgeMs ?? 0, state, isLeaving],
      ...[reporter?.tokenName ?? null, reporter === undefined],
    ]);
    if (taken.length === 0) throw new GateError('ledger.enforcer_bound');
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.listener.close();
    if (this.isOwner) await this.database.close();
  }

  /** The beat goes on and no notification tells of it: the connection that listens may be dead, though nobody closed it. */
  private checkHearing(beat: number): void {
    const { newsCount } = this.listener;
    const nowMs = performance.now();
    const isHeard = newsCount !== this.heard.newsCount;
    if (!isHeard && (beat <= this.heard.beat + 1 || nowMs - this.heard.atMs < LISTENING_POLL_MS)) return;
    if (!isHeard) this.listener.missed();
    this.heard = { newsCount, beat, atMs: nowMs };
  }

  /** What a notification would have said. A database that cannot be asked is news too: the caller finds out why. */
  private async hasMoved(): Promise<boolean> {
    try {
      const [head] = await this.database.query<{ epoch: string; beat: string }>('select epoch, beat from optgate.head');
      const hasMoved = Number(head?.beat) !== this.lastBeat || head?.epoch !== this.lastEpoch;
      if (hasMoved) this.listener.missed();
      return hasMoved;
    } catch {
      return true;
    }
  }

  private refuseClosed(): void {
    if (this.isClosed) throw new GateError('sync.closed');
  }
}

function headOf(row: FeedRow): Head {
  const hex = (half: string) => Number(half).toString(16).padStart(8, '0');
  return {
    epoch: row.epoch,
    seed: BigInt.asUintN(64, BigInt(row.seed)),
    seq: Number(row.head_seq),
    settledSeq: Number(row.settled_seq),
    stateDigest: hex(row.digest_high) + hex(row.digest_low),
    entryCount: Number(row.entry_count),
    kindMask: row.kind_mask,
    givenKindMask: row.given_kind_mask,
    beat: Number(row.beat),
    lagMs: Math.max(0, Math.ceil(row.lag_ms)),
  };
}

function entryOf(row: FeedRow): Entry {
  return {
    seq: Number(row.seq),
    atMs: Math.max(0, Math.round(row.at_ms)),
    isCanary: row.is_canary,
    changes: row.changes,
  };
}
