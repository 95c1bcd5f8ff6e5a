/**
 * Who was in which export: looks fingerprints up in the indexes of the runs (11 CCR 7026(f)(2), 7101).
 *
 * A fingerprint is the key of an identifier as the database holds it, mixed with the ledger's seed; it says the same as a
 * key in the suppression set does, and by itself names nobody.
 * @module
 */
import type { Identifier } from '../core/vocabulary.js';
import { recordLookUp } from './audit/look-ups.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { type ExportRun, RUN_COLUMNS, runOf } from './export-runs.js';
import { readOne } from './input.js';
import { EXPORTS_PER_PAGE } from './limits.js';
import { int8Column } from './packed-column.js';

/** A run with the id of its row. */
export interface StoredRun extends ExportRun {
  readonly row: string;
}

/** What notices say of a run. Without its manifest, so that all runs can be held at once. */
export interface BriefRun {
  readonly row: string;
  readonly runId: string;
  readonly destination: string;
  /** A bit mask, never 0. */
  readonly rights: number;
  readonly finishedAtMs: number;
}

/** See Ledger.exportsOf. */
export async function exportsOf(context: LedgerContext, identifier: Identifier): Promise<readonly ExportRun[]> {
  const { database, reader, mixer } = context;
  const one = readOne(identifier, 'identifier', reader);
  await recordLookUp(context, one, 'exports');
  const keys = mixer.keysOf({ words: one.keyWords, count: one.keyCount });
  const found: ExportRun[] = [];
  for await (const runs of pagesOfRuns(database)) {
    const hits = await hitsIn(database, runs, keys);
    for (const run of runs) if (hits.has(run.row)) found.push(publicOf(run));
  }
  return found.sort((a, b) => a.finishedAtMs - b.finishedAtMs);
}

/**
 * Every recorded run that left somebody out, in pages for {@link hitsIn}; those of one destination if it is given.
 * Read once for any number of people.
 */
export async function briefRuns(session: Session, destination: string | null): Promise<readonly BriefRun[][]> {
  const pages: BriefRun[][] = [];
  for (let after = '0'; ; ) {
    const rows = await session.query(
      `select id::text, run_id, destination, rights, round(extract(epoch from finished_at) * 1000)::float8 as finished_at_ms
       from optgate.export_run
       where recorded_at is not null and rights <> 0 and id > $1::int8 and ($2::text is null or destination = $2)
       order by export_run.id limit ${EXPORTS_PER_PAGE}`,
      [after, destination],
    );
    if (rows.length === 0) return pages;
    pages.push(
      rows.map((row) => ({
        row: String(row.id),
        runId: String(row.run_id),
        destination: String(row.destination),
        rights: Number(row.rights),
        finishedAtMs: Number(row.finished_at_ms),
      })),
    );
    after = String(rows.at(-1)?.id);
  }
}

/** Every recorded run, some at a time. */
export async function* pagesOfRuns(session: Session): AsyncGenerator<readonly StoredRun[]> {
  for (let after = '0'; ; ) {
    const rows = await session.query(
      `select ${RUN_COLUMNS} from optgate.export_run where recorded_at is not null and id > $1::int8
       order by export_run.id limit ${EXPORTS_PER_PAGE}`,
      [after],
    );
    if (rows.length === 0) return;
    const runs = rows.map((row) => ({ ...runOf(row), row: String(row.id) }));
    yield runs;
    after = runs.at(-1)?.row ?? after;
  }
}

/**
 * For each run that holds any of the keys, by the id of its row: those it holds. Reads only the pieces that can hold one,
 * each once.
 */
export async function hitsIn(
  session: Session,
  runs: readonly { readonly row: string }[],
  keys: readonly bigint[],
): Promise<ReadonlyMap<string, readonly bigint[]>> {
  const wanted = BigInt64Array.from(new Set(keys)).sort();
  const hits = new Map<string, bigint[]>();
  if (wanted.length === 0 || runs.length === 0) return hits;
  const pieces = await session.query(
    `select distinct on (run.id, piece.first) run.id::text, piece.fingerprints
     from unnest($1::int8[]) as run (id) cross join unnest($2::int8[]) as wanted (key)
       cross join lateral (
         select first, last, fingerprints from optgate.export_index
         where export_id = run.id and first <= wanted.key order by first desc limit 1
       ) as piece
     where piece.last >= wanted.key`,
    [int8Column(runs.map(({ row }) => BigInt(row))).bytes, int8Column(wanted).bytes],
  );
  for (const { id, fingerprints } of pieces) {
    const bytes = Uint8Array.from(fingerprints as Uint8Array); // a copy begins at a multiple of eight
    const held = common(wanted, new BigInt64Array(bytes.buffer));
    if (held.length > 0) hits.set(String(id), [...(hits.get(String(id)) ?? []), ...held]);
  }
  return hits;
}

function publicOf({ row: _, ...run }: StoredRun): ExportRun {
  return run;
}

/** What is in both of two ascending lists: each of the shorter is looked for in what is left of the longer. */
function common(some: BigInt64Array, others: BigInt64Array): readonly bigint[] {
  const [few, many] = some.length < others.length ? [some, others] : [others, some];
  const both: bigint[] = [];
  let from = 0;
  for (const one of few) {
    let to = many.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((many[middle] ?? 0n) < one) from = middle + 1;
      else to = middle;
    }
    if (many[from] === one) both.push(one);
  }
  return both;
}
