/**
 * Writing one entry: what it changes on its keys and the row of the change log, in the caller's transaction.
 * @module
 */
import { type EntryTotals, type HeldKey, planOptOut } from './changes.js';
import type { Database, Session, TransactionOptions } from './database.js';
import { addHolders, type EntryOrigin, insertKeys, KeyRace, lockKeys, updateKeys } from './key-rows.js';
import type { KeyBatch } from './keys.js';
import { entriesAhead } from './order.js';

/** How often a transaction is begun again because another one inserted the same keys. */
const RACES_MAX = 10;

/** SQL for the id of the entry that is going to be written; known before its row is, as the rows of keys name it. */
export const NEXT_ENTRY_ID = `nextval(pg_get_serial_sequence('optgate.change_log', 'id'))`;

/** A transaction that is begun again, as a whole, when another one inserts the same keys at the same time. */
export async function keyTransaction<T>(
  database: Database,
  work: (session: Session) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  for (let race = 1; ; race++) {
    try {
      return await database.transaction(work, options);
    } catch (error) {
      if (!(error instanceof KeyRace) || race === RACES_MAX) throw error;
    }
  }
}

/** Adds the rights of a sorted batch to its keys, and writes the entry. Within {@link keyTransaction}. */
export async function writeOptOutEntry(session: Session, batch: KeyBatch, origin: EntryOrigin): Promise<void> {
  const held = new Map<bigint, HeldKey>();
  for (const row of await lockKeys(session, batch.sqlKeys())) held.set(row.key, row);
  const ahead = await entriesAhead(session, lastEntriesOf(held.values()));
  const plan = planOptOut(batch, held, new Set(ahead));
  await insertKeys(session, batch, plan.inserts, origin);
  await updateKeys(session, plan.updates, origin);
  await addHolders(session, plan.holders, origin);
  await writeEntry(session, { isCanary: false, ...origin, ...plan, behind: ahead.at(-1) ?? null });
}

/** What to ask {@link entriesAhead} about. */
export function* lastEntriesOf(held: Iterable<HeldKey>): Generator<string> {
  for (const { lastEntry } of held) yield lastEntry;
}

/** A row of the change log that has no place yet. */
export interface NewEntry extends EntryOrigin {
  readonly isCanary: boolean;
  readonly records: Uint8Array;
  readonly totals: EntryTotals;
  /** The last of the entries ahead whose keys it names; `null`: none. */
  readonly behind: string | null;
}

/** Appends to the change log. */
export async function writeEntry(
  session: Session,
  { entryId, requestRow, isCanary, records, totals, behind }: NewEntry,
): Promise<void> {
  await session.query(
    `insert into optgate.change_log
       (id, request_id, is_canary, changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask,
       behind)
     values ($1::int8, $2::int8, $3, $4, $5::int8, $6::int8, $7, $8, $9, $10::int8)`,
    [
      entryId,
      requestRow,
      isCanary,
      records,
      totals.digestHigh,
      totals.digestLow,
      totals.entryCount,
      totals.kindMask,
      totals.givenKindMask,
      behind ?? 0,
    ],
  );
}
