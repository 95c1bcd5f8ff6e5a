/**
 * Exports as the ledger keeps them: the manifest of each run, and the index of who was in the file.
 *
 * The index is in the database, not in a folder beside it, so that whoever can ask the ledger gets an answer, from any
 * machine, and one backup holds both. It is cut into pieces of at most 16 KiB, each found by its first fingerprint.
 *
 * What must stay true: a run is there with its whole index or does not count; and no transaction is open while the index
 * comes in, as that would hold the change log up.
 * @module
 */
import { createHash } from 'node:crypto';
import { GateError, InputError, PURPOSES, type Purpose } from '../core/index.js';
import { type Right, rightsOfMask } from '../core/vocabulary.js';
import { appendAudit } from './audit/append.js';
import type { LedgerContext } from './context.js';
import type { Row, Session } from './database.js';
import { readFields, readRights, readText, readWord } from './input.js';
import {
  EXPORT_LEFTOVER_MS,
  EXPORT_MANIFEST_LENGTH_MAX,
  EXPORT_PIECE_FINGERPRINTS,
  EXPORT_PIECES_PER_WRITE,
} from './limits.js';
import { byteaColumn, int8Column } from './packed-column.js';

/** Longest id of a destination, as in the data inventory. */
const DESTINATION_LENGTH_MAX = 200;
const RUN_ID = /^x_[A-Za-z0-9_-]{22}$/;

/** A run that is to be kept. */
export interface ExportRecord {
  /** From {@link exportRunIdOf}; the same run recorded again is one run. */
  readonly runId: string;
  readonly destination: string;
  readonly purpose: Purpose;
  /** The rights whose holders were left out; none where an exemption let everybody pass. */
  readonly rights: readonly Right[];
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  /** JSON, kept as it is. */
  readonly manifest: object;
}

/** A run as the ledger knows it. */
export interface ExportRun extends ExportRecord {
  /** Entries of the index. A person has several: one for each identifier of the row and each form it is hashed in. */
  readonly fingerprintCount: number;
}

/** Fingerprints of the rows that left: keys mixed with the ledger's seed, in ascending order, each once, in pieces of any size. */
export type ExportIndex = AsyncIterable<BigInt64Array> | Iterable<BigInt64Array>;

/** The id of a run, from 16 random bytes. */
export function exportRunIdOf(random: Uint8Array): string {
  return `x_${Buffer.from(random.buffer, random.byteOffset, 16).toString('base64url')}`;
}

/** See Ledger.recordExport. */
export async function recordExport(
  context: LedgerContext,
  record: ExportRecord,
  index: ExportIndex,
): Promise<{ readonly isRepeat: boolean }> {
  const { database, now } = context;
  const read = readRecord(record);
  await removeLeftovers(database, now());
  const begun = await begin(database, read);
  if (begun === null) return { isRepeat: true };
  let fingerprintCount = 0;
  const pieces: BigInt64Array[] = [];
  for await (const piece of inPieces(index)) {
    fingerprintCount += piece.length;
    pieces.push(piece);
    if (pieces.length === EXPORT_PIECES_PER_WRITE) await writePieces(database, begun, pieces.splice(0));
  }
  if (pieces.length > 0) await writePieces(database, begun, pieces);
  const isDone = await database.transaction((session) => finish(session, context, { read, begun, fingerprintCount }));
  if (!isDone) throw new GateError('ledger.unavailable', 'the same run was recorded elsewhere meanwhile');
  return { isRepeat: false };
}

interface Finishing {
  readonly read: RecordRead;
  readonly begun: string;
  readonly fingerprintCount: number;
}

/** From here on it counts. False: somebody else has done it. */
async function finish(
  session: Session,
  context: Pick<LedgerContext, 'actor'>,
  { read, begun, fingerprintCount }: Finishing,
): Promise<boolean> {
  const done = await session.query(
    `update optgate.export_run set recorded_at = clock_timestamp(), fingerprint_count = $2
     where id = $1::int8 and recorded_at is null returning 1`,
    [begun, fingerprintCount],
  );
  if (done.length === 0) return false;
  const { runId, destination, purpose, rights, contentDigest } = read;
  const content = contentDigest.toString('hex');
  const body = { content, destination, fingerprints: fingerprintCount, purpose, rights: rightsOfMask(rights) };
  await appendAudit(session, context, { kind: 'export.recorded', subject: runId, body });
  return true;
}

/** The run with an id; `null`: there is none, or its index never became complete. */
export async function exportRun(session: Session, runId: string): Promise<ExportRun | null> {
  const [row] = await session.query(
    `select ${RUN_COLUMNS} from optgate.export_run where run_id = $1 and recorded_at is not null`,
    [readRunId(runId)],
  );
  return row === undefined ? null : runOf(row);
}

/** The columns {@link runOf} reads. */
export const RUN_COLUMNS = `id::text, run_id, destination, purpose, rights, manifest, fingerprint_count::float8,
  round(extract(epoch from started_at) * 1000)::float8 as started_at_ms,
  round(extract(epoch from finished_at) * 1000)::float8 as finished_at_ms`;

export function runOf(row: Row): ExportRun {
  return {
    runId: String(row.run_id),
    destination: String(row.destination),
    purpose: row.purpose as Purpose,
    rights: rightsOfMask(Number(row.rights)),
    startedAtMs: Number(row.started_at_ms),
    finishedAtMs: Number(row.finished_at_ms),
    manifest: row.manifest as object,
    fingerprintCount: Number(row.fingerprint_count),
  };
}

