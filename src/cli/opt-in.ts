/**
 * `optgate opt-in`: takes an opt-out back, in two steps.
 * @module
 */
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readSecret } from './identifiers.js';
import { LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { REQUEST_HELP, REQUEST_OPTIONS, readRequest, sayIfUnsequenced } from './opt-out.js';
import { timeText } from './time.js';

export const optIn: Command = {
  help: `Usage: optgate opt-in --kind KIND VALUE [options]
       optgate opt-in --confirm REQUEST_ID CODE [options]

Takes an opt-out back. Consent after an opt-out counts only if the person asks for it and then, separately, confirms it
(11 CCR 7028(a)), so there are two steps, and nothing changes before the second:

1. records the request and prints {"requestId","status":"pending","confirmation","confirmBy"}. "confirmation" is a code
   for the person alone, shown this once: send it where they can confirm with it. After "confirmBy" it is worth nothing.
2. --confirm takes the code back and prints {"requestId","token","remaining"}: "token" is the place in the change log from
   which the opt-in is in force, "remaining" the rights these identifiers are still opted out of, since an opt-in takes
   back only what the same identifiers were opted out of, never what another person's request covers. The same code
   again gives the same answer.

VALUE or CODE may be "-" to read it from standard input, out of the shell's history.

Options:
${REQUEST_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate opt-in --kind email jane@example.com --channel web_form
  optgate opt-in --confirm r_pJ1wqSCQ9ugdVGrGNzZrGw - < code.txt

Exit codes: 0 done, 2 wrong usage, input or code: nothing was changed, 3 the ledger failed.`,

  async run(args, io) {
    const confirmAt = args.indexOf('--confirm');
    return confirmAt < 0 ? ask(args, io) : confirm(args, confirmAt, io);
  },
};

async function ask(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, REQUEST_OPTIONS);
  const location = ledgerLocation(values.ledger, io);
  const request = await readRequest('opt_in', values, positionals, io);
  const pending = await withLedger(location, io, { mayMake: false }, (ledger) => ledger.recordOptIn(request));
  const { requestId, status, confirmation, confirmByMs } = pending;
  io.stdout.write(`${JSON.stringify({ requestId, status, confirmation, confirmBy: timeText(confirmByMs) })}\n`);
  if (pending.isRepeat) io.stderr.write('optgate: asked for before; the code was shown then, and is not kept\n');
  return EXIT.ok;
}

/** The id and the code are taken as they are: a code may look like an option. */
async function confirm(args: readonly string[], confirmAt: number, io: Io): Promise<number> {
  const [requestId, given] = args.slice(confirmAt + 1, confirmAt + 3);
  if (requestId === undefined || given === undefined) throw new UsageError('expected --confirm REQUEST_ID CODE');
  const { values, positionals } = parseOptions(args.toSpliced(confirmAt, 3), LEDGER_OPTION);
  if (positionals.length > 0) throw new UsageError('expected --confirm REQUEST_ID CODE and nothing else');
  const location = ledgerLocation(values.ledger, io);
  const code = given === '-' ? await readSecret(io, 'CODE') : given;
  const receipt = await withLedger(location, io, { mayMake: false }, (ledger) => ledger.confirmOptIn(requestId, code));
  const { token, remaining } = receipt;
  io.stdout.write(`${JSON.stringify({ requestId: receipt.requestId, token, remaining })}\n`);
  sayIfUnsequenced(token, io);
  return EXIT.ok;
}
