/**
 * `optgate status`: what is recorded for one identifier, and how far a request has come.
 * @module
 */

import type { Identifier } from '../core/vocabulary.js';
import type { Ledger, Propagation } from '../ledger/index.js';
import { isRequestId } from '../ledger/request.js';
import { type Command, EXIT, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readIdentifier } from './identifiers.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

export const status: Command = {
  help: `Usage: optgate status --kind KIND VALUE [--ledger URL|DIR]
       optgate status --request ID [--ledger URL|DIR]

The first form prints what is recorded for an identifier, in whatever dialect it was recorded, newest request first:
  {"rights","since","noAskUntil","token","requests":[{"requestId","nature","channel","status","inForce","receivedAt","dueAt",
   "deadlineState","processedAt","token","inForceOn","enforcerCount","inForceEverywhereAt"}]}
The second prints how far one request has come, when it is due, and "enforcers": for each one when it had the request
in force, and whether it has fallen silent. VALUE may be "-" to read it from standard input, out of the shell's history.

Options:
  --kind KIND         kind of VALUE
  --request ID        id of a request, as "optgate opt-out" printed it
${LEDGER_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate status --kind email jane@example.com
  optgate status --request r_c2lYdGVlbl9ieXRlc18hIQ

Exit codes: 0 answered, whatever the answer is, 2 wrong usage, 3 there is no such request, or the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      kind: { type: 'string', multiple: true },
      request: { type: 'string' },
    });
    const { request: requestId } = values;
    const location = ledgerLocation(values.ledger, io);
    let answer: (ledger: Ledger) => Promise<object>;
    if (requestId === undefined) {
      const identifier = await readIdentifier(values.kind, positionals, io);
      answer = (ledger) => statusOf(ledger, identifier);
    } else {
      if (values.kind !== undefined || positionals.length > 0) throw new UsageError('expected --request ID alone');
      if (!isRequestId(requestId)) throw new UsageError('--request: expected r_ and 22 characters');
      answer = (ledger) => propagationOf(ledger, requestId);
    }
    // a command that only looks gives out no places in the log
    const found = await withLedger(location, io, { mayMake: false, sequence: false }, answer);
    io.stdout.write(`${JSON.stringify(found)}\n`);
    return EXIT.ok;
  },
};

async function statusOf(ledger: Ledger, identifier: Identifier): Promise<object> {
  const { rights, sinceMs, noAskUntil, token, requests } = await ledger.statusOf(identifier);
  const shown = [];
  for (const { requestId, nature, channel, status, isInForce, dueAtMs, deadlineState } of requests) {
    const { requestId: _, ...progress } = progressOf(await ledger.propagation(requestId));
    const due = { dueAt: timeText(dueAtMs), deadlineState };
    shown.push({ requestId, nature, channel, status, inForce: isInForce, ...due, ...progress });
  }
  return { rights, since: timeText(sinceMs), noAskUntil, token, requests: shown };
}

async function propagationOf(ledger: Ledger, requestId: string): Promise<object> {
  const propagation = await ledger.propagation(requestId);
  const enforcers = propagation.enforcers.map((one) => {
    const { id, name, role, inForceAtMs, isSilent, isRetired, isLater } = one;
    return { id, name, role, inForceAt: timeText(inForceAtMs), silent: isSilent, retired: isRetired, later: isLater };
  });
  const { dueAtMs, dueOn, deadlineState, compliedAtMs } = await ledger.request(requestId);
  const due = { dueAt: timeText(dueAtMs), dueOn, deadlineState, compliedAt: timeText(compliedAtMs) };
  return { ...progressOf(propagation), ...due, enforcers };
}

function progressOf(propagation: Propagation) {
  const { requestId, receivedAtMs, processedAtMs, token, inForceOn, enforcerCount, inForceEverywhereAtMs } =
    propagation;
  return {
    requestId,
    receivedAt: timeText(receivedAtMs),
    processedAt: timeText(processedAtMs),
    token,
    inForceOn,
    enforcerCount,
    inForceEverywhereAt: timeText(inForceEverywhereAtMs),
  };
}
