/**
 * `optgate deny`: denies a request on a documented basis.
 * @module
 */
import { InputError } from '../core/errors.js';
import { isRequestId } from '../ledger/request.js';
import { type Command, EXIT, parseOptions, UsageError } from './command.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

export const deny: Command = {
  help: `Usage: optgate deny --request ID --basis TEXT [options]

Denies an opt-out, or an opt-in that is not confirmed yet, on a documented basis, such as a good-faith belief that it is
fraudulent (11 CCR 7026(e)); the record says who, when and why. What the request alone has put in force ends; what the
same identifiers hold through another request or a list stays, and so does what anybody else holds. Prints
  {"requestId","status","deniedAt","deniedBy","basis","token","remaining","repeat"}
"remaining" are rights its identifiers still have. A list is many people's requests, and cannot be denied as one.

Options:
  --request ID        id of the request, as "optgate opt-out" printed it
  --basis TEXT        why, up to 2,000 characters; nothing that names the consumer
  --operator NAME     who denies it (default: the user of the system)
${LEDGER_HELP}

Examples:
  optgate deny --request r_c2lYdGVlbl9ieXRlc18hIQ --basis 'made by a script: 900 requests from one address, see case 12'

Exit codes: 0 denied, also if it was before, 2 wrong usage, 3 there is no such request, or the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      request: { type: 'string' },
      basis: { type: 'string' },
      operator: { type: 'string' },
    });
    const { request: requestId = '', basis, operator } = values;
    if (positionals.length > 0) throw new UsageError('expected only options');
    if (!isRequestId(requestId)) throw new UsageError('--request: expected r_ and 22 characters');
    if (basis === undefined) throw new InputError('basis', 'required', 'expected --basis TEXT');
    const location = ledgerLocation(values.ledger, io);
    const denial = await withLedger(location, io, { mayMake: false }, (ledger) =>
      ledger.records.deny({ requestId, basis, operator }),
    );
    const { deniedAtMs, deniedBy, token, remaining, isRepeat } = denial;
    const said = { deniedAt: timeText(deniedAtMs), deniedBy, basis: denial.basis, token, remaining, repeat: isRepeat };
    io.stdout.write(`${JSON.stringify({ requestId, status: 'denied', ...said })}\n`);
    return EXIT.ok;
  },
};
