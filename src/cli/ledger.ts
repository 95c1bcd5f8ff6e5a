/**
 * `optgate ledger`: makes and upgrades a ledger, takes a snapshot of it, verifies it, lists who enforces it.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../ledger/index.js';
import { CHECKS } from '../ledger/verify.js';
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { keygen, PRIVATE_KEY_NAME, PUBLIC_KEY_NAME, readSigner } from './keygen.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { migrateLedger } from './ledger-migrate.js';
import { timeText } from './time.js';

/** How long a snapshot waits for what is in the log to settle. */
const SETTLE_WAIT_MS = 10_000;
const SETTLE_LOOK_MS = 50;

export const ledger: Command = {
  help: `Usage: optgate ledger migrate
       optgate ledger snapshot --out FILE [--sign-key FILE]
       optgate ledger verify
       optgate ledger new-epoch
       optgate ledger enforcers
       optgate ledger keygen --out DIR

migrate     makes a ledger, or brings an older one up to date. On PostgreSQL it makes the schema "optgate" and needs the
            right to create it; an embedded ledger is brought up to date by every command.
snapshot    writes the set as it is now to FILE, whole or not at all: for "optgate check --set", for a file: source.
verify      recomputes what is in force from every request and the whole change log, and compares; prints one line for
            each thing that does not agree and exits 1 if there is one.
new-epoch   begins a new history: every enforcer loads the set anew. For after a restore that nobody noticed.
enforcers   prints one line for each enforcer: its state, how far it is, when it was last heard of. One that is silent
            beyond its lease is shown as silent, not left out.
keygen      writes a pair of Ed25519 keys: DIR/${PRIVATE_KEY_NAME} (0600) signs snapshots and changes,
            DIR/${PUBLIC_KEY_NAME} is for those who follow. Never overwrites a key.

Options:
  --out PATH          where to write
  --sign-key FILE     sign with this private key (PEM)
${LEDGER_HELP}

Examples:
  optgate ledger migrate --ledger postgres://ledger.internal/optgate
  optgate ledger keygen --out keys
  optgate ledger snapshot --out optouts.snap --sign-key keys/${PRIVATE_KEY_NAME}

Exit codes: 0 done, 1 verify found something, 2 wrong usage, 3 the ledger or a file failed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'migrate':
        return migrate(rest, io);
      case 'snapshot':
        return snapshot(rest, io);
      case 'verify':
        return verify(rest, io);
      case 'new-epoch':
        return newEpoch(rest, io);
      case 'enforcers':
        return enforcers(rest, io);
      case 'keygen':
        return keygen(rest, io);
      default:
        throw new UsageError('expected "migrate", "snapshot", "verify", "new-epoch", "enforcers" or "keygen"');
    }
  },
};

function locationOnly(args: readonly string[], io: Io) {
  const { values, positionals } = parseOptions(args, LEDGER_OPTION);
  if (positionals.length > 0) throw new UsageError('expected only options');
  return ledgerLocation(values.ledger, io);
}

async function migrate(args: readonly string[], io: Io): Promise<number> {
  const location = locationOnly(args, io);
  const { schemaVersion, steps } = await migrateLedger(location);
  io.stdout.write(`${JSON.stringify({ ledger: location.shown, schemaVersion, steps })}\n`);
  return EXIT.ok;
}

async function snapshot(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    out: { type: 'string' },
    'sign-key': { type: 'string' },
  });
  const { out } = values;
  if (out === undefined || out === '' || positionals.length > 0) throw new UsageError('expected --out FILE');
  const location = ledgerLocation(values.ledger, io);
  const signer = readSigner(values['sign-key']);
  const written = await withLedger(location, io, { mayMake: false }, async (ledger) => {
    await settled(ledger, io);
    return ledger.snapshotTo(out, { signer });
  });
  const { position, entryCount, stateDigest } = written;
  io.stdout.write(`${JSON.stringify({ out, ...position, entryCount, stateDigest, signed: signer !== undefined })}\n`);
  return EXIT.ok;
}

/** Waits until everything that is in the log now can be in a snapshot, which holds back while transactions are open. */
async function settled(ledger: Ledger, io: Io): Promise<void> {
  const { seq } = await ledger.head();
  for (let waitedMs = 0; ; waitedMs += SETTLE_LOOK_MS) {
    const { settledSeq } = await ledger.head();
    if (settledSeq >= seq) return;
    if (waitedMs >= SETTLE_WAIT_MS) {
      io.stderr.write(`optgate: the snapshot ends at ${settledSeq}; what came after is not settled yet\n`);
      return;
    }
    await sleep(SETTLE_LOOK_MS);
  }
}

async function verify(args: readonly string[], io: Io): Promise<number> {
  const location = locationOnly(args, io);
  const result = await withLedger(location, io, { mayMake: false, sequence: false }, (ledger) => ledger.verify());
  const { isSound, keyCount, entryCount, stateDigest, findings } = result;
  io.stdout.write(`${JSON.stringify({ sound: isSound, keyCount, entryCount, stateDigest })}\n`);
  for (const { check, count } of findings)
    io.stdout.write(`${JSON.stringify({ check, count, what: CHECKS[check] })}\n`);
  return isSound ? EXIT.ok : EXIT.someRefused;
}

async function newEpoch(args: readonly string[], io: Io): Promise<number> {
  const location = locationOnly(args, io);
  const epoch = await withLedger(location, io, { mayMake: false, sequence: false }, (ledger) => ledger.rotateEpoch());
  io.stdout.write(`${JSON.stringify({ epoch })}\n`);
  return EXIT.ok;
}

async function enforcers(args: readonly string[], io: Io): Promise<number> {
  const location = locationOnly(args, io);
  const all = await withLedger(location, io, { mayMake: false, sequence: false }, (ledger) => ledger.enforcers());
  for (const one of all) {
    const { id, name, role, version, state, position, seqLag, isSilent, lastSeenAtMs, retiredAtMs } = one;
    const [lastSeenAt, retiredAt] = [timeText(lastSeenAtMs), timeText(retiredAtMs)];
    const seq = position?.seq ?? null;
    io.stdout.write(
      `${JSON.stringify({ id, name, role, version, state, seq, seqLag, silent: isSilent, lastSeenAt, retiredAt })}\n`,
    );
  }
  return EXIT.ok;
}
