/**
 * `optgate ledger`: what an operator does to a ledger as a whole.
 * @module
 */
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { keygen, readSigner } from './keygen.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeOf } from './status.js';

export const ledger: Command = {
  help: `Usage: optgate ledger migrate   [--ledger URL|DIR]
       optgate ledger snapshot  --out FILE [--sign-key FILE] [--ledger URL|DIR]
       optgate ledger verify    [--ledger URL|DIR]
       optgate ledger new-epoch [--ledger URL|DIR]
       optgate ledger enforcers [--ledger URL|DIR]
       optgate ledger keygen    --out DIR

migrate    makes the ledger, or brings its schema up to date; may be run again at any time.
snapshot   writes the suppression set as it is now to FILE, whole or not at all; a source for "file:".
verify     reads the whole ledger and checks it against itself: rights against their holders, the log against the
           state, digests, order. Prints {"sound","keys","entries","stateDigest","findings"}; exit code 1 if not sound.
new-epoch  begins a new history, so that every enforcer loads anew. After a restore or a failover it happens by itself;
           say it where the database went back without looking different, as after the restore of a disk image.
enforcers  prints one JSON line for each enforcer, silent ones included.
keygen     writes a pair of Ed25519 keys to sign snapshots and changes with; never overwrites one.

Options:
  --out FILE          for snapshot; a folder for keygen
  --sign-key FILE     private key (PEM)
${LEDGER_HELP}

Examples:
  optgate ledger migrate --ledger postgres://ledger.internal/optgate
  optgate ledger snapshot --out optouts.snap
  optgate ledger verify

Exit codes: 0 done, 1 verified and not sound, 2 wrong usage, 3 the ledger failed.`,

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

const READS = { mayMake: false, sequence: false } as const;

/** The options of an action that has only a ledger. */
function locationOf(args: readonly string[], io: Io) {
  const { values, positionals } = parseOptions(args, LEDGER_OPTION);
  if (positionals.length > 0) throw new UsageError('expected no other arguments');
  return ledgerLocation(values.ledger, io);
}

async function migrate(args: readonly string[], io: Io): Promise<number> {
  const location = locationOf(args, io);
  const { epoch, seq } = await withLedger(location, io, { mayMake: true, migrate: true }, (opened) => opened.head());
  io.stdout.write(`${JSON.stringify({ ledger: location.shown, epoch, seq })}\n`);
  return EXIT.ok;
}

async function snapshot(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    out: { type: 'string' },
    'sign-key': { type: 'string' },
  });
  const { out } = values;
  if (out === undefined || positionals.length > 0) throw new UsageError('expected --out FILE');
  const signer = readSigner(values['sign-key']);
  const location = ledgerLocation(values.ledger, io);
  const written = await withLedger(location, io, { mayMake: false }, (opened) => opened.snapshotTo(out, { signer }));
  const { position, entryCount, stateDigest } = written;
  io.stdout.write(`${JSON.stringify({ out, ...position, entryCount, stateDigest, signed: signer !== undefined })}\n`);
  return EXIT.ok;
}

async function verify(args: readonly string[], io: Io): Promise<number> {
  const found = await withLedger(locationOf(args, io), io, READS, (opened) => opened.verify());
  const { isSound, keyCount, entryCount, stateDigest, findings } = found;
  const shown = { sound: isSound, keys: keyCount, entries: entryCount, stateDigest, findings };
  io.stdout.write(`${JSON.stringify(shown)}\n`);
  return isSound ? EXIT.ok : EXIT.someRefused;
}

async function newEpoch(args: readonly string[], io: Io): Promise<number> {
  const epoch = await withLedger(locationOf(args, io), io, { mayMake: false }, (opened) => opened.rotateEpoch());
  io.stdout.write(`${JSON.stringify({ epoch })}\n`);
  return EXIT.ok;
}

async function enforcers(args: readonly string[], io: Io): Promise<number> {
  const all = await withLedger(locationOf(args, io), io, READS, (opened) => opened.enforcers());
  for (const { id, name, role, version, state, registeredAtMs, lastSeenAtMs, ...rest } of all) {
    const { position, seqLag, isSilent, retiredAtMs } = rest;
    const line = {
      ...{ id, name, role, version, state, position, seqLag, silent: isSilent },
      ...{ registeredAt: timeOf(registeredAtMs), lastSeenAt: timeOf(lastSeenAtMs), retiredAt: timeOf(retiredAtMs) },
    };
    io.stdout.write(`${JSON.stringify(line)}\n`);
  }
  if (all.length === 0) io.stderr.write('optgate: no enforcer has reported to this ledger yet\n');
  return EXIT.ok;
}
