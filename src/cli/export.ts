/**
 * `optgate export`: files of people, without those who have opted out, and the proof of what left.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { PURPOSES, type Purpose } from '../core/policy/destinations.js';
import type { Policy } from '../core/policy/policy.js';
import { delimiterByte } from '../exports/csv/layout.js';
import {
  type ColumnMapping,
  type Compression,
  exportTerms,
  MODES,
  ON_UNIDENTIFIABLE,
  parseMapping,
  QUOTES,
  RowError,
} from '../exports/index.js';
import { THREADS_MAX } from '../exports/limits.js';
import { exportRecordOf, type Manifest } from '../exports/manifest.js';
import { ParquetError } from '../exports/parquet/parquet-error.js';
import { type RunOptions, runExport } from '../exports/run.js';
import { exportRunIdOf } from '../ledger/export-runs.js';
import type { Ledger } from '../ledger/index.js';
import { withInventory } from '../policy-inventory.js';
import { packageVersion } from '../version.js';
import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  loadPolicy,
  messageOf,
  parseOptions,
  UsageError,
  wholeNumber,
} from './command.js';
import { COMPRESSIONS, type ExportJob, exportJobs, FORMATS } from './export-files.js';
import { passOf } from './export-pass.js';
import { ExportProgress } from './export-progress.js';
import type { OpenedSet } from './export-set.js';
import { EXIT_INTERRUPTED, untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';

export const exportCommand: Command = {
  help: `Usage: optgate export --destination ID --purpose PURPOSE --map KIND=COLUMN,… --in FILE --out FILE [options]

Writes FILE without the rows of people who have opted out of what the destination does with them, and beside it
FILE.manifest.json: to whom, for what, against which state of the set, how many rows left, hashes of both files. The run
is recorded in the ledger with an index of who was in it ("optgate lineage", "optgate gap-notices"). With --set there is
no ledger to record it in, and the index stays beside FILE as FILE.lineage; a later run to the same FILE gives it and its
manifest the name of their run, FILE.x_….lineage. FILE appears whole or not at all.

A ledger is followed while the run goes on: nobody is in FILE whose opt-out the ledger had at "seqEnd" of the manifest.
A service provider or contractor whose contract is live may be sent everybody for some purposes (docs/policy.md); the
manifest then names the exemption.

Options:
  --in FILE           .csv, .tsv (with a header), .ndjson, .jsonl, each also as .gz and .zst, or .parquet; may be given
                      again, and its name may hold * and ?
  --out FILE|DIR      compressed as its name says; a folder, which has to be there, if there are several inputs
  --map K=C,K=C|C,…   which columns, or paths of JSON such as user.ids[].value, hold which kind: email=email,maid=idfa|gaid
  --destination ID    in the data inventory of the ledger or the policy, in this order; one that is in neither is a third
                      party
  --purpose PURPOSE   ${PURPOSES.join(', ')}
  --set FILE          go by a snapshot instead of a ledger
  --policy FILE       policy, JSON; every default is in docs/policy.md
  --mode drop|blank   blank: rows of suppressed people leave without the values mapped (default: drop)
  --on-unidentifiable keep|drop|fail
                      rows without an identifier that can be looked up (default: drop); a row that cannot be read, such
                      as a line that is no JSON, is never kept
  --format F          csv, tsv, ndjson or parquet, where the name does not tell
  --compression C     of the output, where its name does not tell: none, gzip, or zstd from Node.js 22.15 on
  --delimiter C       between cells
  --quote double|none none: a quote is a character like others, as in many .tsv files (default: double)
  --threads N         threads that judge rows; more pay for long files on more than two cores (default: 1)
  --no-recheck        do not look again for opt-outs that came in while the run went on
  --operator NAME     who runs it, for the record
  --dry-run           count, write and record nothing
${LEDGER_HELP}

Prints the manifest of each run, one a line.

Examples:
  optgate export --destination acme --purpose audience --map email=email,maid=idfa --in users.csv --out acme.csv
  optgate export --set optouts.snap --destination acme --purpose audience --map email=user.email --in 'day-*.ndjson' --out out/
  optgate export --destination acme --purpose audience --map email=user.email --in 'part-*.parquet' --out out/ --threads 2
  optgate export --dry-run --destination acme --purpose audience --map email=email --in users.csv --out acme.csv

Exit codes: 0 done, 2 wrong usage, 3 a file, the set or the ledger failed, 130 stopped. Runs before that are complete.`,

  async run(args, io) {
    const given = await readArguments(args, io);
    return untilInterrupted(async (stopped) => {
      const { openLedgerSet, openSnapshotSet } = await import('./export-set.js');
      try {
        if (given.set !== undefined) {
          const opened = await openSnapshotSet(given.set);
          await runAll(given, { opened, policyNow: async () => given.policy, ledger: null, stopped, io });
        } else {
          await withLedger(ledgerLocation(given.ledger, io), io, { mayMake: false }, async (ledger) => {
            const policyNow = async () => withInventory(given.policy, await ledger.destinations());
            const opened = await openLedgerSet(ledger, await policyNow());
            await runAll(given, { opened, policyNow, ledger, stopped, io }).finally(() => opened.close());
          });
        }
        return EXIT.ok;
      } catch (error) {
        if (stopped.aborted) return EXIT_INTERRUPTED;
        throw error;
      }
    });
  },
};

interface Given {
  readonly jobs: readonly ExportJob[];
  readonly destination: string;
  readonly purpose: Purpose;
  readonly mapping: ColumnMapping;
  readonly policy: Policy;
  readonly set: string | undefined;
  readonly ledger: string | undefined;
  readonly mode: (typeof MODES)[number];
  readonly onUnidentifiable: (typeof ON_UNIDENTIFIABLE)[number];
  readonly delimiter: string | undefined;
  readonly quote: (typeof QUOTES)[number] | undefined;
  readonly threads: number;
  readonly recheck: boolean;
  readonly operator: string | null;
  readonly isDryRun: boolean;
}

const OPTIONS = {
  ...LEDGER_OPTION,
  in: { type: 'string', multiple: true },
  out: { type: 'string' },
  map: { type: 'string' },
  destination: { type: 'string' },
  purpose: { type: 'string' },
  set: { type: 'string' },
  policy: { type: 'string' },
  mode: { type: 'string' },
  'on-unidentifiable': { type: 'string' },
  format: { type: 'string' },
  compression: { type: 'string' },
  delimiter: { type: 'string' },
  quote: { type: 'string' },
  threads: { type: 'string' },
  'no-recheck': { type: 'boolean' },
  operator: { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const;

async function readArguments(args: readonly string[], io: Io): Promise<Given> {
  const { values, positionals } = parseOptions(args, OPTIONS);
  const { out, map, destination, purpose, set, ledger } = values;
  if (positionals.length > 0) throw new UsageError('expected no further argument; quote a name that holds *');
  for (const name of ['in', 'out', 'map', 'destination', 'purpose'] as const) {
    if (values[name] === undefined || values[name] === '') throw new UsageError(`expected --${name}`);
  }
  if (set !== undefined && ledger !== undefined) throw new UsageError('expected --set or --ledger, not both');
  if (set === undefined) ledgerLocation(ledger, io); // what is wrong with it is said before anything is read
  const format = values.format === undefined ? undefined : oneOf('format', values.format, FORMATS, 'csv');
  const jobs = exportJobs(values.in ?? [], out ?? '', { format, compression: compressionOption(values.compression) });
  return {
    jobs,
    destination: destination ?? '',
    purpose: oneOf('purpose', purpose, PURPOSES, 'audience'),
    mapping: parseMapping(map ?? ''),
    policy: await loadPolicy(values.policy),
    set,
    ledger,
    mode: oneOf('mode', values.mode, MODES, 'drop'),
    onUnidentifiable: oneOf('on-unidentifiable', values['on-unidentifiable'], ON_UNIDENTIFIABLE, 'drop'),
    delimiter: delimiterOption(values.delimiter, jobs),
    quote: quoteOption(values.quote, jobs),
    threads: threadsOption(values.threads),
    recheck: values['no-recheck'] !== true,
    operator: values.operator ?? null,
    isDryRun: values['dry-run'] === true,
  };
}

function oneOf<W extends string>(name: string, text: string | undefined, words: readonly W[], fallback: W): W {
  if (text === undefined) return fallback;
  const word = words.find((known) => known === text);
  if (word === undefined) throw new UsageError(`--${name}: expected ${words.join(', ')}`);
  return word;
}

function compressionOption(text: string | undefined): Compression | undefined {
  return text === undefined ? undefined : oneOf('compression', text, COMPRESSIONS, 'none');
}

function delimiterOption(text: string | undefined, jobs: readonly ExportJob[]): string | undefined {
  if (text === undefined) return undefined;
  checkCells('delimiter', jobs);
  try {
    delimiterByte(text);
  } catch (error) {
    throw new UsageError(`--${messageOf(error)}`);
  }
  return text;
}

function quoteOption(text: string | undefined, jobs: readonly ExportJob[]): (typeof QUOTES)[number] | undefined {
  if (text === undefined) return undefined;
  checkCells('quote', jobs);
  return oneOf('quote', text, QUOTES, 'double');
}

/** What an option says of cells is wrong where there are none. */
function checkCells(name: string, jobs: readonly ExportJob[]): void {
  if (jobs.some(({ format }) => format === 'ndjson' || format === 'parquet')) {
    throw new UsageError(`--${name}: expected none, since there are no cells of text`);
  }
}

