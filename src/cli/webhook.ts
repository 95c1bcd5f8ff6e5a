/**
 * `optgate webhook`: who is told of opt-outs over HTTP, what became of it, and sending it again.
 * @module
 */
import { readFileSync } from 'node:fs';
import {
  DELIVERY_STATES,
  type Delivery,
  type DeliveryState,
  EVENT_KINDS,
  type EventKind,
  type Ledger,
  type Replay,
  type Webhook,
} from '../ledger/index.js';
import { checkTarget, sendTest } from '../webhooks/index.js';
import { type Command, CommandError, EXIT, type Io, parseOptions, UsageError, wholeNumber } from './command.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { durationMs, momentMs, timeText } from './time.js';

/** The setting of the sidecar, as its variable. */
const KEY_FILE_VARIABLE = 'OPTGATE_INTAKE_KEEP_CLEAR_KEY_FILE';

export const webhook: Command = {
  help: `Usage: optgate webhook add ID URL [--events LIST] [--allow-private] [--values] [--disabled]
       optgate webhook list
       optgate webhook remove ID
       optgate webhook test ID
       optgate webhook deliveries ID [--state dead] [--limit N]
       optgate webhook replay ID (--dead | --from EVENT-ID | --since TIME)
       optgate webhook rotate ID [--overlap 24h]

Tells a CRM or any other system of opt-outs by signed HTTP requests (docs/webhooks.md). "optgate serve" sends them.

add         adds a consumer, which is told of what happens from now on, and prints its secret, once; or changes one.
list        prints one line for each: how far it is, and what was answered last.
test        sends a signed event that tells of nothing, now; exits 1 if it was not accepted.
deliveries  prints what became of events, the newest first.
replay      sends events again: all dead ones, or everything from an event or a moment on.
rotate      makes another secret and prints it, once; for a while deliveries are signed with both.

Options:
  --events LIST       ${EVENT_KINDS.join(',\n                      ')} (default: all)
  --allow-private     it may be on a loopback or private address
  --values            also send clear values, where the ledger keeps them
  --disabled          send nothing for now
  --state STATE       ${DELIVERY_STATES.join(', ')}
  --limit N           most lines (default: 100)
  --overlap D         how long the secret before stays valid (default: 24h)
  --key-file FILE     key that the ledger seals with (default: ${KEY_FILE_VARIABLE})
${LEDGER_HELP}

Examples:
  optgate webhook add crm https://crm.example.com/hooks/optgate --events opt_out.recorded,opt_in.confirmed
  optgate webhook test crm
  optgate webhook replay crm --dead

Exit codes: 0 done, 1 a test was not accepted, 2 wrong usage, 3 there is no such webhook, or the ledger failed.`,

  async run(args, io) {
    const [action = '', ...rest] = args;
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action as keyof typeof ACTIONS] : undefined;
    if (run === undefined) throw new UsageError(`expected one of ${Object.keys(ACTIONS).join(', ')}`);
    return run(rest, io);
  },
};

const ACTIONS = { add, list, remove, test, deliveries, replay, rotate } as const;

const COMMON = { ...LEDGER_OPTION, 'key-file': { type: 'string' } } as const;

interface CommonValues {
  readonly ledger?: string | undefined;
  readonly 'key-file'?: string | undefined;
}

async function add(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...COMMON,
    events: { type: 'string' },
    'allow-private': { type: 'boolean' },
    values: { type: 'boolean' },
    disabled: { type: 'boolean' },
  });
  const [id, url, ...more] = positionals;
  if (id === undefined || url === undefined || more.length > 0) throw new UsageError('expected ID and URL');
  const allowPrivate = values['allow-private'] === true;
  const events = values.events?.split(',').map((one) => one.trim());
  const unknown = events?.findIndex((one) => !EVENT_KINDS.includes(one as EventKind)) ?? -1;
  if (unknown >= 0) throw new UsageError(`--events: expected some of ${EVENT_KINDS.join(', ')}`);
  await checkTarget(url, allowPrivate);
  const terms = {
    ...{ url, allowPrivate, enabled: values.disabled !== true, values: values.values === true },
    ...(events === undefined ? {} : { events: events as EventKind[] }),
  };
  return use(values, io, async ({ webhooks }) => {
    const { webhook, secret } = await webhooks.put(id, terms);
    print(io, { ...shown(webhook), ...(secret === null ? {} : { secret }) });
    return EXIT.ok;
  });
}

async function list(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, COMMON);
  if (positionals.length > 0) throw new UsageError('expected only options');
  return use(values, io, async ({ webhooks }) => {
    for (const one of await webhooks.list()) print(io, shown(one));
    return EXIT.ok;
  });
}

