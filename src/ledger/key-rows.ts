/**
 * The rows of keys: locked in the order of the keys, read, and written as planned.
 *
 * What must stay true: whoever computes rights or a version of a key holds the lock on its row; rows are locked and
 * inserted in ascending order of the keys, so that writers wait for each other in one direction only; and a row that is
 * written names the entry as its last one (order.ts).
 * @module
 */
import type { HeldKey, Holder, KeyUpdate } from './changes.js';
import { type Row, type Session, SqlError } from './database.js';
import { IDENTITY_BYTES } from './identity.js';
import type { KeyBatch } from './keys.js';
import { boolColumn, int2Column, int8Column, type PackedColumn, uuidColumn } from './packed-column.js';

export const UNIQUE_VIOLATION = '23505';

/** What rows are written for. */
export interface EntryOrigin {
  /** The row of the change log. */
  readonly entryId: string;
  /** The request; `null` for a canary. */
  readonly requestRow: string | null;
}

/** What rows of a request are written for. */
export interface RequestOrigin extends EntryOrigin {
  readonly requestRow: string;
}

/** Locks the rows there are of some keys, in ascending order, and reads them. */
export async function lockKeys(session: Session, keys: readonly bigint[]): Promise<readonly HeldKey[]> {
  const rows = await session.query(
    `select key, tag, version, rights, last_entry, identity, identity_rights, derived
     from optgate.suppression where key = any($1::int8[]) order by suppression.key for update`,
    [int8Column(keys).bytes],
  );
  return rows.map(heldKeyOf);
}

function heldKeyOf(row: Row): HeldKey {
  return {
    key: BigInt(String(row.key)),
    tag: Number(row.tag),
    version: Number(row.version),
    rights: Number(row.rights),
    lastEntry: String(row.last_entry),
    identity: String(row.identity).replaceAll('-', ''),
    identityRights: Number(row.identity_rights),
    isDerived: row.derived === true,
  };
}

/** The further holders of some keys, whose rows are locked. */
export async function readHolders(session: Session, keys: readonly bigint[]): Promise<readonly Holder[]> {
  const rows = await session.query(
    'select key, identity, rights from optgate.suppression_holder where key = any($1::int8[])',
    [int8Column(keys).bytes],
  );
  return rows.map((row) => ({
    key: BigInt(String(row.key)),
    identity: String(row.identity).replaceAll('-', ''),
    rights: Number(row.rights),
  }));
}

/** Another transaction has inserted a key since we looked: what was planned is void, and this transaction as well. */
export class KeyRace extends Error {}

/**
 * Inserts the rows of keys that had none. Throws a {@link KeyRace} if another transaction has inserted one of them since.
 * What is the same in every row is said once, and a conflict is an error rather than a case to look for: 4,096 rows take
 * PGlite 14 ms like this, and 25 ms as whole columns with `on conflict do nothing`.
 */
export async function insertKeys(
  session: Session,
  batch: KeyBatch,
  indexes: readonly number[],
  { entryId, requestRow }: EntryOrigin,
): Promise<void> {
  if (indexes.length === 0) return;
  const identities = Buffer.allocUnsafe(indexes.length * IDENTITY_BYTES);
  for (const [at, index] of indexes.entries()) {
    identities.set(batch.identityOf(batch.owner[index] ?? 0), at * IDENTITY_BYTES);
  }
  try {
    await session.query(
      `insert into optgate.suppression
         (key, version, last_entry, request_id, identity, rights, identity_rights, tag, derived)
       select key, 1, $1::int8, $2::int8, identity, rights, identity_rights, tag, derived
       from unnest($3::int8[], $4::uuid[], $5::int2[], $6::int2[], $7::int2[], $8::bool[])
         as new (key, identity, rights, identity_rights, tag, derived)`,
      [
        entryId,
        requestRow,
        int8Column(indexes.map((index) => batch.sqlKey(index))).bytes,
        uuidColumn(identities).bytes,
        int2Column(indexes.map((index) => batch.rights[index] ?? 0)).bytes,
        int2Column(indexes.map((index) => batch.ownerRights[index] ?? 0)).bytes,
        int2Column(indexes.map((index) => batch.tag[index] ?? 0)).bytes,
        boolColumn(indexes.map((index) => batch.derived[index] ?? 0)).bytes,
      ],
    );
  } catch (error) {
    if (error instanceof SqlError && error.sqlState === UNIQUE_VIOLATION) {
      throw new KeyRace('a key was inserted meanwhile', { cause: error });
    }
    throw error;
  }
}

