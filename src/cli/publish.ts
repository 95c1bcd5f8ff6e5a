/**
 * `optgate publish`: serves a ledger to a fleet over NATS, until it is stopped; or writes its set for a warehouse, once.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { isForked, type Ledger } from '../ledger/index.js';
import { NatsPublisher, type NatsPublisherOptions, PUBLISHER_LIMITS, positionText } from '../sync/index.js';
import { type Command, CommandError, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { gateErrorText } from './failures.js';
import { untilInterrupted } from './interrupt.js';
import { readSigner } from './keygen.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, schemeOf, shownUrl, withLedger } from './ledger-location.js';
import { publishParquet } from './publish-parquet.js';
import { durationMs, timeText } from './time.js';

/** How often it is looked whether there is something to say. */
const LOOK_MS = 200;

export const publish: Command = {
  help: `Usage: optgate publish --to nats://HOST:PORT/SET [options]
       optgate publish --parquet DIR [--ledger URL|DIR]

--to       publishes the ledger to NATS (JetStream): changes into a stream, snapshots into an object store, a heartbeat
every second, and takes back into the ledger what enforcers report. Runs until it is stopped. Several may run for one set:
one leads, the others stand by and take over within seconds. It also numbers the ledger's entries if no other process does.

--parquet  writes the set in force to DIR, once: digest, rights and since, a folder for each kind, ready to be joined with
data that stays in a warehouse (docs/warehouse.md). DIR appears whole or not at all, and is replaced whole the next time.

Options:
  --to URL             nats:// or tls://, with the name of the set as the path (default: default)
  --token-file FILE    token for NATS
  --creds-file FILE    NATS credentials (JWT and key)
  --sign-key FILE      private key (PEM, Ed25519; "optgate ledger keygen"); signs snapshots and changes
  --snapshot-every D   longest time between snapshots while there are changes (default: 10m)
  --keep D             how long changes that a snapshot holds stay in the stream (default: 24h)
  --canary-every D     write a synthetic opt-out this often; enforcers measure how soon it is in force (default: none)
${LEDGER_HELP}

Examples:
  optgate publish --ledger postgres://ledger.internal/optgate --to nats://nats.internal:4222/optouts
  optgate publish --to nats://127.0.0.1:4222 --sign-key keys/optgate-signing.pem --canary-every 10s
  optgate publish --ledger postgres://ledger.internal/optgate --parquet /warehouse/optouts

Exit codes: 0 ended in order, 2 wrong usage, 3 the system failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      to: { type: 'string' },
      parquet: { type: 'string' },
      'token-file': { type: 'string' },
      'creds-file': { type: 'string' },
      'sign-key': { type: 'string' },
      'snapshot-every': { type: 'string' },
      keep: { type: 'string' },
      'canary-every': { type: 'string' },
    });
    const { to, parquet } = values;
    if (parquet !== undefined) {
      const isAlone = Object.keys(values).every((name) => name === 'parquet' || name === 'ledger');
      if (!isAlone || parquet === '' || positionals.length > 0) {
        throw new UsageError('expected --parquet DIR, and no option but --ledger with it');
      }
      const terms = { mayMake: false, sequence: false };
      return withLedger(ledgerLocation(values.ledger, io), io, terms, (ledger) => publishParquet(ledger, parquet, io));
    }
    if (to === undefined || positionals.length > 0) throw new UsageError('expected --to nats://HOST:PORT/SET');
    if (!['nats', 'tls'].includes(schemeOf(to) ?? '')) throw new UsageError('--to: expected nats:// or tls://');
    const location = ledgerLocation(values.ledger, io);
    const options = {
      url: to,
      tokenFile: values['token-file'],
      credsFile: values['creds-file'],
      signer: readSigner(values['sign-key']),
      snapshotEveryMs: durationMs('snapshot-every', values['snapshot-every'], PUBLISHER_LIMITS.snapshotEveryMs),
      streamAgeMsMax: durationMs('keep', values.keep, PUBLISHER_LIMITS.streamAgeMsMax),
    };
    const canaryEveryMs =
      values['canary-every'] === undefined ? null : durationMs('canary-every', values['canary-every'], 0);
    return untilInterrupted((stopped) =>
      withLedger(location, io, { mayMake: false, canaryEveryMs, auditSigner: options.signer ?? null }, (ledger) =>
        serve(ledger, options, stopped, io),
      ),
    );
  },
};

async function serve(
  ledger: Ledger,
  options: Omit<NatsPublisherOptions, 'feed' | 'folder' | 'onFailure'>,
  stopped: AbortSignal,
  io: Io,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-publish-'));
  const say = (text: string) => io.stdout.write(`${timeText(io.now())} ${text}\n`);
  let publisher: NatsPublisher;
  let lastFailure = '';
  const onFailure = (error: GateError) => {
    const text = gateErrorText(error);
    if (text !== lastFailure) io.stderr.write(`optgate publish: ${text}\n`);
    lastFailure = text;
  };
  try {
    publisher = new NatsPublisher({ ...options, feed: ledger.feed(), folder, onFailure });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error instanceof GateError ? new CommandError(gateErrorText(error), { cause: error }) : error;
  }
  const endAlarms = ledger.on('alarm', (alarm) => say(alarm === null ? 'alarm over' : `alarm: ${alarm.cause}`));
  const endCheckpoints = ledger.on('checkpoint', ({ n, head }) => say(`checkpoint ${n}:${head}`));
  const endFailures = ledger.on('failure', (error) => {
    if (isForked(error)) onFailure(error);
  });
  try {
    publisher.start();
    let shownState = '';
    let shownSnapshot = '';
    while (!stopped.aborted) {
      const { state, position, snapshot } = publisher.status();
      const at = position === null ? '' : ` at ${positionText(position)}`;
      if (state !== shownState) say(`${state}${at} (${shownUrl(options.url)})`);
      if (state !== shownState && state === 'leading') lastFailure = '';
      shownState = state;
      const snapshotText = snapshot === null ? '' : positionText(snapshot);
      if (snapshotText !== shownSnapshot) say(`snapshot at ${snapshotText}`);
      shownSnapshot = snapshotText;
      await untilStopped(LOOK_MS, stopped);
    }
  } finally {
    endAlarms();
    endCheckpoints();
    endFailures();
    await publisher.close();
    await rm(folder, { recursive: true, force: true });
  }
  const { messageCount, snapshotCount, reportCount } = publisher.status();
  say(`stopped after ${messageCount} messages, ${snapshotCount} snapshots, ${reportCount} reports`);
  return EXIT.ok;
}

function untilStopped(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stopped.addEventListener('abort', end);
  });
}