async function remove(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, COMMON);
  const id = onlyId(positionals);
  return use(values, io, async ({ webhooks }) => {
    if (!(await webhooks.remove(id))) throw unknownWebhook();
    return EXIT.ok;
  });
}

async function test(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, COMMON);
  const id = onlyId(positionals);
  return use(values, io, async (ledger) => {
    const result = await sendTest(ledger, id);
    if (result === null) throw unknownWebhook();
    const { isDelivered, ...same } = result;
    print(io, { delivered: isDelivered, ...same });
    return isDelivered ? EXIT.ok : EXIT.someRefused;
  });
}

async function deliveries(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...COMMON,
    state: { type: 'string' },
    limit: { type: 'string' },
  });
  const id = onlyId(positionals);
  const query = { state: values.state as DeliveryState | undefined, limit: wholeNumber('limit', values.limit, 100) };
  return use(values, io, async ({ webhooks }) => {
    await checkThere(webhooks, id);
    for (const one of await webhooks.deliveries(id, query)) print(io, shownDelivery(one));
    return EXIT.ok;
  });
}

async function replay(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...COMMON,
    dead: { type: 'boolean' },
    from: { type: 'string' },
    since: { type: 'string' },
  });
  const id = onlyId(positionals);
  const what = replayOf(values);
  return use(values, io, async ({ webhooks }) => {
    await checkThere(webhooks, id);
    print(io, { eventCount: await webhooks.replay(id, what) });
    return EXIT.ok;
  });
}

function replayOf({ dead, from, since }: { readonly dead?: boolean; readonly from?: string; readonly since?: string }) {
  const given = [dead, from, since].filter((one) => one !== undefined);
  if (given.length !== 1) throw new UsageError('expected one of --dead, --from and --since');
  if (from !== undefined) return { kind: 'event', eventId: from } satisfies Replay;
  if (since !== undefined) return { kind: 'since', sinceMs: momentMs('since', since) } satisfies Replay;
  return { kind: 'dead' } satisfies Replay;
}

async function rotate(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, { ...COMMON, overlap: { type: 'string' } });
  const id = onlyId(positionals);
  const overlapMs = values.overlap === undefined ? undefined : durationMs('overlap', values.overlap, 0);
  return use(values, io, async ({ webhooks }) => {
    const rotated = await webhooks.rotate(id, overlapMs);
    if (rotated === null) throw unknownWebhook();
    const { secret } = rotated;
    print(io, { id, secret, secretBeforeUntil: timeText(rotated.webhook.secretBeforeUntilMs) });
    return EXIT.ok;
  });
}

function onlyId(positionals: readonly string[]): string {
  const [id, ...more] = positionals;
  if (id === undefined || more.length > 0) throw new UsageError('expected one ID');
  return id;
}

function use(values: CommonValues, io: Io, work: (ledger: Ledger) => Promise<number>): Promise<number> {
  const location = ledgerLocation(values.ledger, io);
  const keyFile = values['key-file'] ?? io.env[KEY_FILE_VARIABLE];
  const keepClear = keyFile === undefined || keyFile === '' ? null : { key: readKey(keyFile) };
  return withLedger(location, io, { mayMake: false, sequence: false, keepClear }, work);
}

function readKey(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CommandError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function checkThere(webhooks: Ledger['webhooks'], id: string): Promise<void> {
  if ((await webhooks.get(id)) === null) throw unknownWebhook();
}

function unknownWebhook(): CommandError {
  return new CommandError('there is no webhook with this id');
}

function print(io: Io, line: object): void {
  io.stdout.write(`${JSON.stringify(line)}\n`);
}

function shown({ id, url, events, isEnabled, disabledWhy, allowPrivate, withValues, ...more }: Webhook): object {
  const { behindCount, behindSinceMs, deadCount, nextTryAtMs, lastStatus, lastReason, lastDeliveredAtMs } = more;
  return {
    ...{ id, url, events, enabled: isEnabled, disabledWhy, allowPrivate, values: withValues },
    ...{ behindCount, behindSince: timeText(behindSinceMs), deadCount, nextTryAt: timeText(nextTryAtMs) },
    ...{ lastStatus, lastReason, lastDeliveredAt: timeText(lastDeliveredAtMs) },
  };
}

function shownDelivery({
  seq,
  eventId,
  kind,
  atMs,
  state,
  attemptCount,
  lastStatus,
  reason,
  lastAtMs,
}: Delivery): object {
  const [at, lastAt] = [timeText(atMs), timeText(lastAtMs)];
  return { seq, eventId, event: kind, at, state, attemptCount, lastStatus, reason, lastAt };
}
