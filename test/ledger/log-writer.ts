/**
 * A writer to the change log in plain SQL that keeps to its rules (src/ledger/order.ts), and lets tests stop in between.
 * @module
 */
import { type Change, digestWord, writeChanges } from '../../src/core/suppression/index.js';
import { type Session, SqlError } from '../../src/ledger/database.js';
import { entriesAhead } from '../../src/ledger/order.js';

/** The n-th test key. */
export function testKey(n: number): { readonly high: number; readonly low: number } {
  return { high: Math.imul(n + 1, 0x9e3779b1) | 1, low: Math.imul(n + 1, 0x85ebca6b) | 1 };
}

const sqlKeyOf = ({ high, low }: { high: number; low: number }): bigint =>
  BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));

export interface Write {
  readonly key: number;
  /** What the key shall have. */
  readonly rights: number;
}

const TAG = 3;

interface HeldRow {
  readonly key: string;
  readonly version: string;
  readonly rights: number;
  readonly last_entry: string;
}

/**
 * Gives keys their rights, in the transaction that `session` is in: locks, versions, rows, log. Returns the changes
 * that were made and the id of the entry.
 */
export async function writeEntry(
  session: Session,
  writes: readonly Write[],
): Promise<{ readonly entryId: string; readonly changes: readonly Change[] }> {
  const byKey = new Map(writes.map((write) => [sqlKeyOf(testKey(write.key)), write]));
  const keys = [...byKey.keys()].sort((a, b) => (a < b ? -1 : 1));
  const held = new Map<bigint, HeldRow>();
  const rows = await session.query<HeldRow>(
    'select key, version, rights, last_entry from optgate.suppression where key = any($1::int8[]) order by suppression.key for update',
    [`{${keys.join(',')}}`],
  );
  for (const row of rows) held.set(BigInt(row.key), row);
  const [next] = await session.query<{ id: string }>(`select nextval('optgate.change_log_id_seq') as id`);
  const entryId = String(next?.id);
  const ahead = await entriesAhead(
    session,
    rows.map((row) => row.last_entry),
  );
  const changes: Change[] = [];
  for (const key of keys) {
    const row = held.get(key);
    const rights = byKey.get(key)?.rights ?? 0;
    const rightsBefore = row?.rights ?? 0;
    const isSame = rights === rightsBefore;
    if (isSame && (row === undefined || !ahead.includes(row.last_entry))) continue;
    const version = Number(row?.version ?? 0) + (isSame ? 0 : 1);
    changes.push({ ...testKey(byKey.get(key)?.key ?? 0), version, tag: TAG, rightsBefore, rights, isDerived: false });
    const written = await session.query(
      `insert into optgate.suppression as held
         (key, version, last_entry, identity, rights, identity_rights, tag, derived)
       values ($1::int8, $2::int8, $3::int8, '00000000-0000-0000-0000-000000000000', $4, $4, ${TAG}, false)
       on conflict (key) do update set version = $2::int8, last_entry = $3::int8, rights = $4,
         identity_rights = $4 where held.version = $5::int8 returning 1`,
      [key, version, entryId, rights, row?.version ?? 0],
    );
    if (written.length === 0) throw new SqlError('40001', null, 'another transaction inserted the key meanwhile');
  }
  await appendEntry(session, entryId, changes, ahead.at(-1) ?? '0');
  return { entryId, changes };
}

/** Appends to the log what an entry did. */
export async function appendEntry(
  session: Session,
  entryId: string,
  changes: readonly Change[],
  behind: string,
): Promise<void> {
  let [digestHigh, digestLow, entryCount] = [0, 0, 0];
  for (const { high, low, rights, rightsBefore } of changes) {
    digestHigh = (digestHigh + digestWord(high, rights) - digestWord(high, rightsBefore)) | 0;
    digestLow = (digestLow + digestWord(low, rights) - digestWord(low, rightsBefore)) | 0;
    entryCount += Math.sign(rights) - Math.sign(rightsBefore);
  }
  await session.query(
    `insert into optgate.change_log
       (id, changes, digest_high, digest_low, entry_count, kind_mask, given_kind_mask, behind)
     values ($1::int8, $2, $3::int8, $4::int8, $5::int4, $6::int4, $6::int4, $7::int8)`,
    [entryId, writeChanges(changes), digestHigh, digestLow, entryCount, changes.length > 0 ? 1 << TAG : 0, behind],
  );
}

/** Every key's rights as the table of keys has them, by the names that test/reference/change-log.ts gives to keys. */
export async function committedState(session: Session): Promise<Map<string, number>> {
  const rows = await session.query<{ key: string; rights: number }>(
    'select key, rights from optgate.suppression where rights <> 0',
  );
  return new Map(
    rows.map(({ key, rights }) => {
      const mixed = BigInt.asUintN(64, BigInt(key));
      return [`${mixed >> 32n}/${mixed & 0xffffffffn}`, rights];
    }),
  );
}
