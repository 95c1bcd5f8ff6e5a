/**
 * Epochs: which history the seq counts, and when a new one begins.
 *
 * A seq means something only in the database that gave it out. After a restore or a failover the head may be older than
 * what followers have seen, and transaction ids begin elsewhere, so that rows without a seq may carry ids that will
 * not be reached for years. So the head keeps a fingerprint of where it was written; whoever becomes the sequencer
 * compares, and if it is another database now, begins a new epoch and gives every row its seq whatever its id says.
 * What a fingerprint cannot show is the copy of a whole disk put back in its place: rotate the epoch by hand then.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { type Actor, SYSTEM_ACTOR } from './audit/actor.js';
import { appendAudit } from './audit/append.js';
import type { Session, Transactor } from './database.js';
import { numberAll, settle } from './sequence-step.js';

/**
 * System identifier, timeline, database and the relation of the log: the first two change with a new server, a promoted
 * standby or recovery to a point in time, the others with a restored dump.
 */
const ORIGIN = `
select concat_ws('/',
  (select system_identifier from pg_control_system()),
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
  (select oid from pg_database where datname = current_database()),
  'optgate.change_log'::regclass::oid) as origin`;
/** For a role that may not ask the server for its identity. */
const ORIGIN_WITHOUT_SYSTEM = `
select concat_ws('/', '-', '-', (select oid from pg_database where datname = current_database()),
  'optgate.change_log'::regclass::oid) as origin`;

/** What a new sequencer found. */
export interface Takeover {
  readonly epoch: string;
  /** Another epoch than before: followers start again from a snapshot. */
  readonly isNewEpoch: boolean;
}

/** To be done by whoever becomes the sequencer, before its first step. */
export async function takeOver(database: Transactor, newEpoch: () => string = randomUUID): Promise<Takeover> {
  const origin = await originOf(database);
  const [head] = await database.query<{ origin: string | null; epoch: string }>(
    'select origin, epoch from optgate.head',
  );
  if (head !== undefined && head.origin === origin) return { epoch: head.epoch, isNewEpoch: false };
  return database.transaction((session) =>
    beginAt(session, { origin, newEpoch, isForced: false, actor: SYSTEM_ACTOR }),
  );
}

/**
 * Begins a new epoch: every follower takes a new snapshot. For a database that was put back to an earlier state in a way
 * it cannot know of. Returns the new epoch.
 */
export async function rotateEpoch(
  database: Transactor,
  newEpoch: () => string = randomUUID,
  actor: Actor = SYSTEM_ACTOR,
): Promise<string> {
  const origin = await originOf(database);
  const { epoch } = await database.transaction((session) =>
    beginAt(session, { origin, newEpoch, isForced: true, actor }),
  );
  return epoch;
}

interface Beginning {
  readonly origin: string;
  readonly newEpoch: () => string;
  readonly isForced: boolean;
  readonly actor: Actor;
}

/** Writers are locked out, and those at work waited for: then every row is visible, and all of them get their seq. */
async function beginAt(session: Session, { origin, newEpoch, isForced, actor }: Beginning): Promise<Takeover> {
  const [head] = await session.query<{
    origin: string | null;
    epoch: string;
    seq: string;
    settled_seq: string;
    at: string;
  }>('select origin, epoch, seq, settled_seq, clock_timestamp()::text as at from optgate.head for update');
  if (head === undefined) throw new Error('unreachable: a migrated ledger has a head');
  if (!isForced && head.origin === origin) return { epoch: head.epoch, isNewEpoch: false };
  await session.query('lock table optgate.change_log in exclusive mode'); // after the head, as a step does it
  const isNewEpoch = isForced || head.origin !== null; // a ledger that never had a sequencer has shown its seq to nobody
  const epoch = isNewEpoch ? newEpoch() : head.epoch;
  await session.query('update optgate.head set epoch = $1, origin = $2', [epoch, origin]);
  if (isNewEpoch) {
    const body = { after: Number(head.seq), before: head.epoch, isForced };
    await appendAudit(session, { actor }, { kind: 'epoch.rotated', subject: epoch, body });
  }
  const seq = Number(head.seq);
  const numbered = await numberAll(session, seq);
  await settle(session, { seq, settledSeq: Number(head.settled_seq), at: head.at, held: null }, numbered);
  return { epoch, isNewEpoch };
}

async function originOf(database: Transactor): Promise<string> {
  const rows = await database.query<{ origin: string }>(ORIGIN).catch((error: unknown) => {
    const isForbidden = (error as { sqlState?: string }).sqlState === '42501';
    if (!isForbidden) throw error;
    return database.query<{ origin: string }>(ORIGIN_WITHOUT_SYSTEM);
  });
  return rows[0]?.origin ?? '';
}
