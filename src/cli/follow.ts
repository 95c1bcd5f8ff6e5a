/**
 * `optgate follow`: keeps a table in step with a source, as an enforcer does, and shows how fresh it is.
 * @module
 */
import { GATE_ERRORS, GateError } from '../core/errors.js';
import { createVerifier, TableHolder } from '../core/suppression/index.js';
import { type OpenedSource, openSource, type SourceOptions } from '../open-gate.js';
import { Follower } from '../sync/index.js';
import { packageVersion } from '../version.js';
import { type Command, CommandError, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { gateErrorText } from './failures.js';
import { FollowReport, observed } from './follow-report.js';
import { untilInterrupted } from './interrupt.js';
import { readTrustedKeys } from './keygen.js';
import { holdsLedger, noLedgerText, schemeOf, shownUrl } from './ledger-location.js';
import { durationMs } from './time.js';

const WAIT_MS_AT_DEFAULT = 30_000;
const SCHEMES = ['postgres', 'postgresql', 'nats', 'tls', 'http', 'https', 'file'];

export const follow: Command = {
  help: `Usage: optgate follow --from URL [options]

Follows a source as an enforcer does, without being counted as one, and prints where its table stands whenever the state
changes and every 10 seconds; on a terminal the last line is kept up to date. Ends with the final state on Ctrl-C.

States: empty (no table yet), last_good (the table of --folder, source not reached yet), live, soft_stale (not known to
be complete for 10 s), hard_stale (for 5 minutes). A source that cannot be reached is tried again without end. A ledger
in PostgreSQL is live only while some process gives out places in its log, such as "optgate publish".

Options:
  --from URL          postgres://…, nats://host/set, https://relay, file:/path/to/set.snap, or the folder of an embedded
                      ledger that no other process has
  --folder DIR        keep the last good state here, for the next start
  --trust-key FILE    public key (PEM); refuse snapshots and changes without its signature; may be given again
  --token-file FILE   bearer token for https://
  --verbose           also one line for each change: its seq, kind of identifier, rights; never which identifier
  --json              one JSON object a line: {"at","state","since","epoch","seq","headSeq","seqLag","ageMs",…}
  --until-live        end as soon as the state is live
  --wait DURATION     with --until-live: give up after this long (default: ${WAIT_MS_AT_DEFAULT / 1_000}s)

Examples:
  optgate follow --from nats://127.0.0.1:4222/optouts --trust-key optgate-signing.pub.pem
  optgate follow --from postgres://ledger.internal/optgate --verbose
  optgate follow --from file:/var/lib/optgate/set.snap --until-live --wait 5s && echo ready

Exit codes: 0 ended in order, 2 wrong usage, 3 not live in time, or the system failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      from: { type: 'string' },
      folder: { type: 'string' },
      'trust-key': { type: 'string', multiple: true },
      'token-file': { type: 'string' },
      verbose: { type: 'boolean' },
      json: { type: 'boolean' },
      'until-live': { type: 'boolean' },
      wait: { type: 'string' },
    });
    const { from, folder, 'token-file': tokenFile } = values;
    if (from === undefined || from === '' || positionals.length > 0) throw new UsageError('expected --from URL');
    const isUntilLive = values['until-live'] === true;
    if (values.wait !== undefined && !isUntilLive) throw new UsageError('--wait goes with --until-live');
    const trustedKeys = values['trust-key'] === undefined ? undefined : readTrustedKeys(values['trust-key']);
    return run({
      io,
      from,
      folder,
      waitMs: isUntilLive ? durationMs('wait', values.wait, WAIT_MS_AT_DEFAULT) : null,
      showsChanges: values.verbose === true,
      asJson: values.json === true,
      sourceOptions: {
        ...(tokenFile === undefined ? {} : { tokenFile }),
        ...(trustedKeys === undefined ? {} : { trustedKeys }),
      },
    });
  },
};

interface FollowOptions {
  readonly io: Io;
  readonly from: string;
  readonly folder: string | undefined;
  /** `null`: until it is interrupted. */
  readonly waitMs: number | null;
  readonly showsChanges: boolean;
  readonly asJson: boolean;
  readonly sourceOptions: SourceOptions;
}

async function run(options: FollowOptions): Promise<number> {
  const { io, from, folder, waitMs, showsChanges, asJson, sourceOptions } = options;
  return untilInterrupted(async (interrupted) => {
    const { source, ledger } = await open(from, sourceOptions);
    const { trustedKeys } = sourceOptions;
    const report: FollowReport = new FollowReport({ io, asJson, current: () => follower.status() });
    const follower = new Follower({
      source: observed(source, report, showsChanges),
      holder: new TableHolder(),
      enforcer: { role: 'library', version: packageVersion() },
      ...(folder === undefined ? {} : { folder }),
      ...(trustedKeys === undefined ? {} : { verifier: createVerifier(trustedKeys) }),
    });
    follower.on('state', (status) => report.state(status));
    follower.on('error', (failure) => report.failed(failure));
    follower.on('applied', ({ position }) => report.applied(position));
    report.start();
    let ending: Ending = 'interrupted';
    try {
      ending = await ended(follower, waitMs, interrupted);
      if (ending === 'too late') throw new CommandError(lateText(follower, waitMs ?? 0));
      return EXIT.ok;
    } finally {
      report.end({ isTold: ending === 'live' });
      await follower.close();
      await ledger?.close();
    }
  });
}

async function open(from: string, options: SourceOptions): Promise<OpenedSource> {
  const scheme = schemeOf(from);
  if (scheme !== null && !SCHEMES.includes(scheme))
    throw new UsageError(`--from: expected a folder, or ${SCHEMES.join(':, ')}:`);
  const isDatabase = scheme === null || scheme.startsWith('postgres');
  if (isDatabase && options.trustedKeys !== undefined) {
    throw new UsageError('--trust-key: a database is trusted by its login, and signs nothing');
  }
  if (scheme === null && !holdsLedger(from)) throw new CommandError(noLedgerText(from));
  const verifier = options.trustedKeys === undefined ? undefined : createVerifier(options.trustedKeys);
  try {
    return await openSource(scheme === null ? { dataDir: from } : from, options, verifier);
  } catch (error) {
    if (error instanceof GateError) {
      throw new CommandError(`${scheme === null ? from : shownUrl(from)}: ${gateErrorText(error)}`, { cause: error });
    }
    // our own message; it says what was expected, and nothing of the URL
    if (error instanceof TypeError) throw new UsageError(`--from: ${error.message}`);
    throw error;
  }
}

type Ending = 'interrupted' | 'live' | 'too late';

/** Why following is over. Throws if it could not begin. */
async function ended(follower: Follower, waitMs: number | null, interrupted: AbortSignal): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const end = (why: Ending) => {
      clearTimeout(timer);
      resolve(why);
    };
    const timer = waitMs === null ? undefined : setTimeout(() => end('too late'), waitMs);
    interrupted.addEventListener('abort', () => end('interrupted'), { once: true });
    if (interrupted.aborted) end('interrupted');
    follower.on('state', ({ state }) => {
      if (state === 'live' && waitMs !== null) end('live');
    });
    follower.start().catch((error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function lateText(follower: Follower, waitMs: number): string {
  const { state, lastError } = follower.status();
  const why = lastError === null ? '' : `; ${lastError.code}: ${GATE_ERRORS[lastError.code]}`;
  return `not live after ${waitMs / 1_000} s: ${state}${why}`;
}
