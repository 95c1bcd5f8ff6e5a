/**
 * `optgate ledger`: makes and upgrades a ledger, takes a snapshot of it, verifies it, lists who enforces it.
 * @module
 */
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { keygen, PRIVATE_KEY_NAME, PUBLIC_KEY_NAME, readSigner } from './keygen.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';

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