function threadsOption(text: string | undefined): number {
  const threads = wholeNumber('threads', text, 1);
  if (threads > THREADS_MAX) throw new UsageError(`--threads: expected at most ${THREADS_MAX}`);
  return threads;
}

interface Running {
  readonly opened: OpenedSet;
  /** With the inventory of the moment, asked for every run: a contract may end while others go on. */
  readonly policyNow: () => Promise<Policy>;
  readonly ledger: Ledger | null;
  readonly stopped: AbortSignal;
  readonly io: Io;
}

async function runAll(given: Given, running: Running): Promise<void> {
  const { policyNow, io } = running;
  const { destination } = given;
  if (!(await policyNow()).destinations.some(({ id }) => id === destination)) {
    io.stderr.write(
      `optgate: --destination ${destination} is not in the inventory; treated as an unknown third party\n`,
    );
  }
  for (const [index, job] of given.jobs.entries()) {
    const progress = new ExportProgress(io, given.jobs.length === 1 ? '' : `${index + 1}/${given.jobs.length}`);
    const manifest = await runOne(given, running, job, progress).finally(() => progress.end());
    io.stdout.write(`${JSON.stringify(manifest)}\n`);
    warnOfUnchecked(manifest, job, io);
  }
}

/** Rows that nobody could be looked up for are told of where they are seen, too: the manifest is for machines. */
function warnOfUnchecked({ rows }: Manifest, { input }: ExportJob, io: Io): void {
  const { keptUnidentifiable, droppedUnreadable } = rows;
  if (keptUnidentifiable > 0) {
    io.stderr.write(`optgate: ${input}: rows kept that name nobody who can be looked up: ${keptUnidentifiable}\n`);
  }
  if (droppedUnreadable > 0) {
    io.stderr.write(`optgate: ${input}: rows left out that cannot be read: ${droppedUnreadable}\n`);
  }
}

