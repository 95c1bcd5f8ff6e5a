/**
 * `optgate opt-out`: records one person's opt-out.
 * @module
 */
import { RIGHTS } from '../core/vocabulary.js';
import { IdentifierReader } from '../ledger/identity.js';
import { readRequest as checkRequest, type RequestInput } from '../ledger/input.js';
import { IDENTIFIERS_PER_REQUEST_MAX } from '../ledger/limits.js';
import { CHANNELS, SCOPES } from '../ledger/request.js';
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readIdentifiers, readRights } from './identifiers.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { momentMs, timeText } from './time.js';

/** The options that opt-outs and opt-ins share. */
export const REQUEST_OPTIONS = {
  ...LEDGER_OPTION,
  kind: { type: 'string', multiple: true },
  rights: { type: 'string' },
  channel: { type: 'string' },
  state: { type: 'string' },
  scope: { type: 'string' },
  received: { type: 'string' },
  'idempotency-key': { type: 'string' },
  operator: { type: 'string' },
  agent: { type: 'string' },
  'agent-permission': { type: 'string' },
} as const;

export const REQUEST_HELP = `  --kind KIND         kind of VALUE; give it once for each VALUE where one person has several
  --rights LIST       ${RIGHTS.join(', ')}, joined with "|" (default: all)
  --channel NAME      how the request came: ${CHANNELS.join(', ')} (default: api)
  --state CA          state of the person, where it is known
  --scope NAME        ${SCOPES.join(', ')} (default: person)
  --received TIME     when it was received, such as 2026-11-20T10:00:00Z (default: now)
  --idempotency-key K the same key sent again is the same request, not a second one
  --operator NAME     who entered it, for the record
  --agent NAME        who asks for the consumer; with --channel agent
  --agent-permission  yes or no: the consumer's signed permission is on file
${LEDGER_HELP}`;

export const optOut: Command = {
  help: `Usage: optgate opt-out --kind KIND VALUE [options]

Records an opt-out in the ledger and prints one line once it has its place in the change log:
  {"requestId","token","receivedAt","noAskUntil","repeat"}
"token" is the place; an enforcer that has reached it enforces the opt-out. "noAskUntil" is the day before which the
person may not be asked to opt in again (Civ. Code 1798.135(c)(4)). "repeat" is true where the idempotency key was used
before: nothing new was recorded. VALUE may be "-" to read it from standard input, out of the shell's history.
If no other process gives out places, this one does while it waits; a "token" that is null has none yet: the opt-out is
recorded, and comes into force when a process that serves the ledger gives it one.

Options:
${REQUEST_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate opt-out --kind maid 6d92078a-8246-4ba4-ae5b-76104861e7dc --rights 'sale|share' --channel web_form
  optgate opt-out --kind email - --received 2026-11-20T10:00:00Z --idempotency-key ticket-4711 < address.txt
  optgate opt-out --kind email jane@example.com --kind phone '+1 415 555 0100'

Exit codes: 0 recorded, 2 wrong usage or input: nothing was recorded, 3 the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, REQUEST_OPTIONS);
    const location = ledgerLocation(values.ledger, io);
    const request = await readRequest('opt_out', values, positionals, io);
    const receipt = await withLedger(location, io, { mayMake: true }, (ledger) => ledger.recordOptOut(request));
    const { requestId, token, receivedAtMs, noAskUntil, isRepeat } = receipt;
    const said = { requestId, token, receivedAt: timeText(receivedAtMs), noAskUntil, repeat: isRepeat };
    io.stdout.write(`${JSON.stringify(said)}\n`);
    sayIfUnsequenced(token, io);
    return EXIT.ok;
  },
};

type RequestValues = {
  readonly [name in Exclude<keyof typeof REQUEST_OPTIONS, 'kind'>]?: string | undefined;
} & { readonly kind?: string[] | undefined };

/**
 * What the options and values ask for, checked as the ledger does it, before there is a ledger: what is wrong with them
 * costs no connection and makes no folder. @throws {UsageError | InputError}
 */
export async function readRequest(
  nature: 'opt_out' | 'opt_in',
  values: RequestValues,
  given: readonly string[],
  io: Io,
): Promise<RequestInput> {
  const { state, scope, operator, received } = values;
  const idempotencyKey = values['idempotency-key'];
  const request = {
    identifiers: await readIdentifiers(values.kind, given, io),
    rights: readRights(values.rights),
    channel: values.channel ?? 'api',
    ...(scope === undefined ? {} : { scope }),
    ...(state === undefined ? {} : { state: state.toUpperCase() }),
    ...(operator === undefined ? {} : { operator }),
    ...agentOf(values.agent, values['agent-permission']),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(received === undefined ? {} : { receivedAtMs: momentMs('received', received) }),
  };
  const context = { reader: new IdentifierReader(), identifiersMax: IDENTIFIERS_PER_REQUEST_MAX, nowMs: io.now() };
  checkRequest(request, nature, context);
  return request as RequestInput;
}

function agentOf(name: string | undefined, permission: string | undefined): Pick<RequestInput, 'agent'> {
  if (name === undefined && permission === undefined) return {};
  if (permission !== 'yes' && permission !== 'no') throw new UsageError('--agent-permission: expected yes or no');
  if (name === undefined) throw new UsageError('--agent-permission: expected --agent NAME');
  return { agent: { name, permissionOnFile: permission === 'yes' } };
}

/** Says that what was recorded is not in force yet. */
export function sayIfUnsequenced(token: string | null, io: Io): void {
  if (token !== null) return;
  io.stderr.write('optgate: recorded, but it has no place in the change log yet, so it is not in force anywhere\n');
}
