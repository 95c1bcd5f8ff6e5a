/**
 * Denying a request on a documented basis, such as a good-faith belief that it is fraudulent (11 CCR 7026(e)).
 *
 * An opt-out is in force as soon as it is recorded, so denying one takes rights back, and only those that it alone gave: what
 * the same identifiers asked for in another request stays, and so does what anybody else holds, also on a shared key. Where
 * a list names an identifier, nothing of it is taken: which rights a row asked for is not kept. In doubt a person stays opted out.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { ENTRY_CHANGES_MAX } from '../../core/suppression/index.js';
import { RIGHTS_ALL, type Right, rightsOfMask } from '../../core/vocabulary.js';
import { appendAudit } from '../audit/append.js';
import { planWithdrawal } from '../changes.js';
import type { LedgerContext } from '../context.js';
import type { Session } from '../database.js';
import { keyTransaction, lastEntriesOf, NEXT_ENTRY_ID, writeEntry } from '../entry.js';
import { readFields, readText } from '../input.js';
import { lockKeys, readHolders, setHolders, updateKeys } from '../key-rows.js';
import { OPERATOR_LENGTH_MAX } from '../limits.js';
import { entriesAhead } from '../order.js';
import { int8Column, uuidColumn } from '../packed-column.js';
import { keysOfPacked, unpackIdentifiers } from '../packed-identifiers.js';
import { type RequestRow, requestById, tokenOfEntry } from '../requests.js';
import { tellDenial } from '../webhooks/events.js';

/** Longest basis of a denial, in characters. */
export const DENIAL_BASIS_LENGTH_MAX = 2000;

export interface DenialInput {
  readonly requestId: string;
  /** Why, for the record: 1 to 2,000 characters. Without anything that names the consumer. */
  readonly basis: string;
  /** Who denies it. Default: the name of the actor. */
  readonly operator?: string | undefined;
}

export interface Denial {
  readonly requestId: string;
  readonly deniedAtMs: number;
  readonly basis: string;
  readonly deniedBy: string | null;
  /** Place in the log from which on it is no longer in force; `null`: none yet, or it never was. */
  readonly token: string | null;
  /** Rights its identifiers are still opted out of, through other requests. */
  readonly remaining: readonly Right[];
  /** True: it was denied before, and nothing was changed. */
  readonly isRepeat: boolean;
}

/** See LedgerRecords.deny. */
export async function denyRequest(context: LedgerContext, input: DenialInput): Promise<Denial> {
  const fields = readFields(input, ['requestId', 'basis', 'operator']);
  const basis = readText(fields.basis, 'basis', DENIAL_BASIS_LENGTH_MAX);
  if (basis === null) throw new InputError('basis', 'required', 'expected why it is denied');
  const operator = readText(fields.operator, 'operator', OPERATOR_LENGTH_MAX) ?? context.actor.name;
  const done = await keyTransaction(context.database, async (session) => {
    const request = await requestById(session, fields.requestId, { isLocked: true });
    if (request.status === 'denied') return { request, remaining: 0, lastEntry: request.lastEntry, isRepeat: true };
    refuseOther(request);
    const took = request.nature === 'opt_out' ? await withdraw(session, context, request) : NOTHING;
    await session.query(
      `update optgate.request set status = 'denied', response = 'denied', responded_at = clock_timestamp(),
         denial_basis = $2, denied_by = $3, last_entry = coalesce($4::int8, last_entry) where id = $1::int8`,
      [request.row, basis, operator, took.lastEntry],
    );
    const remaining = rightsOfMask(took.remaining);
    if (request.nature === 'opt_out') await tellDenial(session, request.row, remaining);
    // the basis is in the record: it is free text, which the trail and consumers must not hold
    const body = { remaining, rights: rightsOfMask(request.rights) };
    await appendAudit(session, context, { kind: 'request.denied', subject: request.requestId, body });
    return { request, ...took, isRepeat: false };
  });
  context.wake();
  return answerOf(context, done);
}

const NOTHING = { remaining: 0, lastEntry: null } as const;

interface Done {
  readonly request: RequestRow;
  readonly remaining: number;
  readonly lastEntry: string | null;
  readonly isRepeat: boolean;
}

async function answerOf(context: LedgerContext, { request, remaining, lastEntry, isRepeat }: Done): Promise<Denial> {
  const [row] = await context.database.query(
    `select denial_basis, denied_by, round(extract(epoch from responded_at) * 1000)::float8 as denied_at_ms
     from optgate.request where id = $1::int8`,
    [request.row],
  );
  return {
    requestId: request.requestId,
    deniedAtMs: Number(row?.denied_at_ms),
    basis: String(row?.denial_basis),
    deniedBy: row?.denied_by == null ? null : String(row.denied_by),
    token: await tokenOfEntry(context, lastEntry, context.tokenWaitMs),
    remaining: rightsOfMask(remaining),
    isRepeat,
  };
}

