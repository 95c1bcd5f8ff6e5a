/**
 * `optgate check`: one decision per bid request.
 * @module
 */
import type { Decision } from '../core/policy/decision.js';
import { type Command, EXIT } from './command.js';
import { GATE_OPTIONS_HELP, setUpGate, unlessRefused } from './gate-options.js';
import { answerBytes } from './lines.js';

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
    const { refusedCount } = await answerBytes(io, (bytes) => {
      if (!withRequest) return decisionLine(unlessRefused(gate.checkBytes(bytes, context)));
      const { decision, outgoing } = unlessRefused(gate.filterBytes(bytes, context));
      const request = outgoing === null ? 'null' : Buffer.from(outgoing).toString();
      return `${decisionLine(decision).slice(0, -1)},"request":${request}}`;
    });
    return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
  },
};

function decisionLine({ action, strip, reasons, seq, stale }: Decision): string {
  return JSON.stringify({ action, strip, reasons, seq, stale });
}