async function runOne(given: Given, running: Running, job: ExportJob, progress: ExportProgress): Promise<Manifest> {
  const { opened, policyNow, ledger, stopped, io } = running;
  const { destination, purpose, mode, onUnidentifiable, mapping, recheck, operator, isDryRun } = given;
  const policy = await policyNow();
  const terms = exportTerms({ policy, destination, purpose, now: io.now() });
  const record: RunOptions['record'] = (manifest, index) =>
    ledger === null ? Promise.resolve() : ledger.recordExport(exportRecordOf(manifest, terms), index);
  try {
    return await runExport({
      runId: exportRunIdOf(randomBytes(16)),
      ...job,
      pass: passOf(given, opened.holder, terms, job.format),
      set: opened.set,
      destination,
      purpose,
      terms,
      policyVersion: policy.version,
      operator,
      optgate: packageVersion(),
      filter: {
        format: job.format,
        compression: job.compression.output,
        mapping: mapping.map(({ kind, place }) => `${kind}=${place}`),
        mode,
        onUnidentifiable,
        recheck,
      },
      recheck,
      ...(ledger === null ? {} : { record }),
      isDryRun,
      now: io.now,
      signal: stopped,
      onProgress: (at) => progress.at(at),
    });
  } catch (error) {
    if (error instanceof RowError || error instanceof ParquetError) {
      throw new CommandError(`${job.input}: ${messageOf(error)}`, { cause: error });
    }
    throw error;
  }
}
