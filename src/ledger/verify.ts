/**
 * Checks a ledger against itself: what is derived is derived again, and what is counted is counted again.
 *
 * Reads everything once in one view of the database, in pages; writers go on meanwhile. Findings are numbers: nothing that
 * could name a person leaves this file.
 * @module
 */
import { GateError } from '../core/errors.js';
import { readChanges } from '../core/suppression/index.js';
import { type EntryTotals, sumChange } from './changes.js';
import type { Session, Transactor } from './database.js';
import { highOfSqlKey, lowOfSqlKey } from './keys.js';

/** Keys read at a time. */
const KEYS_PER_PAGE = 20_000;
/** Entries read at a time: up to 80 KiB each. */
const ENTRIES_PER_PAGE = 100;

/** What can be wrong. */
export const CHECKS = {
  rights: 'keys whose rights in force are not those of their holders together',
  last_entry: 'keys whose last entry is not in the log',
  state_digest: 'the head says another digest of the state than the keys have',
  entry_count: 'the head says another number of keys in force than there are',
  kind_mask: 'keys of a kind that the head does not know of',
  log_gap: 'places in the log that are missing or past its end',
  records: 'entries that hold what is no change',
  records_digest: 'entries that say they add something else than their changes do',
  settled: 'entries up to the settled seq that build on a later one',
  requests: 'requests that are complied with and have no entry',
} as const;
export type CheckName = keyof typeof CHECKS;

export interface Finding {
  readonly check: CheckName;
  /** How many of them; where only one thing is compared, 1. */
  readonly count: number;
}

export interface Verification {
  readonly isSound: boolean;
  readonly keyCount: number;
  readonly entryCount: number;
  /** Of the state that is settled, as the head says it. */
  readonly stateDigest: string;
  readonly findings: readonly Finding[];
}

/** See Ledger.verify. */
export async function verifyLedger(database: Transactor): Promise<Verification> {
  return database.transaction(verifyInView, { isSnapshot: true });
}

/** @internal In a transaction that sees one view of the database. */
export async function verifyInView(session: Session): Promise<Verification> {
  const counts = new Map<CheckName, number>();
  const found = (check: CheckName, count: number) => counts.set(check, (counts.get(check) ?? 0) + count);
  const head = await readHead(session);
  const keys = await walkKeys(session, found);
  const log = await walkLog(session, found, head.settledSeq);
  compareWithHead(head, keys.state, log.unsettled, found);
  await checkLog(session, found, head);
  await checkReferences(session, found);
  const findings = [...counts].filter(([, count]) => count > 0).map(([check, count]) => ({ check, count }));
  const { stateDigest } = head;
  return { isSound: findings.length === 0, keyCount: keys.count, entryCount: log.count, stateDigest, findings };
}

type Found = (check: CheckName, count: number) => void;

interface VerifiedHead extends EntryTotals {
  readonly seq: number;
  readonly settledSeq: number;
  readonly stateDigest: string;
}

async function readHead(session: Session): Promise<VerifiedHead> {
  const [row] = await session.query('select * from optgate.head');
  if (row === undefined) throw new GateError('ledger.damaged', 'there is no head');
  const [digestHigh, digestLow] = [Number(row.digest_high), Number(row.digest_low)];
  return {
    seq: Number(row.seq),
    settledSeq: Number(row.settled_seq),
    digestHigh,
    digestLow,
    entryCount: Number(row.entry_count),
    kindMask: Number(row.kind_mask),
    givenKindMask: Number(row.given_kind_mask),
    stateDigest: [digestHigh, digestLow].map((half) => half.toString(16).padStart(8, '0')).join(''),
  };
}

/** Derives the rights of every key again, and sums up the state as it is now. */
async function walkKeys(
  session: Session,
  found: Found,
): Promise<{ readonly count: number; readonly state: EntryTotals }> {
  const state = noTotals();
  let count = 0;
  for (let after: string | null = null; ; ) {
    const rows: readonly Readonly<Record<string, unknown>>[] = await session.query(
      `select key, tag, rights, identity_rights | coalesce(
         (select bit_or(further.rights) from optgate.suppression_holder as further where further.key = held.key), 0::int2)
         as held_rights
       from optgate.suppression as held where $1::int8 is null or key > $1::int8 order by key limit ${KEYS_PER_PAGE}`,
      [after],
    );
    for (const row of rows) {
      const key = BigInt(String(row.key));
      const rights = Number(row.rights);
      if (rights !== Number(row.held_rights)) found('rights', 1);
      sumChange(state, highOfSqlKey(key), lowOfSqlKey(key), 0, rights);
      if (rights !== 0) state.kindMask |= 1 << Number(row.tag);
    }
    count += rows.length;
    if (rows.length < KEYS_PER_PAGE) return { count, state };
    after = String(rows.at(-1)?.key);
  }
}

