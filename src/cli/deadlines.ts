/**
 * `optgate deadlines`: the requests that are overdue, or nearly so.
 * @module
 */
import { type Command, EXIT, parseOptions, UsageError, wholeNumber } from './command.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

export const deadlines: Command = {
  help: `Usage: optgate deadlines [options]

Prints the requests that are not in force everywhere and whose deadline has passed or is near, the most urgent first:
  {"requestId","nature","channel","status","rights","receivedAt","dueAt","dueOn","deadlineState","deadlineRule",
   "inForceOn","enforcerCount"}
and at last {"overdue","nearlyOverdue","open"}, which counts all of them. "deadlineState" is overdue or nearly_overdue;
"inForceOn" of "enforcerCount" enforcers have it in force. docs/records.md has the table of deadlines.

Options:
  --nearly N          business days before the last one from when on it is nearly overdue (default: 3)
  --limit N           requests that are listed, up to 1000 (default: 100)
${LEDGER_HELP}

Examples:
  optgate deadlines --ledger postgres://ledger.internal/optgate
  optgate deadlines --nearly 5 | jq -r 'select(.deadlineState == "overdue") | .requestId'

Exit codes: 0 nothing is overdue, 1 something is, 2 wrong usage, 3 the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      nearly: { type: 'string' },
      limit: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError('expected only options');
    const options = {
      nearlyBusinessDays: values.nearly === undefined ? undefined : wholeNumber('nearly', values.nearly, 0),
      limit: values.limit === undefined ? undefined : wholeNumber('limit', values.limit, 0),
    };
    const location = ledgerLocation(values.ledger, io);
    const use = { mayMake: false, sequence: false };
    const list = await withLedger(location, io, use, (ledger) => ledger.records.deadlines(options));
    for (const { receivedAtMs, dueAtMs, ...one } of list.requests) {
      const shown = { ...one, receivedAt: timeText(receivedAtMs), dueAt: timeText(dueAtMs) };
      io.stdout.write(`${JSON.stringify(shown)}\n`);
    }
    const { overdueCount, nearlyOverdueCount, openCount } = list;
    const counts = { overdue: overdueCount, nearlyOverdue: nearlyOverdueCount, open: openCount };
    io.stdout.write(`${JSON.stringify(counts)}\n`);
    return overdueCount > 0 ? EXIT.someRefused : EXIT.ok;
  },
};
