/**
 * `optgate report`: what an audit asks for, as files.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AtomicFile, removeLeftovers } from '../exports/atomic-file.js';
import { REPORT_FORMATS, type ReportFormat } from '../ledger/records/report-text.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';
import { untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { momentMs } from './time.js';

export const report: Command = {
  help: `Usage: optgate report records --since TIME [--until TIME] [--format csv|json] [--rows] [--out FILE]

records     the record of every request received in a period, oldest first, as 11 CCR 7101(b) asks for it: date, nature
            and manner of the request, date and nature of the response, basis of a denial; and besides who recorded and
            who denied it, its identifiers as digests, since when it is in force everywhere, whom to tell of it, and
            what was sent afterwards.

A file appears whole or not at all. Without --out it goes to standard output. docs/records.md has every column.

Options:
  --since TIME        received then or later, such as 2026-11-20 (UTC) or 2026-11-20T10:00:00-08:00
  --until TIME        received before (default: now)
  --format NAME       csv or json (default: json)
  --rows              one record for each row of an import, instead of one for all of it
  --clear-key-file F  also the clear values, opened with the key in F they were sealed with
  --out FILE          where to write
${LEDGER_HELP}

Examples:
  optgate report records --since 2026-01-01 --until 2027-01-01 --format csv --out records-2026.csv

Exit codes: 0 done, 2 wrong usage, 3 a file or the ledger failed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'records':
        return records(rest, io);
      default:
        throw new UsageError('expected "records"');
    }
  },
};

async function records(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    since: { type: 'string' },
    until: { type: 'string' },
    format: { type: 'string' },
    rows: { type: 'boolean' },
    'clear-key-file': { type: 'string' },
    out: { type: 'string' },
  });
  if (positionals.length > 0) throw new UsageError('expected no further argument');
  if (values.since === undefined) throw new UsageError('expected --since TIME');
  const sinceMs = dayOrMomentMs('since', values.since);
  const untilMs = values.until === undefined ? Math.max(sinceMs, io.now()) : dayOrMomentMs('until', values.until);
  if (untilMs < sinceMs) throw new UsageError('--until: expected no earlier moment than --since');
  const format = formatOf(values.format);
  const location = ledgerLocation(values.ledger, io);
  const key = await readKey(values['clear-key-file']);
  const use = { mayMake: false, sequence: false, keepClear: key === null ? null : { key } };
  const { recordsText } = await import('../ledger/index.js');
  return untilInterrupted((stopped) =>
    withLedger(location, io, use, async (ledger) => {
      const options = { sinceMs, untilMs, eachRow: values.rows === true, withClear: key !== null };
      await writeReport(recordsText(ledger.records.requests(options), format), values.out, { io, stopped });
      return EXIT.ok;
    }),
  );
}

async function readKey(path: string | undefined): Promise<Uint8Array | null> {
  if (path === undefined) return null;
  try {
    return await readFile(path);
  } catch (error) {
    throw new CommandError(`--clear-key-file: ${(error as Error).message}`, { cause: error });
  }
}

export function formatOf(text: string | undefined): ReportFormat {
  if (text === undefined) return 'json';
  const format = REPORT_FORMATS.find((known) => known === text);
  if (format === undefined) throw new UsageError(`--format: expected one of ${REPORT_FORMATS.join(', ')}`);
  return format;
}

/** A day begins in UTC. */
function dayOrMomentMs(name: string, text: string): number {
  return momentMs(name, /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
}

/** Writes pieces to a file, whole or not at all, or to standard output. */
export async function writeReport(
  pieces: AsyncIterable<string> | Iterable<string>,
  path: string | undefined,
  { io, stopped }: { readonly io: Io; readonly stopped: AbortSignal },
): Promise<void> {
  if (path === undefined || path === '-') {
    for await (const piece of pieces) {
      stopped.throwIfAborted();
      if (!io.stdout.write(piece)) await new Promise<void>((resolve) => io.stdout.once('drain', () => resolve()));
    }
    return;
  }
  let file: AtomicFile | null = null;
  try {
    await removeLeftovers(path, io.now());
    file = await AtomicFile.create(path, randomBytes(8).toString('hex'));
    for await (const piece of pieces) {
      stopped.throwIfAborted();
      await file.write(Buffer.from(piece));
    }
    await file.seal();
    await file.publish();
  } catch (error) {
    await file?.discard();
    if (isSystemError(error)) throw new CommandError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}
