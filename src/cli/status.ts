/**
 * `optgate status`: what is recorded for one identifier, and how far a request has come.
 * @module
 */

import type { Propagation } from '../ledger/index.js';
import { isRequestId } from '../ledger/request.js';
import { type Command, EXIT, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readIdentifier } from './identifiers.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';

/** Requests of one identifier whose propagation is looked up. */
const REQUESTS_MAX = 100;

export const status: Command = {
  help: `Usage: optgate status --kind KIND VALUE [--ledger URL|DIR]
       optgate status --request ID [--ledger URL|DIR]

The first form prints what is recorded for an identifier, in whatever dialect it was recorded:
  {"rights","since","noAskUntil","token","requests":[{"requestId","nature","channel","status","receivedAt",
   "processedAt","inForceOn","enforcers","inForceEverywhereAt"}]}
The second prints how far one request has come, with every enforcer: when it had the request in force, and whether it has
fallen silent. Both end with exit code 0, whatever the answer is. VALUE may be "-" to read it from standard input.

Options:
  --kind KIND         kind of VALUE
  --request ID        id of a request, as "optgate opt-out" printed it
${LEDGER_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate status --kind email jane@example.com
  optgate status --request r_c2lYdGVlbl9ieXRlc18hIQ

Exit codes: 0 answered, 2 wrong usage, 3 there is no such request, or the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      kind: { type: 'string', multiple: true },
      request: { type: 'string' },
    });
    const { request: requestId } = values;
    const location = ledgerLocation(values.ledger, io);
    if (requestId !== undefined) {
      if (values.kind !== undefined || positionals.length > 0) throw new UsageError('expected --request ID alone');
      if (!isRequestId(requestId)) throw new UsageError('--request: expected an id that begins with r_');
      const found = await withLedger(location, io, READS, (ledger) => ledger.propagation(requestId));
      io.stdout.write(`${JSON.stringify({ ...summaryOf(found), enforcers: enforcersOf(found) })}\n`);
      return EXIT.ok;
    }
    const identifier = await readIdentifier(values.kind, positionals, io);
    const answer = await withLedger(location, io, READS, async (ledger) => {
      const { rights, sinceMs, noAskUntil, token, requests } = await ledger.statusOf(identifier);
      const shown = [];
      for (const { requestId: id, nature, channel, status: how } of requests.slice(0, REQUESTS_MAX)) {
        shown.push({ nature, channel, status: how, ...summaryOf(await ledger.propagation(id)) });
      }
      return { rights, since: timeOf(sinceMs), noAskUntil, token, requests: shown };
    });
    io.stdout.write(`${JSON.stringify(answer)}\n`);
    return EXIT.ok;
  },
};

/** A command that only looks gives out no places in the log. */
const READS = { mayMake: false, sequence: false } as const;

function summaryOf(found: Propagation) {
  const { requestId, receivedAtMs, processedAtMs, token, inForceOn, enforcerCount, inForceEverywhereAtMs } = found;
  return {
    requestId,
    receivedAt: timeOf(receivedAtMs),
    processedAt: timeOf(processedAtMs),
    token,
    inForceOn,
    enforcers: enforcerCount,
    inForceEverywhereAt: timeOf(inForceEverywhereAtMs),
  };
}

function enforcersOf({ enforcers }: Propagation) {
  return enforcers.map(({ id, name, role, inForceAtMs, isSilent, isRetired, isLater }) => ({
    ...{ id, name, role },
    inForceAt: timeOf(inForceAtMs),
    ...{ silent: isSilent, retired: isRetired, later: isLater },
  }));
}

/** A moment as people and machines read it. */
export function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
