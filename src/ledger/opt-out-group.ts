/**
 * Several opt-outs in one transaction, by statements of many rows: each has its request, its entries in log and trail, and
 * its event, as if it had been written alone (entry.ts is the plain way to do it).
 *
 * What must stay true: no two of them share a key, so that each can be planned from the locked rows alone; rows of keys
 * are locked, and then inserted, in ascending order over all of them.
 * @module
 */
import { type HeldKey, type Holder, type KeyUpdate, type OptOutPlan, planOptOut } from './changes.js';
import type { LedgerContext } from './context.js';
import { type Session, SqlError } from './database.js';
import { lastEntriesOf } from './entry.js';
import { KeyRace, lockKeys, type RequestOrigin, UNIQUE_VIOLATION } from './key-rows.js';
import type { KeyBatch } from './keys.js';
import { entriesAhead } from './order.js';
import { boolColumn, byteaColumn, int2Column, int4Column, int8Column, uuidColumn } from './packed-column.js';
import { insertRequests, type RequestToInsert } from './request-rows.js';
import { tellOptOuts } from './webhooks/events.js';

/** An opt-out that was read, with everything that is written of it. */
export interface NewOptOut extends RequestToInsert {
  readonly keys: KeyBatch;
}

/** Something that is written for one opt-out. */
type Of<T> = T & { readonly origin: RequestOrigin };
type Planned = Of<OptOutPlan> & { readonly keys: KeyBatch; readonly behind: string | null };

/** Writes opt-outs that share no key. In the order given, `null` for each that was recorded before. Within keyTransaction. */
export async function writeOptOuts(
  session: Session,
  context: LedgerContext,
  optOuts: readonly NewOptOut[],
): Promise<readonly (RequestOrigin | null)[]> {
  const origins = await insertRequests(session, context, optOuts);
  const written = optOuts.flatMap(({ keys }, index) => {
    const origin = origins[index] ?? null;
    return origin === null ? [] : [{ keys, origin }];
  });
  if (written.length === 0) return origins;
  const plans = await planAll(session, written);
  await insertKeys(session, plans);
  await updateKeys(
    session,
    plans.flatMap(({ updates, origin }) => updates.map((update) => ({ ...update, origin }))),
  );
  await addHolders(
    session,
    plans.flatMap(({ holders, origin }) => holders.map((holder) => ({ ...holder, origin }))),
  );
  await writeEntries(session, plans);
  await tellOptOuts(session, requestRows(plans));
  return origins;
}

async function planAll(
  session: Session,
  written: readonly Of<{ readonly keys: KeyBatch }>[],
): Promise<readonly Planned[]> {
  const held = new Map<bigint, HeldKey>();
  const locked = await lockKeys(
    session,
    written.flatMap(({ keys }) => keys.sqlKeys()),
  );
  for (const row of locked) held.set(row.key, row);
  const inOrder = await entriesAhead(session, lastEntriesOf(locked));
  const ahead = new Set(inOrder);
  return written.map(({ keys, origin }) => {
    const own = new Set(ahead.size === 0 ? [] : keys.sqlKeys().map((key) => held.get(key)?.lastEntry));
    const behind = inOrder.findLast((entry) => own.has(entry)) ?? null;
    return { ...planOptOut(keys, held, ahead), keys, origin, behind };
  });
}

async function insertKeys(session: Session, plans: readonly Planned[]): Promise<void> {
  const rows = plans.flatMap(({ keys, inserts, origin }) =>
    inserts.map((index) => ({ key: keys.sqlKey(index), keys, index, origin })),
  );
  if (rows.length === 0) return;
  rows.sort((a, b) => (a.key < b.key ? -1 : 1)); // no two are equal
  try {
    await session.query(
      `insert into optgate.suppression
         (key, version, last_entry, request_id, identity, rights, identity_rights, tag, derived)
       select key, 1, last_entry, request_id, identity, rights, identity_rights, tag, derived
       from unnest($1::int8[], $2::int8[], $3::int8[], $4::uuid[], $5::int2[], $6::int2[], $7::int2[], $8::bool[])
         as new (key, last_entry, request_id, identity, rights, identity_rights, tag, derived)`,
      [
        int8Column(rows.map(({ key }) => key)),
        entryIds(rows),
        requestRowColumn(rows),
        uuidColumn(Buffer.concat(rows.map(({ keys, index }) => keys.identityOf(keys.owner[index] ?? 0)))),
        int2Column(rows.map(({ keys, index }) => keys.rights[index] ?? 0)),
        int2Column(rows.map(({ keys, index }) => keys.ownerRights[index] ?? 0)),
        int2Column(rows.map(({ keys, index }) => keys.tag[index] ?? 0)),
        boolColumn(rows.map(({ keys, index }) => keys.derived[index] ?? 0)),
      ].map(({ bytes }) => bytes),
    );
  } catch (error) {
    if (!(error instanceof SqlError) || error.sqlState !== UNIQUE_VIOLATION) throw error;
    throw new KeyRace('a key was inserted meanwhile', { cause: error });
  }
}

