/**
 * `optgate retention` and `optgate erase`: erase who requests were about, once they need not be kept.
 * @module
 */
import { isRequestId } from '../ledger/request.js';
import { RETENTION_MONTHS_MIN } from '../ledger/retention.js';
import { type Command, EXIT, parseOptions, UsageError, wholeNumber } from './command.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

const WHAT_STAYS = `Opt-outs stay in force, the record of the request and its answer stays, and the audit trail stays valid. What goes:
identifiers and digests of the request, values kept encrypted, and the salts that tie the trail to them. Then the digests
can no longer be published ("optgate publish --parquet" refuses a set with holes) nor be sent as gap notices.`;

export const retention: Command = {
  help: `Usage: optgate retention [--months N] [--dry-run] [--ledger URL|DIR]

Erases the identifiers of requests that were answered longer ago than N months, and prints
  {"before","requests","identifiers","lookUps","dryRun"}
${WHAT_STAYS}

Options:
  --months N          months that records are kept: ${RETENTION_MONTHS_MIN} at least (11 CCR 7101(a)), and unless told
  --dry-run           only say what would be erased
${LEDGER_HELP}

Examples:
  optgate retention --dry-run
  optgate retention --ledger postgres://ledger.internal/optgate --months 36

Exit codes: 0 done, 2 wrong usage, 3 the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      months: { type: 'string' },
      'dry-run': { type: 'boolean' },
    });
    if (positionals.length > 0) throw new UsageError('expected only options');
    const months = wholeNumber('months', values.months, RETENTION_MONTHS_MIN);
    const isDryRun = values['dry-run'] === true;
    const location = ledgerLocation(values.ledger, io);
    const use = { mayMake: false, sequence: false, now: () => io.now() };
    const report = await withLedger(location, io, use, (ledger) => ledger.retention({ months, isDryRun }));
    const { beforeMs, requestCount: requests, identifierCount: identifiers, lookUpCount: lookUps } = report;
    const said = { before: timeText(beforeMs), requests, identifiers, lookUps, dryRun: isDryRun };
    io.stdout.write(`${JSON.stringify(said)}\n`);
    return EXIT.ok;
  },
};

export const erase: Command = {
  help: `Usage: optgate erase --request ID [--ledger URL|DIR]

Erases the identifiers of one request that was answered, and prints {"requestId","identifiers","repeat"}.
${WHAT_STAYS}
Who asked is to be kept for ${RETENTION_MONTHS_MIN} months (11 CCR 7101(a)); this command does not look at the date.

Options:
  --request ID        id of the request, as "optgate opt-out" printed it
${LEDGER_HELP}

Example:
  optgate erase --request r_c2lYdGVlbl9ieXRlc18hIQ

Exit codes: 0 done, 2 wrong usage, or the request was not answered yet, 3 there is no such request, or the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, { ...LEDGER_OPTION, request: { type: 'string' } });
    const { request } = values;
    if (request === undefined || positionals.length > 0) throw new UsageError('expected --request ID');
    if (!isRequestId(request)) throw new UsageError('--request: expected r_ and 22 characters');
    const location = ledgerLocation(values.ledger, io);
    const use = { mayMake: false, sequence: false };
    const { identifierCount, isRepeat } = await withLedger(location, io, use, (ledger) => ledger.erase(request));
    io.stdout.write(`${JSON.stringify({ requestId: request, identifiers: identifierCount, repeat: isRepeat })}\n`);
    return EXIT.ok;
  },
};
