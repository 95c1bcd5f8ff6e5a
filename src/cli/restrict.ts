/**
 * `optgate restrict`: the bid requests that may go out, and nothing else.
 * @module
 */

import { hasRepeatedKeys } from '../core/openrtb/repeated-keys.js';
import type { Action } from '../core/vocabulary.js';
import { jsonText } from '../rows/lines.js';
import { type Command, EXIT, UsageError } from './command.js';
import { asBidRequest, GATE_OPTIONS_HELP, setUpGate } from './gate-options.js';
import { answerLines } from './lines.js';

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
    const { lineCount, refusedCount } = await answerLines(
      io,
      (value, text) => {
        const request = asBidRequest(value);
        const decision = gate.check(request, context);
        const outgoing = gate.restrict(request, decision);
        // Parsing rounds large numbers, so what is allowed is written from the text, unless that holds a key twice:
        // then it says more than was judged.
        const asItCame = decision.action === 'allow' && !hasRepeatedKeys(text, value);
        const written = asItCame ? text : outgoing === null ? null : jsonText(outgoing);
        counts[decision.action]++;
        return written;
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
