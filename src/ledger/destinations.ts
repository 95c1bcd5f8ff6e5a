/**
 * The data inventory kept in the ledger: each destination as it stands in a policy file, complete.
 * @module
 */
import { z } from 'zod';
import {
  DESTINATION_CHANNELS,
  type Destination,
  InputError,
  type InputErrorCode,
  PURPOSES,
  ROLES,
} from '../core/index.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { tellDestination } from './webhooks/events.js';

/** First word of the advisory lock of whoever changes a destination; the second is made of its id. */
const DESTINATION_LOCK = 0x6f67_0003;

/** Most characters of an id, and of a contract's reference; as in policy files. */
const NAME_LENGTH_MAX = 200;
/** Most categories of data that one destination may list; as in policy files. */
const DATA_CATEGORIES_MAX = 64;

const name = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .regex(/^\P{Cc}*$/u);
const role = z.enum(ROLES);
const purposes = z.array(z.enum(PURPOSES)).min(1).max(PURPOSES.length);
const whenOptedOut = z.enum(['restrict', 'block']);

/** A destination, complete. */
export const destinationSchema = z.strictObject({
  id: name,
  role: role.default('third_party'),
  purposes: purposes.default([...PURPOSES]),
  whenOptedOut: whenOptedOut.default('restrict'),
  contract: z
    .strictObject({ reference: name, expires: z.iso.date().nullable().default(null) })
    .nullable()
    .default(null),
  states: z
    .record(
      z.string().regex(/^[A-Z]{2}$/),
      z.strictObject({ role: role.optional(), purposes: purposes.optional(), whenOptedOut: whenOptedOut.optional() }),
    )
    .default({}),
  dataCategories: z.array(name).min(1).max(DATA_CATEGORIES_MAX).optional(),
  contact: name.optional(),
  channels: z.array(z.enum(DESTINATION_CHANNELS)).min(1).max(DESTINATION_CHANNELS.length).optional(),
});

/** A destination as it is written: everything but the id may be left out, as in a policy file. */
export type DestinationInput = Partial<Destination> & Pick<Destination, 'id'>;

/** Adds a destination, or puts it in the place of the one with its id; in a transaction. Throws an InputError. */
export async function putDestination(
  session: Session,
  context: Pick<LedgerContext, 'actor'>,
  input: DestinationInput,
): Promise<Destination> {
  const destination = readDestination(input);
  const [row] = await session.query(
    `insert into optgate.destination (id, body) values ($1, $2::jsonb)
     on conflict (id) do update set body = excluded.body, updated_at = clock_timestamp()
     returning xmax = 0 as is_new`,
    [destination.id, JSON.stringify(destination)],
  );
  const kind = row?.is_new === true ? 'destination.added' : 'destination.changed';
  const { id: subject, ...body } = destination;
  await appendAudit(session, context, { kind, subject, body });
  await tellDestination(session, subject, row?.is_new === true ? 'added' : 'replaced');
  return destination;
}

/** What became of a destination. */
export interface DestinationChange {
  readonly before: Destination | null;
  readonly after: Destination | null;
}

/** See Ledger.changeDestination. */
export function changeDestination(
  context: LedgerContext,
  id: string,
  change: (current: Destination | null) => DestinationInput | null,
): Promise<DestinationChange> {
  return context.database.transaction(async (session) => {
    // a row that is not there yet cannot be locked
    await session.query('select pg_advisory_xact_lock($1::int4, hashtext($2))', [DESTINATION_LOCK, readId(id)]);
    const before = await getDestination(session, id);
    const wanted = change(before);
    if (wanted === null) await removeDestination(session, context, id);
    return { before, after: wanted === null ? null : await putDestination(session, context, { ...wanted, id }) };
  });
}

/** The destination with an id; `null`: there is none. */
export async function getDestination(session: Session, id: string): Promise<Destination | null> {
  const [row] = await session.query('select body from optgate.destination where id = $1', [readId(id)]);
  return row === undefined ? null : destinationOf(row);
}

/** All destinations, by id. */
export async function listDestinations(session: Session): Promise<readonly Destination[]> {
  return (await session.query('select body from optgate.destination order by id collate "C"')).map(destinationOf);
}

/** Removes a destination, in a transaction; false: there was none. */
export async function removeDestination(
  session: Session,
  context: Pick<LedgerContext, 'actor'>,
  id: string,
): Promise<boolean> {
  const removed = await session.query('delete from optgate.destination where id = $1 returning 1', [readId(id)]);
  if (removed.length === 0) return false;
  await appendAudit(session, context, { kind: 'destination.removed', subject: id, body: {} });
  await tellDestination(session, id, 'removed');
  return true;
}

/** A destination, checked and complete. Throws an InputError. */
export function readDestination(input: unknown): Destination {
  const result = destinationSchema.safeParse(input);
  if (result.success) return result.data as Destination;
  const issue = result.error.issues[0];
  throw new InputError(pathOf(issue?.path ?? []), codeOf(issue), 'expected a destination as in a policy file');
}

/** A name that does not look like one may be a value in the wrong place, and messages never show those. */
function pathOf(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`;
    return typeof step === 'string' && /^[A-Za-z]{1,20}$/.test(step) ? `.${step}` : '.?';
  });
  return `destination${steps.join('')}`;
}

function codeOf(issue: z.core.$ZodIssue | undefined): InputErrorCode {
  switch (issue?.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'required' : 'type';
    case 'unrecognized_keys':
    case 'invalid_value':
      return 'unknown';
    case 'too_small':
      return 'empty';
    case 'too_big':
      return 'too_long';
    default:
      return 'malformed';
  }
}

function readId(id: unknown): string {
  const result = name.safeParse(id);
  if (result.success) return result.data;
  throw new InputError('id', 'malformed', `expected 1 to ${NAME_LENGTH_MAX} characters`);
}

function destinationOf({ body }: Row): Destination {
  return destinationSchema.parse(body) as Destination;
}
