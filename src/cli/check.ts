/**
 * `optgate check`: one decision per bid request.
 * @module
 */

import { jsonText } from '../rows/lines.js';
import { type Command, EXIT } from './command.js';
import { asBidRequest, GATE_OPTIONS_HELP, setUpGate } from './gate-options.js';
import { answerLines } from './lines.js';

export const check: Command = {
  help: `Usage: optgate check [options] < requests.ndjson

Reads one OpenRTB bid request (2.5, 2.6 or 3.0) a line and writes one decision a line, in the same order:
  {"action":"restrict","strip":["ids","eids",...],"reasons":["gpc.regs"],"seq":42,"stale":false}
A line that is not JSON or not a bid request, or with --with-request is nested too deep to be written, gives
{"error":{"code","line"}}; the run goes on and exits 1 at its end. "seq" is null without --set.

Options:
${GATE_OPTIONS_HELP}
  --with-request      add "request": the request that may go out, null where blocked

Examples:
  optgate check < requests.ndjson
  optgate check --set optouts.snap --policy policy.json --destination acme --with-request < requests.ndjson

Exit codes: 0 every line was decided, 1 some lines were refused, 2 wrong usage, 3 a file or the system failed.`,

  async run(args, io) {
    const { gate, context, withRequest } = await setUpGate(args, io);
    const { refusedCount } = await answerLines(io, (value) => {
      const request = asBidRequest(value);
      const decision = gate.check(request, context);
      const { action, strip, reasons, seq, stale } = decision;
      const line = { action, strip, reasons, seq, stale };
      return jsonText(withRequest ? { ...line, request: gate.restrict(request, decision) } : line);
    });
    return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
  },
};