/** Reads every entry, and sums up what those add that are not settled. */
async function walkLog(
  session: Session,
  found: Found,
  settledSeq: number,
): Promise<{ readonly count: number; readonly unsettled: EntryTotals }> {
  const unsettled = noTotals();
  let count = 0;
  for (let after = '0'; ; ) {
    const rows = await session.query(
      `select id, seq, changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask
       from optgate.change_log where id > $1::int8 order by id limit ${ENTRIES_PER_PAGE}`,
      [after],
    );
    for (const row of rows) {
      const stated: EntryTotals = {
        digestHigh: Number(row.digest_high) >>> 0,
        digestLow: Number(row.digest_low) >>> 0,
        entryCount: Number(row.entry_count),
        kindMask: Number(row.kind_mask),
        givenKindMask: Number(row.given_kind_mask),
      };
      const derived = totalsOf(row.changes as Uint8Array);
      if (derived === null) found('records', 1);
      else if (JSON.stringify(derived) !== JSON.stringify(stated)) found('records_digest', 1);
      if (row.seq === null || Number(row.seq) > settledSeq) addTotals(unsettled, stated);
    }
    count += rows.length;
    if (rows.length < ENTRIES_PER_PAGE) return { count, unsettled };
    after = String(rows.at(-1)?.id);
  }
}

/** What some records add; `null`: they are none. */
function totalsOf(records: Uint8Array): EntryTotals | null {
  try {
    const totals = noTotals();
    for (const { high, low, tag, rightsBefore, rights, isDerived } of readChanges(records)) {
      sumChange(totals, high, low, rightsBefore, rights);
      if (rights === 0) continue;
      totals.kindMask |= 1 << tag;
      if (!isDerived) totals.givenKindMask |= 1 << tag;
    }
    return totals;
  } catch (error) {
    if (error instanceof GateError) return null;
    throw error;
  }
}

/** The state now is the settled one and what was added since. */
function compareWithHead(head: VerifiedHead, state: EntryTotals, unsettled: EntryTotals, found: Found): void {
  const isSame = (now: number, settled: number, since: number) => now >>> 0 === (settled + since) >>> 0;
  const isDigest =
    isSame(state.digestHigh, head.digestHigh, unsettled.digestHigh) &&
    isSame(state.digestLow, head.digestLow, unsettled.digestLow);
  if (!isDigest) found('state_digest', 1);
  if (state.entryCount !== head.entryCount + unsettled.entryCount) found('entry_count', 1);
  const known = head.kindMask | unsettled.kindMask;
  if ((state.kindMask & ~known) !== 0 || (head.givenKindMask & ~head.kindMask) !== 0) found('kind_mask', 1);
}

async function checkLog(session: Session, found: Found, { seq, settledSeq }: VerifiedHead): Promise<void> {
  const [row] = await session.query(
    `select count(seq)::float8 as count, coalesce(min(seq), 1)::float8 as first, coalesce(max(seq), 0)::float8 as last
     from optgate.change_log`,
  );
  const [count, first, last] = [Number(row?.count), Number(row?.first), Number(row?.last)];
  found('log_gap', last + 1 - first - count + Math.abs(seq - last));
  const [parted] = await session.query(
    `select count(*)::float8 as count from optgate.change_log as entry
       left join optgate.change_log as ahead on ahead.id = entry.behind
     where entry.behind <> 0 and entry.seq <= $1::float8::int8 and (ahead.seq is null or ahead.seq > $1::float8::int8)`,
    [settledSeq],
  );
  found('settled', Number(parted?.count));
}

async function checkReferences(session: Session, found: Found): Promise<void> {
  const [keys] = await session.query(
    `select count(*)::float8 as count from optgate.suppression as held
     where not exists (select from optgate.change_log where id = held.last_entry)
       and last_entry >= (select coalesce(min(id), 0) from optgate.change_log)`,
  );
  found('last_entry', Number(keys?.count));
  const [requests] = await session.query(
    `select count(*)::float8 as count from optgate.request
     where status = 'complied' and last_entry is null and identifier_count > 0`,
  );
  found('requests', Number(requests?.count));
}

function noTotals(): EntryTotals {
  return { digestHigh: 0, digestLow: 0, entryCount: 0, kindMask: 0, givenKindMask: 0 };
}

function addTotals(sum: EntryTotals, entry: EntryTotals): void {
  sum.digestHigh = (sum.digestHigh + entry.digestHigh) >>> 0;
  sum.digestLow = (sum.digestLow + entry.digestLow) >>> 0;
  sum.entryCount += entry.entryCount;
  sum.kindMask |= entry.kindMask;
  sum.givenKindMask |= entry.givenKindMask;
}
