/**
 * `optgate import`: records a list of opt-outs as one request, in many small transactions.
 *
 * A file is read twice: first its digest, which makes the same file sent twice one request, and an import that broke off
 * go on where it was; then its rows.
 * @module
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ImportReceipt } from '../ledger/index.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';
import { EXIT_INTERRUPTED, untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { sayIfUnsequenced } from './opt-out.js';
import { createProgress } from './progress.js';
import { type RowFormat, readUncheckedRows } from './rows.js';

export const importList: Command = {
  help: `Usage: optgate import LIST [options]

Records every row of LIST (.csv with a header, .ndjson; "-" with --format for standard input) as an opt-out, and prints
  {"requestId","token","rowCount","identifierCount","refusedCount","repeat"}
Rows are as for "optgate set build":
  kind,value,rights
  maid,6d92078a-8246-4ba4-ae5b-76104861e7dc,sale|share
  email,jane@example.com,
A row that cannot be used is reported with its line number on standard error; the others are recorded, and the exit code
is 1. Memory stays the same however long the list is. A list that was stopped half-way (Ctrl-C, a crash) goes on when the
same command is run again: nothing is recorded twice.

Options:
  --format csv|ndjson   format of LIST where its name does not tell
  --channel NAME        how the requests came (default: import); drop for California's deletion list
  --idempotency-key K   the same key again is the same request (default: made of the SHA-256 of the file, so that the
                        same file sent twice is one request; standard input has none)
  --operator NAME       who entered it, for the record
${LEDGER_HELP}

Examples:
  optgate import suppressed.csv
  optgate import --ledger postgres://ledger.internal/optgate --operator crm suppressed.ndjson
  zcat suppressed.csv.gz | optgate import --format csv --idempotency-key crm-2026-11-24 -

Exit codes: 0 recorded, 1 recorded but for some rows, 2 wrong usage, 3 the list or the ledger failed, 130 stopped.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      format: { type: 'string' },
      channel: { type: 'string' },
      'idempotency-key': { type: 'string' },
      operator: { type: 'string' },
    });
    const [list, ...more] = positionals;
    if (list === undefined || more.length > 0) throw new UsageError('expected one LIST');
    const format = formatOf(list, values.format);
    const location = ledgerLocation(values.ledger, io);
    const sourceDigest = list === '-' ? undefined : await digestOf(list);
    const idempotencyKey =
      values['idempotency-key'] ?? (sourceDigest === undefined ? undefined : `file:${sourceDigest.toString('hex')}`);
    const { channel, operator } = values;
    const request = {
      ...(channel === undefined ? {} : { channel: channel as 'import' }),
      ...(operator === undefined ? {} : { operator }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(sourceDigest === undefined ? {} : { sourceDigest }),
    };
    return untilInterrupted(async (signal) => {
      const progress = createProgress(io, 'rows');
      let refusedHere = 0;
      const refuse = (line: number, field: string, message: string) => {
        refusedHere++;
        progress.clear();
        io.stderr.write(`line ${line}: ${field}: ${message}\n`);
      };
      const rows = readUncheckedRows(inputOf(list, io), format, refuse);
      let receipt: ImportReceipt;
      try {
        receipt = await withLedger(location, io, { mayMake: true }, (ledger) =>
          ledger.importOptOuts(rows, {
            ...request,
            signal,
            onProgress: ({ rowCount }) => progress.at(rowCount),
            onRefused: ({ line, field, message }) => refuse(line, field, message),
          }),
        );
      } catch (error) {
        progress.end();
        if (!signal.aborted) throw error;
        const again = idempotencyKey === undefined ? 'give it an --idempotency-key to go on' : 'run it again to go on';
        io.stderr.write(`optgate import: stopped; what was committed stays recorded, ${again}\n`);
        return EXIT_INTERRUPTED;
      }
      progress.end();
      const { requestId, token, rowCount, identifierCount, isRepeat } = receipt;
      const refusedCount = isRepeat ? receipt.refusedCount : refusedHere;
      const summary = { requestId, token, rowCount, identifierCount, refusedCount, repeat: isRepeat };
      io.stdout.write(`${JSON.stringify(summary)}\n`);
      sayIfUnsequenced(token, io);
      return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
    });
  },
};

function inputOf(list: string, io: Io): AsyncIterable<Uint8Array> {
  return list === '-' ? (io.stdin as AsyncIterable<Uint8Array>) : createReadStream(list);
}

function formatOf(list: string, given: string | undefined): RowFormat {
  const named = given ?? (/\.csv$/i.test(list) ? 'csv' : /\.(ndjson|jsonl)$/i.test(list) ? 'ndjson' : undefined);
  if (named === 'csv' || named === 'ndjson') return named;
  throw new UsageError('expected a LIST that ends in .csv, .ndjson or .jsonl, or --format csv|ndjson');
}

/** SHA-256 of a file. @throws {CommandError} */
async function digestOf(path: string): Promise<Buffer> {
  const digest = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) digest.update(chunk as Uint8Array);
  } catch (error) {
    throw new CommandError(`${path}: ${isSystemError(error) ? error.message : 'cannot be read'}`, { cause: error });
  }
  return digest.digest();
}