/** A list is many people's requests, and what was confirmed cannot be denied any more. Throws an InputError. */
function refuseOther({ nature, status, contentDigest }: RequestRow): void {
  // without its digests nobody can say which keys are meant
  if (contentDigest.length === 0) throw new InputError('requestId', 'unknown', 'this request was erased');
  if (nature === 'opt_out' || (nature === 'opt_in' && status === 'pending')) return;
  throw new InputError('requestId', 'unknown', 'expected the id of an opt-out, or of an opt-in that is not confirmed');
}

/** Takes back what only this request gave, and writes the entries of that. */
async function withdraw(
  session: Session,
  context: LedgerContext,
  { row, rights }: RequestRow,
): Promise<{ readonly remaining: number; readonly lastEntry: string }> {
  const { keys, identities } = await whatItNames(session, context, row);
  // locked before it is asked: an opt-out that is still under way comes after this, and puts its rights in force again
  const locked = await lockKeys(session, keys);
  const others = await otherRequests(session, row, identities);
  const taken = (identity: string) => (identities.has(identity) ? rights & ~(others.get(identity)?.rights ?? 0) : 0);
  let remaining = 0;
  let lastEntry = '';
  for (let from = 0; from === 0 || from < locked.length; from += ENTRY_CHANGES_MAX) {
    const held = locked.slice(from, from + ENTRY_CHANGES_MAX);
    const further = await readHolders(
      session,
      held.map(({ key }) => key),
    );
    const ahead = await entriesAhead(session, lastEntriesOf(held));
    const plan = planWithdrawal(held, further, taken, new Set(ahead));
    remaining |= plan.remaining;
    const [next] = await session.query(`select ${NEXT_ENTRY_ID}::text as id`);
    lastEntry = String(next?.id);
    const origin = { entryId: lastEntry, requestRow: row };
    await updateKeys(session, plan.updates, origin);
    await setHolders(session, plan.holders);
    await writeEntry(session, { ...origin, ...plan, isCanary: false, behind: ahead.at(-1) ?? null });
  }
  await nameOthers(session, row, keys, others);
  return { remaining, lastEntry };
}

async function whatItNames(
  session: Session,
  { mixer }: LedgerContext,
  requestRow: string,
): Promise<{ readonly keys: readonly bigint[]; readonly identities: ReadonlySet<string> }> {
  const rows = await session.query(
    'select identity::text, digests from optgate.request_identifier where request_id = $1::int8',
    [requestRow],
  );
  const identities = new Set(rows.map(({ identity }) => String(identity).replaceAll('-', '')));
  const keys = new Set<bigint>();
  for (const { digests } of rows) {
    for (const packed of unpackIdentifiers(digests as Uint8Array)) {
      for (const key of keysOfPacked(packed, mixer)) keys.add(key);
    }
  }
  return { keys: [...keys].sort((one, other) => (one < other ? -1 : 1)), identities };
}

/** What other requests give one identity, and the last of them that gives anything. */
interface OtherRequests {
  rights: number;
  requestRow: string | null;
}

/** Told again in the order they came in: opt-outs add, opt-ins that were confirmed take away. */
async function otherRequests(
  session: Session,
  requestRow: string,
  identities: ReadonlySet<string>,
): Promise<ReadonlyMap<string, OtherRequests>> {
  const packed = uuidColumn(Buffer.from([...identities].join(''), 'hex')).bytes;
  const rows = await session.query(
    `select one.identity::text, request.id::text as id, request.nature, request.rights
     from optgate.request_identifier as one join optgate.request on request.id = one.request_id
     where one.identity = any($2::uuid[]) and request.id <> $1::int8 and request.status in ('complied', 'in_progress')
     union all
     select named.identity::text, part.request_id::text, 'import', ${RIGHTS_ALL}
     from optgate.import_part as part cross join unnest($2::uuid[]) as named (identity)
     where position(uuid_send(named.identity) in part.identities) > 0`,
    [requestRow, packed],
  );
  const found = new Map<string, OtherRequests>();
  for (const { identity, id, nature, rights } of rows.toSorted((a, b) => Number(a.id) - Number(b.id))) {
    const hex = String(identity).replaceAll('-', '');
    const one = found.get(hex) ?? { rights: 0, requestRow: null };
    found.set(hex, one);
    if (nature === 'opt_in') one.rights &= ~Number(rights);
    else {
      one.rights |= nature === 'import' ? RIGHTS_ALL : Number(rights);
      one.requestRow = String(id);
    }
  }
  return found;
}

/**
 * Rights that stay are in force through another request now. Their holders' rows say which; nobody who follows the log
 * reads that, so no entry tells of it.
 */
async function nameOthers(
  session: Session,
  requestRow: string,
  keys: readonly bigint[],
  others: ReadonlyMap<string, OtherRequests>,
): Promise<void> {
  for (const [identity, { requestRow: other }] of others) {
    if (other === null) continue;
    for (const table of ['suppression', 'suppression_holder']) {
      await session.query(
        `update optgate.${table} set request_id = $1::int8
         where key = any($2::int8[]) and identity = $3::uuid and request_id = $4::int8`,
        [other, int8Column(keys).bytes, identity, requestRow],
      );
    }
  }
}
