/**
 * `optgate audit`: takes the audit trail out of a ledger, verifies it, searches it.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { AtomicFile } from '../exports/atomic-file.js';
import { AUDIT_ENTRIES_PER_READ_MAX } from '../ledger/audit/query.js';
import { headerLine, TRAIL_FAULTS } from '../ledger/audit/verify-trail.js';
import type { AuditQuery, Ledger } from '../ledger/index.js';
import { removeLeftovers } from '../temporary-files.js';
import { verifyAudit } from './audit-verify.js';
import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  isSystemError,
  parseOptions,
  UsageError,
  wholeNumber,
} from './command.js';
import { untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { createProgress } from './progress.js';
import { momentMs } from './time.js';

export const audit: Command = {
  help: `Usage: optgate audit export --out FILE [--ledger URL|DIR]
       optgate audit verify FILE [--public-key FILE [--allow-unsigned]] [--head N:HASH] [--ledger-id ID]
       optgate audit verify --ledger URL|DIR [the same options]
       optgate audit search [--kind K] [--subject S] [--actor A] [--since T] [--until T] [--after N] [--limit N]

The audit trail says who did what: each entry holds the hash of the one before, so that none can be changed, left out or
put in without it showing (docs/audit-trail.md).

export   writes the whole trail to FILE, whole or not at all: a header, then one entry a line. That is an entry itself.
verify   checks every entry again, from the bytes of FILE alone, or in the ledger. Prints
           {"valid","ledger","entries","head","checkpoints","signedUpTo","unsigned","fault"}
         "head" is N:HASH of the last entry: keep it elsewhere, and give it to --head the next time. "signedUpTo" is the
         last entry that a signed checkpoint vouches for, with --public-key; "unsigned" is how many come after it. Nothing
         signed at all is a fault then. "fault" names the first bad entry:
         ${Object.keys(TRAIL_FAULTS).join(', ')}.
search   prints the entries that all of the options fit, one a line, oldest first.

Options:
  --out FILE          where the trail goes
  --public-key FILE   public key that checkpoints are signed with (PEM, "optgate ledger keygen"); once for each key
  --allow-unsigned    a trail without any checkpoint is valid too, as of a ledger that has just been made
  --head N:HASH       what entry N is known to be
  --ledger-id ID      the ledger it has to be of, as "ledger" said before
  --kind K            such as request.opt_out, person.looked_up, destination.changed
  --subject S         what it is about: id of a request, a destination, an enforcer, a run
  --actor A           role, role:name or :name, such as operator:jane
  --since T           at that moment or later, such as 2026-11-20T10:00:00Z
  --until T           before that moment
  --after N           after entry N
  --limit N           entries at most (default: all)
${LEDGER_HELP}

Examples:
  optgate audit export --ledger postgres://ledger.internal/optgate --out trail.ndjson
  optgate audit verify trail.ndjson --public-key keys/optgate-signing.pub.pem
  optgate audit search --kind person.looked_up --actor operator:jane --since 2026-11-01T00:00:00Z

Exit codes: 0 done, 1 verify found something, 2 wrong usage, 3 the ledger or a file failed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'export':
        return exportAudit(rest, io);
      case 'verify':
        return verifyAudit(rest, io);
      case 'search':
        return searchAudit(rest, io);
      default:
        throw new UsageError('expected "export", "verify" or "search"');
    }
  },
};

async function exportAudit(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, { ...LEDGER_OPTION, out: { type: 'string' } });
  const { out } = values;
  if (out === undefined || out === '' || positionals.length > 0) throw new UsageError('expected --out FILE');
  const location = ledgerLocation(values.ledger, io);
  return untilInterrupted((stopped) =>
    withLedger(location, io, { mayMake: false, sequence: false }, async (ledger) => {
      try {
        const { n, hash } = await writeTrail(ledger, out, stopped, io);
        io.stdout.write(`${JSON.stringify({ out, entries: n, head: `${n}:${hash}` })}\n`);
        return EXIT.ok;
      } catch (error) {
        if (!isSystemError(error)) throw error;
        throw new CommandError(`${out}: ${error.message}`, { cause: error });
      }
    }),
  );
}

/** The trail up to where it stands now, with the export itself as its last entry. */
async function writeTrail(ledger: Ledger, path: string, stopped: AbortSignal, io: Io) {
  await ledger.audit.append({ kind: 'audit.exported', subject: null, body: {} });
  await ledger.audit.chain();
  const { n, hash, ledgerId } = await ledger.audit.head();
  await removeLeftovers(path, io.now());
  const file = await AtomicFile.create(path, randomBytes(8).toString('hex'));
  const progress = createProgress(io, 'entries');
  try {
    await file.write(Buffer.from(`${headerLine({ entries: n, head: hash, ledger: ledgerId })}\n`));
    let count = 0;
    for await (const lines of ledger.audit.lines(n)) {
      stopped.throwIfAborted();
      await file.write(Buffer.from(`${lines.join('\n')}\n`));
      count += lines.length;
      progress.at(count);
    }
    await file.seal();
    await file.publish();
  } finally {
    progress.end();
    await file.discard();
  }
  return { n, hash };
}

async function searchAudit(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    kind: { type: 'string' },
    subject: { type: 'string' },
    actor: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    after: { type: 'string' },
    limit: { type: 'string' },
  });
  if (positionals.length > 0) throw new UsageError('expected only options');
  const { kind, subject, actor, since, until } = values;
  const query: AuditQuery = {
    kind,
    subject,
    actor,
    sinceMs: since === undefined ? undefined : momentMs('since', since),
    untilMs: until === undefined ? undefined : momentMs('until', until),
  };
  let after = wholeNumber('after', values.after, 0);
  let left = wholeNumber('limit', values.limit, Number.MAX_SAFE_INTEGER);
  const location = ledgerLocation(values.ledger, io);
  await withLedger(location, io, { mayMake: false, sequence: false }, async (ledger) => {
    await ledger.audit.chain();
    while (left > 0) {
      const limit = Math.min(left, AUDIT_ENTRIES_PER_READ_MAX);
      const entries = await ledger.audit.entries({ ...query, after, limit });
      for (const entry of entries) io.stdout.write(`${JSON.stringify(entry)}\n`);
      after = entries.at(-1)?.n ?? after;
      left = entries.length < limit ? 0 : left - entries.length;
    }
  });
  return EXIT.ok;
}
