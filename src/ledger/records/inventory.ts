/**
 * The data inventory as a whole: put in force at once or not at all, its changes, and who was exported to without being in it.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { type Destination, InputError } from '../../core/index.js';
import type { LedgerContext } from '../context.js';
import type { Session } from '../database.js';
import {
  type DestinationInput,
  listDestinations,
  putDestination,
  readDestination,
  removeDestination,
} from '../destinations.js';

/** Destinations that are listed of those not in the inventory, the ones seen last. */
export const UNKNOWN_LISTED_MAX = 1000;

/** What an inventory does to one destination. `before` is `null` where it is added, `after` where it is removed. */
export interface InventoryChange {
  readonly id: string;
  readonly before: Destination | null;
  readonly after: Destination | null;
}

export interface InventoryOptions {
  /** Removes destinations that are not in it. Default: false. */
  readonly removesOthers?: boolean | undefined;
  /** Only says what would change. Default: false. */
  readonly isDryRun?: boolean | undefined;
}

/** Puts destinations in force together. Throws an InputError with the index of one that cannot be used; then nothing changes. */
export async function applyInventory(
  context: LedgerContext,
  destinations: readonly DestinationInput[],
  { removesOthers = false, isDryRun = false }: InventoryOptions = {},
): Promise<readonly InventoryChange[]> {
  const wanted = readAll(destinations);
  return context.database.transaction(async (session) => {
    // what is compared with must stay as it is until it is replaced
    if (!isDryRun) await session.query('lock table optgate.destination in share row exclusive mode');
    const present = new Map((await listDestinations(session)).map((one) => [one.id, one]));
    const changes: InventoryChange[] = [];
    for (const after of wanted.values()) {
      const before = present.get(after.id) ?? null;
      if (!isDeepStrictEqual(before, after)) changes.push({ id: after.id, before, after });
    }
    if (removesOthers) {
      for (const before of present.values())
        if (!wanted.has(before.id)) changes.push({ id: before.id, before, after: null });
    }
    if (!isDryRun) for (const change of changes) await apply(session, context, change);
    return changes;
  });
}

function apply(session: Session, context: LedgerContext, { id, after }: InventoryChange): Promise<unknown> {
  return after === null ? removeDestination(session, context, id) : putDestination(session, context, after);
}

function readAll(destinations: readonly DestinationInput[]): ReadonlyMap<string, Destination> {
  const read = new Map<string, Destination>();
  for (const [index, input] of destinations.entries()) {
    const field = `destinations[${index}]`;
    try {
      const destination = readDestination(input);
      if (read.has(destination.id)) throw new InputError('destination.id', 'used', 'this id is there twice');
      read.set(destination.id, destination);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const at = error.field.replace(/^destination/, field);
      throw new InputError(at, error.code, error.message.slice(error.field.length + 2));
    }
  }
  return read;
}

/** A change of the inventory, as it was recorded. */
export interface RecordedChange extends InventoryChange {
  readonly atMs: number;
}

/** Changes of the inventory in a period, oldest first; at most `limit`. */
export async function inventoryChanges(
  session: Session,
  { sinceMs, untilMs, limit }: { readonly sinceMs: number; readonly untilMs: number; readonly limit: number },
): Promise<{ readonly count: number; readonly changes: readonly RecordedChange[] }> {
  const rows = await session.query(
    `select destination, before, after, round(extract(epoch from at) * 1000)::float8 as at_ms, count(*) over ()::float8 as count
     from optgate.destination_history
     where at >= to_timestamp($1::float8 / 1000) and at < to_timestamp($2::float8 / 1000) order by at, id limit $3::int8`,
    [sinceMs, untilMs, limit],
  );
  const changes = rows.map(({ destination, before, after, at_ms: atMs }) => ({
    id: String(destination),
    before: before === null ? null : readDestination(before),
    after: after === null ? null : readDestination(after),
    atMs: Number(atMs),
  }));
  return { count: Number(rows[0]?.count ?? 0), changes };
}

/** A destination that was exported to and is not in the inventory of the ledger. */
export interface UnlistedDestination {
  readonly id: string;
  readonly exportCount: number;
  readonly lastSeenMs: number;
}

/** Those that were exported to last, at most {@link UNKNOWN_LISTED_MAX}. */
export async function unlistedDestinations(session: Session): Promise<readonly UnlistedDestination[]> {
  const rows = await session.query(
    `select destination, count(*)::float8 as count, round(extract(epoch from max(finished_at)) * 1000)::float8 as last_ms
     from optgate.export_run as run
     where recorded_at is not null and not exists (select from optgate.destination where id = run.destination)
     group by destination order by max(finished_at) desc, destination limit ${UNKNOWN_LISTED_MAX}`,
  );
  return rows.map((row) => ({
    id: String(row.destination),
    exportCount: Number(row.count),
    lastSeenMs: Number(row.last_ms),
  }));
}