async function updateKeys(session: Session, updates: readonly Of<KeyUpdate>[]): Promise<void> {
  if (updates.length === 0) return;
  await session.query(
    `update optgate.suppression as held set
       version = new.version, rights = new.rights, identity = new.identity,
       identity_rights = new.identity_rights, derived = new.derived, last_entry = new.last_entry,
       request_id = case when new.is_holder_new then new.request_id else held.request_id end
     from unnest($1::int8[], $2::int8[], $3::int2[], $4::uuid[], $5::int2[], $6::bool[], $7::bool[], $8::int8[], $9::int8[])
       as new (key, version, rights, identity, identity_rights, derived, is_holder_new, last_entry, request_id)
     where held.key = new.key`,
    [
      int8Column(updates.map(({ key }) => key)),
      int8Column(updates.map(({ version }) => BigInt(version))),
      int2Column(updates.map(({ rights }) => rights)),
      identityColumn(updates),
      int2Column(updates.map(({ identityRights }) => identityRights)),
      boolColumn(updates.map(({ isDerived }) => isDerived)),
      boolColumn(updates.map(({ isHolderNew }) => isHolderNew)),
      entryIds(updates),
      requestRowColumn(updates),
    ].map(({ bytes }) => bytes),
  );
}

async function addHolders(session: Session, holders: readonly Of<Holder>[]): Promise<void> {
  if (holders.length === 0) return;
  await session.query(
    `insert into optgate.suppression_holder as held (key, identity, rights, request_id)
     select key, identity, rights, request_id
     from unnest($1::int8[], $2::uuid[], $3::int2[], $4::int8[]) as new (key, identity, rights, request_id)
     on conflict (key, identity) do update
       set rights = held.rights | excluded.rights, request_id = excluded.request_id
       where held.rights | excluded.rights <> held.rights`,
    [
      int8Column(holders.map(({ key }) => key)),
      identityColumn(holders),
      int2Column(holders.map(({ rights }) => rights)),
      requestRowColumn(holders),
    ].map(({ bytes }) => bytes),
  );
}

async function writeEntries(session: Session, plans: readonly Planned[]): Promise<void> {
  await session.query(
    `insert into optgate.change_log
       (id, request_id, changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask, behind)
     select * from unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[], $5::int8[], $6::int4[], $7::int4[], $8::int4[],
       $9::int8[])`,
    [
      entryIds(plans),
      requestRowColumn(plans),
      byteaColumn(plans.map(({ records }) => records)),
      int8Column(plans.map(({ totals }) => BigInt(totals.digestHigh))),
      int8Column(plans.map(({ totals }) => BigInt(totals.digestLow))),
      int4Column(plans.map(({ totals }) => totals.entryCount)),
      int4Column(plans.map(({ totals }) => totals.kindMask)),
      int4Column(plans.map(({ totals }) => totals.givenKindMask)),
      int8Column(plans.map(({ behind }) => BigInt(behind ?? 0))),
    ].map(({ bytes }) => bytes),
  );
}

function entryIds(rows: readonly Of<object>[]) {
  return int8Column(rows.map(({ origin }) => BigInt(origin.entryId)));
}

function requestRows(rows: readonly Of<object>[]): readonly string[] {
  return rows.map(({ origin }) => origin.requestRow);
}

function requestRowColumn(rows: readonly Of<object>[]) {
  return int8Column(requestRows(rows).map(BigInt));
}

function identityColumn(rows: readonly { readonly identity: string }[]) {
  return uuidColumn(Buffer.from(rows.map(({ identity }) => identity).join(''), 'hex'));
}