/** Writes locked rows as planned. */
export async function updateKeys(
  session: Session,
  updates: readonly KeyUpdate[],
  { entryId, requestRow }: EntryOrigin,
): Promise<void> {
  if (updates.length === 0) return;
  await session.query(
    `update optgate.suppression as held set
       version = new.version, rights = new.rights, identity = new.identity,
       identity_rights = new.identity_rights, derived = new.derived, last_entry = $1::int8,
       request_id = case when new.is_holder_new then $2::int8 else held.request_id end
     from unnest($3::int8[], $4::int8[], $5::int2[], $6::uuid[], $7::int2[], $8::bool[], $9::bool[])
       as new (key, version, rights, identity, identity_rights, derived, is_holder_new)
     where held.key = new.key`,
    [
      entryId,
      requestRow,
      int8Column(updates.map(({ key }) => key)).bytes,
      int8Column(updates.map(({ version }) => BigInt(version))).bytes,
      int2Column(updates.map(({ rights }) => rights)).bytes,
      identityColumn(updates).bytes,
      int2Column(updates.map(({ identityRights }) => identityRights)).bytes,
      boolColumn(updates.map(({ isDerived }) => isDerived)).bytes,
      boolColumn(updates.map(({ isHolderNew }) => isHolderNew)).bytes,
    ],
  );
}

/** Adds rights to what further holders have. */
export async function addHolders(
  session: Session,
  holders: readonly Holder[],
  { requestRow }: EntryOrigin,
): Promise<void> {
  if (holders.length === 0) return;
  await session.query(
    `insert into optgate.suppression_holder as held (key, identity, rights, request_id)
     select key, identity, rights, $1::int8 from unnest($2::int8[], $3::uuid[], $4::int2[]) as new (key, identity, rights)
     on conflict (key, identity) do update
       set rights = held.rights | excluded.rights, request_id = excluded.request_id
       where held.rights | excluded.rights <> held.rights`,
    [requestRow, ...holderArrays(holders)],
  );
}

/** Leaves further holders with these rights; those without any go. */
export async function setHolders(session: Session, holders: readonly Holder[]): Promise<void> {
  const left = holders.filter(({ rights }) => rights !== 0);
  const gone = holders.filter(({ rights }) => rights === 0);
  if (left.length > 0) {
    await session.query(
      `update optgate.suppression_holder as held set rights = new.rights
       from unnest($1::int8[], $2::uuid[], $3::int2[]) as new (key, identity, rights)
       where held.key = new.key and held.identity = new.identity`,
      holderArrays(left),
    );
  }
  if (gone.length > 0) {
    await session.query(
      `delete from optgate.suppression_holder as held
       using unnest($1::int8[], $2::uuid[], $3::int2[]) as gone (key, identity, rights)
       where held.key = gone.key and held.identity = gone.identity`,
      holderArrays(gone),
    );
  }
}

function holderArrays(holders: readonly Holder[]): readonly Buffer[] {
  return [
    int8Column(holders.map(({ key }) => key)).bytes,
    identityColumn(holders).bytes,
    int2Column(holders.map(({ rights }) => rights)).bytes,
  ];
}

function identityColumn(rows: readonly { readonly identity: string }[]): PackedColumn {
  return uuidColumn(Buffer.from(rows.map(({ identity }) => identity).join(''), 'hex'));
}
