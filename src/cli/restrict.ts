/**
 * `optgate restrict`: the bid requests that may go out, and nothing else.
 * @module
 */

import type { Action } from '../core/vocabulary.js';
import { type Command, EXIT, UsageError } from './command.js';
import { GATE_OPTIONS_HELP, setUpGate, unlessRefused } from './gate-options.js';
import { answerBytes } from './lines.js';

export const restrict: Command = {
  help: `Usage: optgate restrict [options] < requests.ndjson > outgoing.ndjson

Writes each bid request as it may go out: byte for byte as it came when allowed, without what names the person when
restricted, not at all when blocked. Lines that are not bid requests, or are nested too deep to be written, are reported on
standard error as {"error":{"code","line"}} and never passed on. A summary goes to standard error at the end.

Options:
${GATE_OPTIONS_HELP}

Example:
  optgate restrict --set optouts.snap --destination acme < requests.ndjson > outgoing.ndjson

Exit codes: 0 every line was decided, 1 some lines were refused, 2 wrong usage, 3 a file or the system failed.`,

  async run(args, io) {
    const { gate, context, withRequest } = await setUpGate(args, io);
    if (withRequest) throw new UsageError('--with-request belongs to "optgate check"');
    const counts: Record<Action, number> = { allow: 0, restrict: 0, block: 0 };
    const { lineCount, refusedCount } = await answerBytes(
      io,
      (bytes) => {
        const { decision, outgoing } = unlessRefused(gate.filterBytes(bytes, context));
        counts[decision.action]++;
        return outgoing;
      },
      'stderr',
    );
    const { allow, restrict: restricted, block } = counts;
    io.stderr.write(
      `${lineCount} lines: ${allow} allowed, ${restricted} restricted, ${block} blocked, ${refusedCount} refused\n`,
    );
    return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
  },
};
