/**
 * `optgate report`: what an audit asks for, as files.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AtomicFile } from '../exports/atomic-file.js';
import { REPORT_FORMATS, type ReportFormat } from '../ledger/records/report-text.js';
import { removeLeftovers } from '../temporary-files.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';
import { untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { momentMs } from './time.js';

export const report: Command = {
  help: `Usage: optgate report records --since TIME [--until TIME] [--format csv|json] [--rows] [--out FILE]
       optgate report metrics --year YEAR [--format csv|json] [--out FILE]
       optgate report quarter --quarter 2026Q4 [--format json|md] [--out FILE]

records     the record of every request received in a period, oldest first, as 11 CCR 7101(b) asks for it: date, nature
            and manner of the request, date and nature of the response, basis of a denial; and besides who recorded and
            who denied it, its identifiers as digests, since when it is in force everywhere, whom to tell of it, and
            what was sent afterwards.
metrics     what is published each year (11 CCR 7102(a)): for each right how many requests were received, complied with
            and denied, and the median and mean of days.
quarter     what a quarter brought: requests by channel, time to effect, exports and what they dropped, exemptions used,
            changes of the data inventory, what was late. "md" is to be read.

A file appears whole or not at all. Without --out it goes to standard output. docs/records.md has every column.

Options:
  --since TIME        received then or later, such as 2026-11-20 (UTC) or 2026-11-20T10:00:00-08:00
  --until TIME        received before (default: now)
  --format NAME       json (default), csv; of a quarter json, md
  --year YEAR         a calendar year, as California counts it
  --quarter 2026Q4    a quarter of one
  --rows              one record for each row of an import, instead of one for all of it
  --clear-key-file F  also the clear values, opened with the key in F they were sealed with
  --out FILE          where to write
${LEDGER_HELP}

Examples:
  optgate report records --since 2026-01-01 --until 2027-01-01 --format csv --out records-2026.csv
  optgate report metrics --year 2026 --format csv
  optgate report quarter --quarter 2026Q4 --format md --out 2026Q4.md

Exit codes: 0 done, 2 wrong usage, 3 a file or the ledger failed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'records':
        return records(rest, io);
      case 'metrics':
        return metrics(rest, io);
      case 'quarter':
        return quarter(rest, io);
      default:
        throw new UsageError('expected "records", "metrics" or "quarter"');
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

async function metrics(args: readonly string[], io: Io): Promise<number> {
  const options = {
    ...LEDGER_OPTION,
    year: { type: 'string' },
    format: { type: 'string' },
    out: { type: 'string' },
  } as const;
  const { values, positionals } = parseOptions(args, options);
  if (positionals.length > 0) throw new UsageError('expected no further argument');
  if (!/^(?:19|20)\d{2}$/.test(values.year ?? '')) throw new UsageError('expected --year YEAR');
  const year = Number(values.year);
  const format = formatOf(values.format);
  const location = ledgerLocation(values.ledger, io);
  const { METRIC_COLUMNS, metricsJson, reportText } = await import('../ledger/index.js');
  const use = { mayMake: false, sequence: false };
  const found = await withLedger(location, io, use, (ledger) => ledger.records.metrics(year));
  const rows = found.rights.map((one) => ({ year, ...one }));
  const pieces =
    format === 'json'
      ? [`${JSON.stringify(metricsJson(found), null, 2)}\n`]
      : reportText(rows, format, { columns: METRIC_COLUMNS, json: (row) => row });
  await untilInterrupted((stopped) => writeReport(pieces, values.out, { io, stopped }));
  return EXIT.ok;
}

async function quarter(args: readonly string[], io: Io): Promise<number> {
  const options = {
    ...LEDGER_OPTION,
    quarter: { type: 'string' },
    format: { type: 'string' },
    out: { type: 'string' },
  } as const;
  const { values, positionals } = parseOptions(args, options);
  const { quarter: name = '', format = 'json' } = values;
  if (positionals.length > 0) throw new UsageError('expected no further argument');
  if (!/^\d{4}-?Q[1-4]$/.test(name)) throw new UsageError('expected --quarter, such as 2026Q4');
  if (format !== 'json' && format !== 'md') throw new UsageError('--format: expected json or md');
  const location = ledgerLocation(values.ledger, io);
  const { quarterJson, quarterMarkdown } = await import('../ledger/index.js');
  const use = { mayMake: false, sequence: false };
  const found = await withLedger(location, io, use, (ledger) => ledger.records.quarter(name));
  const text = format === 'md' ? quarterMarkdown(found) : `${JSON.stringify(quarterJson(found), null, 2)}\n`;
  await untilInterrupted((stopped) => writeReport([text], values.out, { io, stopped }));
  return EXIT.ok;
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
