/**
 * Which ledger a command works on: `--ledger`, the environment, or the folder that is used unless told.
 *
 * What must stay true: a location is shown without user name, password and parameters; and a ledger is made only by a
 * command that writes, so that a wrong folder is never taken for an empty ledger.
 * @module
 */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { ACTOR_NAME_LENGTH_MAX } from '../ledger/audit/actor.js';
import type { Actor, Ledger, LedgerOptions } from '../ledger/index.js';
import { CommandError, type Io, UsageError } from './command.js';
import { failureText, isSqlError } from './failures.js';

const LEDGER_AT_DEFAULT = './.optgate';
/** Where PGlite keeps its files in the folder of a ledger. */
const DATABASE_FOLDER = 'pgdata';

/** The option that every command on a ledger has. */
export const LEDGER_OPTION = { ledger: { type: 'string' } } as const;

export const LEDGER_HELP = `  --ledger URL|DIR    postgres://… or the folder of an embedded ledger (default: OPTGATE_LEDGER, else ${LEDGER_AT_DEFAULT});
                      a password is better kept in OPTGATE_LEDGER or PGPASSWORD than on the command line`;

export type LedgerLocation =
  | { readonly kind: 'server'; readonly url: string; readonly shown: string }
  | { readonly kind: 'folder'; readonly folder: string; readonly shown: string };

/** Where the ledger is. @throws {UsageError} for a URL that no ledger has. */
export function ledgerLocation(given: string | undefined, io: Io): LedgerLocation {
  const fromEnvironment = io.env.OPTGATE_LEDGER;
  const text = given ?? (fromEnvironment === '' ? undefined : fromEnvironment) ?? LEDGER_AT_DEFAULT;
  const name = given === undefined && text === fromEnvironment ? 'OPTGATE_LEDGER' : '--ledger';
  if (text === '') throw new UsageError(`${name}: expected a URL or a folder`);
  const scheme = schemeOf(text);
  if (scheme === null) return { kind: 'folder', folder: text, shown: text };
  if (scheme === 'postgres' || scheme === 'postgresql') {
    if (!isDecodable(text)) throw new UsageError(`${name}: the URL cannot be read; is its password percent-encoded?`);
    return { kind: 'server', url: text, shown: shownUrl(text) };
  }
  throw new UsageError(`${name}: expected postgres://… or a folder, not ${scheme}:`);
}

/** Every part of the URL can be read: a password with a percent sign that stands for itself often cannot. */
function isDecodable(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, hostname, pathname } = new URL(text);
  try {
    return [username, password, hostname, pathname].every((part) => typeof decodeURIComponent(part) === 'string');
  } catch {
    return false;
  }
}

/** The scheme of a URL, in lower case; `null` for a path, also for one that starts with the letter of a drive. */
export function schemeOf(text: string): string | null {
  return /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? null;
}

/** A URL as it may be shown: without user, password, parameters. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return `${schemeOf(text) ?? 'URL'}:…`;
  const { protocol, host, pathname } = new URL(text);
  return host === '' ? `${protocol}${pathname}` : `${protocol}//${host}${pathname}`;
}

export interface UseOptions extends LedgerOptions {
  /** What a command that only reads does about a folder without a ledger; one that writes makes it. */
  readonly mayMake: boolean;
}

/**
 * Opens the ledger, lets `use` work with it, and closes it. An embedded ledger is brought up to date on the way; one on a
 * server only by `optgate ledger migrate`, as it may be shared.
 * @throws {CommandError} where the ledger fails; {@link InputError} of `use` passes as it is.
 */
export async function withLedger<T>(
  location: LedgerLocation,
  io: Io,
  { mayMake, ...options }: UseOptions,
  use: (ledger: Ledger) => Promise<T>,
): Promise<T> {
  const { openLedger } = await import('../ledger/index.js');
  if (location.kind === 'folder' && !holdsLedger(location.folder)) {
    if (!mayMake) throw new CommandError(noLedgerText(location.shown));
    io.stderr.write(`optgate: making a new ledger in ${location.shown}\n`);
  }
  try {
    const ledger = await openLedger(location.kind === 'folder' ? { dataDir: location.folder } : location.url, {
      migrate: location.kind === 'folder',
      actor: cliActor(),
      ...options,
    });
    try {
      return await use(ledger);
    } finally {
      await ledger.close();
    }
  } catch (error) {
    throw withLocation(error, location);
  }
}

/** Whoever runs a command: the user of the system, as an operator. */
export function cliActor(): Actor {
  return { role: 'operator', name: userName(), via: 'cli' };
}

/** A user may have no name, such as a bare number in a container. */
function userName(): string | null {
  try {
    return userInfo().username.slice(0, ACTOR_NAME_LENGTH_MAX) || null;
  } catch {
    return null;
  }
}

/** Whether an embedded ledger was made in a folder. */
export function holdsLedger(folder: string): boolean {
  return existsSync(join(folder, DATABASE_FOLDER));
}

export function noLedgerText(shown: string): string {
  return `there is no ledger in ${shown}; give another folder, or make a ledger with "optgate ledger migrate"`;
}

/** An error of the ledger, named after where the ledger is; anything else as it is. */
export function withLocation(error: unknown, { shown }: LedgerLocation): unknown {
  if (!(error instanceof GateError || isSqlError(error))) return error;
  return new CommandError(`${shown}: ${failureText(error)}`, { cause: error });
}