interface RecordRead extends Omit<ExportRecord, 'rights' | 'manifest'> {
  readonly rights: number;
  readonly manifest: string;
  readonly contentDigest: Buffer;
}

const FIELDS = [
  'runId',
  'destination',
  'purpose',
  'rights',
  'startedAtMs',
  'finishedAtMs',
  'manifest',
] as const satisfies readonly (keyof ExportRecord)[];

function readRecord(input: unknown): RecordRead {
  const fields = readFields(input, FIELDS);
  const destination = readText(fields.destination, 'destination', DESTINATION_LENGTH_MAX);
  if (destination === null) throw new InputError('destination', 'required', 'expected the id of a destination');
  const purpose = readWord(fields.purpose, 'purpose', PURPOSES);
  const isForAll = Array.isArray(fields.rights) && fields.rights.length === 0;
  const rights = isForAll ? 0 : readRights(fields.rights, 'rights');
  const startedAtMs = readMoment(fields.startedAtMs, 'startedAtMs');
  const finishedAtMs = readMoment(fields.finishedAtMs, 'finishedAtMs');
  if (finishedAtMs < startedAtMs)
    throw new InputError('finishedAtMs', 'out_of_range', 'expected no earlier moment than startedAtMs');
  if (typeof fields.manifest !== 'object' || fields.manifest === null)
    throw new InputError('manifest', 'type', 'expected an object');
  const manifest = JSON.stringify(fields.manifest);
  if (manifest.length > EXPORT_MANIFEST_LENGTH_MAX) {
    throw new InputError('manifest', 'too_long', `expected at most ${EXPORT_MANIFEST_LENGTH_MAX} characters of JSON`);
  }
  const runId = readRunId(fields.runId);
  const contentDigest = createHash('sha256')
    .update(JSON.stringify([destination, purpose, rights, startedAtMs, finishedAtMs, manifest]))
    .digest();
  return { runId, destination, purpose, rights, startedAtMs, finishedAtMs, manifest, contentDigest };
}

function readRunId(value: unknown): string {
  if (typeof value === 'string' && RUN_ID.test(value)) return value;
  throw new InputError('runId', 'malformed', 'expected x_ and 22 characters');
}

function readMoment(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InputError(field, 'out_of_range', 'expected whole milliseconds since 1970');
}

/**
 * Inserts the run, or clears away what an earlier attempt left of its index. `null`: it is recorded already.
 * @throws {GateError} `ledger.idempotency_conflict`: another run has this id.
 */
function begin(database: LedgerContext['database'], read: RecordRead): Promise<string | null> {
  return database.transaction(async (session) => {
    const [row] = await session.query(
      `insert into optgate.export_run (run_id, destination, purpose, rights, started_at, finished_at, manifest, content_digest)
       values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), to_timestamp($6::float8 / 1000), $7::jsonb, $8)
       on conflict (run_id) do update set begun_at = clock_timestamp()
       returning id::text, content_digest, recorded_at is not null as is_recorded`,
      [
        read.runId,
        read.destination,
        read.purpose,
        read.rights,
        read.startedAtMs,
        read.finishedAtMs,
        read.manifest,
        read.contentDigest,
      ],
    );
    if (row === undefined) throw new GateError('ledger.damaged', 'an export');
    if (!read.contentDigest.equals(row.content_digest as Uint8Array))
      throw new GateError('ledger.idempotency_conflict');
    if (row.is_recorded === true) return null;
    await session.query('delete from optgate.export_index where export_id = $1::int8', [row.id]);
    return String(row.id);
  });
}

/** Two of the same run at once would write the same pieces: whoever comes second fails, and finds it recorded next time. */
async function writePieces(database: LedgerContext['database'], exportId: string, pieces: readonly BigInt64Array[]) {
  await database.transaction(async (session) => {
    await database.copyIn(
      session,
      'optgate.export_index',
      ['export_id', 'first', 'last', 'fingerprints'],
      [
        int8Column(pieces.map(() => BigInt(exportId))),
        int8Column(pieces.map((piece) => piece[0] ?? 0n)),
        int8Column(pieces.map((piece) => piece.at(-1) ?? 0n)),
        byteaColumn(pieces.map((piece) => new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))),
      ],
    );
  });
}

/** The index in pieces of one size, copied. @throws {RangeError} where it is not in order. */
async function* inPieces(index: ExportIndex): AsyncGenerator<BigInt64Array> {
  let piece = new BigInt64Array(EXPORT_PIECE_FINGERPRINTS);
  let count = 0;
  let last: bigint | null = null;
  for await (const some of index) {
    for (const fingerprint of some) {
      if (last !== null && fingerprint <= last)
        throw new RangeError('index: expected ascending fingerprints, each once');
      last = fingerprint;
      piece[count++] = fingerprint;
      if (count < piece.length) continue;
      yield piece;
      piece = new BigInt64Array(EXPORT_PIECE_FINGERPRINTS);
      count = 0;
    }
  }
  if (count > 0) yield piece.slice(0, count);
}

async function removeLeftovers(session: Session, nowMs: number): Promise<void> {
  await session.query(
    `delete from optgate.export_run where recorded_at is null and begun_at < to_timestamp($1::float8 / 1000)`,
    [nowMs - EXPORT_LEFTOVER_MS],
  );
}
