/**
 * The order of entries that touch the same keys: what a writer has to leave in the log so that it can be cut.
 *
 * The log is ordered by (xid, id), and a transaction may take a key after one with a larger xid has committed it: then the
 * log holds the key's later version first. That does no harm to whoever remembers versions; but a snapshot remembers
 * none, so it must not be cut between the two. The sequencer knows where that would be, if every writer keeps to this:
 *
 *   - an entry names a key if, and only if, its transaction writes the key's row, and then sets `last_entry` there to its
 *     own id. So the entries that name a key form a chain, whose order is that of the locks on the row;
 *   - a key that does not change needs no naming, unless its last entry is still *ahead* (below): then it is named all
 *     the same, with `rightsBefore` = `rights`, so that the request is in force at its own seq whatever comes first;
 *   - `change_log.behind` is the last of the entries ahead that the named keys had as `last_entry`; 0 where there is none.
 *
 * Ahead is an entry that is committed, has no seq, and has a larger xid than ours: it will come later in the log than the
 * entry that is being written now, although it was there first.
 *
 * Proof. Let an entry w name a key and v be the one before it in that key's chain, and v come later in the log. When w's
 * transaction had the lock v was committed; v.xid > w.xid, for (xid, id) is the order of the log; and v had no seq, or
 * it would be before w. So v was ahead, and w.behind is v or an entry that comes even later. A cut after `s` at which
 * every entry up to `s` has its `behind` up to `s` as well therefore never parts the two, and by induction no two
 * entries of any chain.
 * @module
 */
import type { Session } from './database.js';

/**
 * Those of some entries that are ahead of the transaction's own, in the order of the log: the last one is `behind`, the
 * others tell which keys to name. To be asked in a statement of its own, after the rows of the keys have been locked: it
 * must see what was committed while they were waited for.
 * @param entryIds The `last_entry` of the locked rows.
 */
export async function entriesAhead(session: Session, entryIds: Iterable<bigint | string>): Promise<readonly string[]> {
  const ids = [...new Set(Array.from(entryIds, String))];
  if (ids.length === 0) return [];
  const rows = await session.query<{ id: string }>(
    `select id from optgate.change_log
     where id = any($1::int8[]) and seq is null and xid > pg_current_xact_id()
     order by xid, id`,
    [`{${ids.join(',')}}`],
  );
  return rows.map(({ id }) => id);
}
