/**
 * When one request came into force where: received, processed, on k of n enforcers, everywhere.
 *
 * An enforcer has a request in force from the moment it had applied the request's entry or a later one of the same epoch;
 * in a later epoch it began from a snapshot that holds the request. Times are kept as the acknowledgements came in.
 * @module
 */
import type { EnforcerReport } from '../sync/source.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { IS_SILENT } from './enforcers.js';
import { tokenOf } from './request.js';
import { requestById } from './requests.js';

/** One enforcer, as far as one request goes. */
export interface EnforcerPropagation {
  readonly id: string;
  readonly name: string;
  readonly role: EnforcerReport['role'];
  /** `null`: it has not said so yet. */
  readonly inForceAtMs: number | null;
  readonly isSilent: boolean;
  readonly isRetired: boolean;
  /** It registered after the request was processed, so it never decided without it. */
  readonly isLater: boolean;
}

export interface Propagation {
  readonly requestId: string;
  readonly receivedAtMs: number;
  /** When its entry was written; `null`: it has none yet, or was denied. */
  readonly processedAtMs: number | null;
  /** `null`: it has no place in the log yet. */
  readonly token: string | null;
  /** Enforcers that have it in force, of those that are waited for. */
  readonly inForceOn: number;
  readonly enforcerCount: number;
  readonly enforcers: readonly EnforcerPropagation[];
  /**
   * When the last of those that were registered when the request was processed, and have not retired, had it; `null`: not
   * all have said so. Of no enforcer at all nothing can be said either.
   */
  readonly inForceEverywhereAtMs: number | null;
}

/** See Ledger.propagation. */
export async function propagationOf(context: LedgerContext, requestId: string): Promise<Propagation> {
  return context.database.transaction(
    async (session) => {
      const request = await requestById(session, requestId);
      // the last entry of a denied request is what took it back
      const isTold = request.lastEntry !== null && request.status !== 'denied';
      const entry = isTold ? await readEntry(session, request.lastEntry) : null;
      const enforcers = await readEnforcers(session, entry);
      const waitedFor = enforcers.filter(({ isRetired }) => !isRetired);
      return {
        requestId: request.requestId,
        receivedAtMs: request.receivedAtMs,
        processedAtMs: entry?.atMs ?? null,
        token: entry === null || entry.seq === null ? null : tokenOf(entry.epoch, entry.seq),
        inForceOn: waitedFor.filter(({ inForceAtMs }) => inForceAtMs !== null).length,
        enforcerCount: waitedFor.length,
        enforcers,
        inForceEverywhereAtMs: everywhereAt(waitedFor),
      };
    },
    { isSnapshot: true },
  );
}

function everywhereAt(enforcers: readonly EnforcerPropagation[]): number | null {
  const times = enforcers.filter(({ isLater }) => !isLater).map(({ inForceAtMs }) => inForceAtMs);
  return times.length === 0 || times.includes(null) ? null : Math.max(...times.map(Number));
}

interface PlacedEntry {
  readonly epoch: string;
  readonly seq: number | null;
  readonly atMs: number;
}

async function readEntry(session: Session, entryId: string): Promise<PlacedEntry | null> {
  const [row] = await session.query(
    `select head.epoch, entry.seq, round(extract(epoch from entry.at) * 1000)::float8 as at_ms
     from optgate.change_log as entry, optgate.head where entry.id = $1::int8`,
    [entryId],
  );
  if (row === undefined) return null;
  return { epoch: String(row.epoch), seq: row.seq === null ? null : Number(row.seq), atMs: Number(row.at_ms) };
}

/**
 * All enforcers, with the first acknowledgement that includes the entry. The seq goes on counting over an epoch, so one of
 * the epoch of now will do. One of an earlier epoch tells of the entry only if it was there then. The ledger's own
 * clock may have been put back, but nothing can be in force before it is written.
 */
async function readEnforcers(session: Session, entry: PlacedEntry | null): Promise<readonly EnforcerPropagation[]> {
  const rows = await session.query(
    `select enforcer.id, name, role, ${IS_SILENT} as is_silent, retired_at is not null as is_retired,
       coalesce(registered_at > to_timestamp($2::float8 / 1000), false) as is_later,
       (select round(extract(epoch from min(ack.at)) * 1000)::float8 from optgate.enforcer_ack as ack
        where ack.enforcer_id = enforcer.id and ack.seq >= $1::float8::int8
          and (ack.epoch = $3 or ack.at >= to_timestamp($2::float8 / 1000))) as acknowledged_at_ms
     from optgate.enforcer order by (retired_at is not null), name, enforcer.id`,
    [entry?.seq ?? null, entry?.atMs ?? null, entry?.epoch ?? null],
  );
  return rows.map((row) => ({
    id: String(row.id),
    name: String(row.name),
    role: row.role as EnforcerReport['role'],
    inForceAtMs: row.acknowledged_at_ms === null ? null : Math.max(entry?.atMs ?? 0, Number(row.acknowledged_at_ms)),
    isSilent: row.is_silent === true,
    isRetired: row.is_retired === true,
    isLater: row.is_later === true,
  }));
}
