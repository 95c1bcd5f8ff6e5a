/**
 * `optgate restrict`: the bid requests that may go out, and nothing else.
 * @module
 */
import { type Command, EXIT, UsageError } from './command.js';
import { asBidRequest, GATE_OPTIONS_HELP, setUpGate } from './gate-options.js';
import { answerLines } from './lines.js';

export const restrict: Command = {
  name: 'restrict',
  summary: 'pass bid requests on as they may go out; drop those that may not',
  help: `Usage: optgate restrict [options] < requests.ndjson > outgoing.ndjson

Writes each bid request as it may go out: as it came when allowed, without what names the person when restricted,
not at all when blocked. Lines that are not bid requests are reported on standard error and never passed on.
A summary goes to standard error at the end.

Options:
${GATE_OPTIONS_HELP}

Example:
  optgate restrict --set optouts.snap --destination acme < requests.ndjson > outgoing.ndjson

Exit codes: 0 every line was decided, 1 some lines were refused, 2 wrong usage, 3 a file failed.`,

  async run(args, io) {
    const { gate, context, withRequest } = await setUpGate(args, io);
    if (withRequest) throw new UsageError('--with-request belongs to "optgate check"');
    const { lineCount, refusedCount } = await answerLines(
      io,
      (value) => {
        const request = asBidRequest(value);
        const outgoing = gate.restrict(request, gate.check(request, context));
        return outgoing === null ? null : JSON.stringify(outgoing);
      },
      'stderr',
    );
    const { allow, restrict: restricted, block } = gate.stats().actions;
    io.stderr.write(
      `${lineCount} lines: ${allow} allowed, ${restricted} restricted, ${block} blocked, ${refusedCount} refused\n`,
    );
    return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
  },
};
