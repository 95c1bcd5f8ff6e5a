/**
 * What the ledger knows of one identifier, in whichever dialect it is asked: the rights in force, and the requests behind
 * them (11 CCR 7025(c)(6), 7026(g)).
 * @module
 */
import { type Identifier, type Right, rightsOfMask } from '../core/vocabulary.js';
import { recordLookUp } from './audit/look-ups.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { identitiesOfPacked } from './digest-identities.js';
import { readOne } from './input.js';
import { int8Column, uuidColumn } from './packed-column.js';
import { unpackIdentifiers } from './packed-identifiers.js';
import type { DeadlineState } from './records/deadline.js';
import { requestDeadlines, TIMED_COLUMNS, timedRequestOf } from './records/request-deadline.js';
import { type Channel, type RequestNature, type RequestStatus, tokenOf } from './request.js';
import { packed } from './requests.js';

/** Requests that are listed, newest first; those that hold rights come before all others. */
export const STATUS_REQUESTS_MAX = 100;

/** A request, as far as it is shown. */
export interface RequestSummary {
  readonly requestId: string;
  readonly nature: RequestNature;
  readonly channel: Channel;
  readonly receivedAtMs: number;
  readonly status: RequestStatus;
  /** Rights are in force through it. */
  readonly isInForce: boolean;
  /** By when it must be in force everywhere, and whether it is; `null` for an opt-in. */
  readonly dueAtMs: number | null;
  readonly deadlineState: DeadlineState | null;
}

export interface IdentifierStatus {
  /** What is enforced for this identifier, through whichever record. */
  readonly rights: readonly Right[];
  /** When the oldest request that is in force was received; `null`: nothing is in force, or no request is behind it. */
  readonly sinceMs: number | null;
  readonly requests: readonly RequestSummary[];
  /** First day on which the person may be asked to opt in, `YYYY-MM-DD`; `null`: nothing is in force. */
  readonly noAskUntil: string | null;
  /**
   * Place of the newest entry about it: an enforcer that has reached it answers as said here. `null`: there is none, or it
   * has no place in the log yet.
   */
  readonly token: string | null;
}

interface Held {
  readonly rights: number;
  readonly requestRow: string | null;
  readonly lastEntry: string;
}

/** See Ledger.statusOf. */
export async function statusOf(context: LedgerContext, identifier: Identifier): Promise<IdentifierStatus> {
  const one = readOne(identifier, 'identifier', context.reader);
  await recordLookUp(context, one, 'status');
  const identities = [one.identity.toString('hex')];
  for (const stored of unpackIdentifiers(packed(one, context.mixer))) identities.push(...identitiesOfPacked(stored));
  const keys = context.mixer.keysOf({ words: one.keyWords, count: one.keyCount });
  return context.database.transaction(
    async (session) => {
      const held = await heldOn(session, keys);
      const rights = held.reduce((all, holder) => all | holder.rights, 0);
      const requests = await requestsOf(session, held, identities, context.now());
      const inForce = requests.filter(({ isInForce }) => isInForce);
      const asked = requests.filter(({ nature }) => nature !== 'opt_in').map(({ noAskUntil }) => noAskUntil ?? '');
      return {
        rights: rightsOfMask(rights),
        sinceMs: inForce.length === 0 ? null : Math.min(...inForce.map(({ receivedAtMs }) => receivedAtMs)),
        requests: requests.map(({ noAskUntil: _, lastEntry: __, ...summary }) => summary),
        noAskUntil: rights === 0 ? null : (asked.sort().at(-1) ?? null),
        token: await newestToken(session, [
          ...held.map(({ lastEntry }) => lastEntry),
          ...requests.flatMap(({ lastEntry }) => lastEntry ?? []),
        ]),
      };
    },
    { isSnapshot: true },
  );
}

/** Every holder on some keys. A holder in a key's row that has no rights any more still tells of the key's last entry. */
async function heldOn(session: Session, keys: readonly bigint[]): Promise<readonly Held[]> {
  const rows = await session.query(
    `select identity_rights as rights, request_id, last_entry from optgate.suppression where key = any($1::int8[])
     union all
     select further.rights, further.request_id, held.last_entry
     from optgate.suppression_holder as further join optgate.suppression as held using (key)
     where further.key = any($1::int8[])`,
    [int8Column(keys).bytes],
  );
  return rows.map((row) => ({
    rights: Number(row.rights),
    requestRow: row.request_id === null ? null : String(row.request_id),
    lastEntry: String(row.last_entry),
  }));
}

type ListedRequest = RequestSummary & { readonly noAskUntil: string | null; readonly lastEntry: string | null };

async function requestsOf(
  session: Session,
  held: readonly Held[],
  identities: readonly string[],
  nowMs: number,
): Promise<readonly ListedRequest[]> {
  const inForce = new Set(held.flatMap(({ rights, requestRow }) => (rights === 0 ? [] : (requestRow ?? []))));
  const rows = await session.query(
    `select public_id, no_ask_until, last_entry, id = any($1::int8[]) as is_in_force, ${TIMED_COLUMNS}
     from optgate.request as request
     where id = any($1::int8[])
       or id in (select request_id from optgate.request_identifier where identity = any($2::uuid[]))
     order by is_in_force desc, received_at desc, id desc limit ${STATUS_REQUESTS_MAX}`,
    [int8Column(Array.from(inForce, BigInt)).bytes, uuidColumn(Buffer.from(identities.join(''), 'hex')).bytes],
  );
  const deadlines = await requestDeadlines(session, rows.map(timedRequestOf), nowMs);
  return rows.map((row, index) => ({
    requestId: String(row.public_id),
    nature: row.nature as RequestNature,
    channel: row.channel as Channel,
    receivedAtMs: Number(row.received_at_ms),
    status: row.status as RequestStatus,
    isInForce: row.is_in_force === true,
    dueAtMs: deadlines[index]?.dueAtMs ?? null,
    deadlineState: deadlines[index]?.deadlineState ?? null,
    noAskUntil: row.no_ask_until === null ? null : String(row.no_ask_until),
    lastEntry: row.last_entry === null ? null : String(row.last_entry),
  }));
}

/** The token of the last of some entries; of those that the log no longer has the settled seq is later. */
async function newestToken(session: Session, entryIds: readonly string[]): Promise<string | null> {
  if (entryIds.length === 0) return null;
  const [row] = await session.query(
    `select epoch, greatest(max(entry.seq), case when count(entry.id) < $2 then settled_seq end)::float8 as seq,
       count(entry.id) filter (where entry.seq is null) as unplaced
     from optgate.head left join optgate.change_log as entry on entry.id = any($1::int8[]) group by epoch, settled_seq`,
    [int8Column([...new Set(entryIds)].map(BigInt)).bytes, new Set(entryIds).size],
  );
  if (row === undefined || Number(row.unplaced) > 0) return null;
  return tokenOf(String(row.epoch), Number(row.seq));
}
