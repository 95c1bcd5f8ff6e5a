/**
 * The in-process library with a live table: opens the source that a location names, follows it, and decides with what it
 * has. The only file that joins the gate to the ledger and the sync.
 * @module
 */
import { fileURLToPath } from 'node:url';
import { GateError } from './core/errors.js';
import { type CheckContext, Gate, type GateOptions } from './core/gate.js';
import type { Decision } from './core/policy/decision.js';
import { DEFAULT_POLICY } from './core/policy/policy.js';
import { createVerifier, type Verifier } from './core/suppression/index.js';
import type { SharedGate } from './gate-share.js';
import { LateSource } from './late-source.js';
import { type Ledger, openFeed, openLedger } from './ledger/index.js';
import { LiveTable, type LiveTableStatus } from './live-table.js';
import {
  createFileSource,
  createHttpSource,
  createLedgerSource,
  createNatsSource,
  type FollowerOptions,
  type FollowerStatus,
  type Source,
} from './sync/index.js';
import { packageVersion } from './version.js';

/** How long {@link openGate} waits for a fresh table before it gives out a gate that says it is not. */
export const OPEN_WAIT_MS = 10_000;
/** How long {@link LiveGate.checkWhenReached} waits unless told. */
export const REACH_WAIT_MS = 50;

/** Where the opt-outs come from: a URL (`postgres:`, `nats:`, `http:`, `https:`, `file:`) or the folder of an embedded ledger. */
export type SuppressionLocation = string | { readonly dataDir: string };

export interface SourceOptions {
  /** Bearer token for `http(s):`, or the file that holds it (read again for every request). */
  readonly token?: string;
  readonly tokenFile?: string;
  /** Public keys (PEM, Ed25519). With one, snapshots and changes without its signature are refused. */
  readonly trustedKeys?: readonly string[];
}

export interface OpenGateOptions extends SourceOptions, Omit<GateOptions, 'table'> {
  readonly suppression: SuppressionLocation;
  /** Folder for the last good state, used at the next start. One process at a time. None unless given. */
  readonly folder?: string;
  /** Waits at most this long for a fresh table. Default {@link OPEN_WAIT_MS}; 0 does not wait. */
  readonly waitMs?: number;
  /** What people call this enforcer in the ledger's reports. Default: the host name. */
  readonly name?: string;
  /** Refuse a snapshot that is smaller than the table in use by more than this share. */
  readonly maxShrink?: number;
  /** Refuse a snapshot with fewer entries. */
  readonly entryCountMin?: number;
  /** Hold this seq. */
  readonly pinSeq?: number;
}

export type LiveGateStatus = LiveTableStatus;

/**
 * A gate that is kept up to date. `check`, `checkMany`, `restrict` and `stats` as any gate has them; they never wait.
 */
export class LiveGate extends Gate {
  /** The embedded ledger this gate opened, to record opt-outs with; `null` where the ledger is elsewhere. */
  readonly ledger: Ledger | null;
  readonly #live: LiveTable;

  /** @internal Made by {@link openGate}. */
  constructor(options: Omit<GateOptions, 'table'>, live: LiveTable, ledger: Ledger | null) {
    super({ ...options, table: live.holder });
    this.ledger = ledger;
    this.#live = live;
  }

  /** Where the table stands: state, since when, position, lag, age, last error. */
  status(): LiveGateStatus {
    return this.#live.status();
  }

  /** Calls `listener` at every change of state from now on; returns what ends that. */
  on(event: 'state', listener: (status: FollowerStatus) => void): () => void {
    return this.#live.on(event, listener);
  }

  /**
   * The decision from a table that has reached `context.minSeq`, waiting for it at most `waitMs`. If it does not come the
   * answer says `table.behind`.
   */
  async checkWhenReached(
    request: object,
    context: CheckContext,
    { waitMs = REACH_WAIT_MS }: { readonly waitMs?: number } = {},
  ): Promise<Decision> {
    if (typeof context.minSeq === 'string') await this.#live.reach(context.minSeq, waitMs);
    return this.check(request, context);
  }

  /** Stops applying changes beyond a seq, or goes on (`null`). While a version is held its freshness stands still. */
  pin(seq: number | null): void {
    this.#live.pin(seq);
  }

  /** For one worker thread: post it with `port` in the transfer list, and call `attachGate` there. */
  share(): SharedGate {
    return this.#live.share();
  }

  /** Stops following and lets go of every connection. The gate goes on answering, and turns stale in time. */
  async close(): Promise<void> {
    await this.#live.close();
    await this.ledger?.close();
  }
}

/**
 * Opens a gate over a live suppression set. Resolves when the table is fresh, or after `waitMs` with whatever there is:
 * `gate.status().state` says which, and until there is a table the gate restricts (`table.not_loaded`). An unreachable
 * source is not an error; it is tried again without end.
 *
 * @throws {TypeError} for a location or options that make no sense.
 * @throws {GateError} `ledger.driver` or `sync.driver` if the package for the source is not installed; `ledger.locked` if
 * the folder of an embedded ledger is in use; `signature.key` for a key that is none.
 * @example
 * const gate = await openGate({ suppression: 'postgres://ledger.internal/optgate', folder: '/var/lib/optgate' });
 * if (gate.status().state !== 'live') console.warn('optgate is not fresh yet');
 */
export async function openGate(options: OpenGateOptions): Promise<LiveGate> {
  const { suppression } = options;
  const verifier = options.trustedKeys === undefined ? undefined : createVerifier(options.trustedKeys);
  const opened = await openSource(suppression, options, verifier);
  try {
    return await followed(opened, options, verifier);
  } catch (error) {
    await opened.source.close();
    await opened.ledger?.close();
    throw error;
  }
}

async function followed(
  { source, ledger }: OpenedSource,
  options: OpenGateOptions,
  verifier: Verifier | undefined,
): Promise<LiveGate> {
  const { waitMs = OPEN_WAIT_MS, policy = DEFAULT_POLICY, now } = options;
  const live = new LiveTable({
    source,
    policy,
    ...followerOptions(options),
    ...(verifier === undefined ? {} : { verifier }),
  });
  const gate = new LiveGate({ policy, ...(now === undefined ? {} : { now }) }, live, ledger);
  try {
    await untilLive(live, waitMs);
  } catch (error) {
    await gate.close();
    throw error;
  }
  return gate;
}

/** A location as a source, and the embedded ledger that was opened for it. */
export interface OpenedSource {
  readonly source: Source;
  readonly ledger: Ledger | null;
}

/**
 * The source that a location names. Nothing is connected yet, but an embedded ledger is opened.
 * @throws {TypeError} for a location of no known form; the message does not show it, as it may hold a password.
 */
export async function openSource(
  location: SuppressionLocation,
  options: SourceOptions = {},
  verifier?: Verifier,
): Promise<OpenedSource> {
  if (typeof location !== 'string') return openEmbedded(location?.dataDir);
  const { token, tokenFile, trustedKeys } = options;
  const scheme = /^([a-z]+):/i.exec(location)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      refuseKeys(verifier);
      return { source: await openDatabase(location), ledger: null };
    case 'http':
    case 'https':
      return { source: createHttpSource({ url: location, token, tokenFile, trustedKeys }), ledger: null };
    case 'nats':
    case 'tls':
      return { source: createNatsSource({ url: location, token, tokenFile, trustedKeys }), ledger: null };
    case 'file':
      return {
        source: createFileSource({ path: filePath(location), ...(trustedKeys === undefined ? {} : { trustedKeys }) }),
        ledger: null,
      };
    default:
      throw new TypeError('suppression: expected a URL of postgres:, nats:, http:, https: or file:, or { dataDir }');
  }
}

async function openEmbedded(dataDir: unknown): Promise<OpenedSource> {
  if (typeof dataDir !== 'string' || dataDir === '') throw new TypeError('suppression.dataDir: expected a folder');
  const ledger = await openLedger({ dataDir });
  return { source: createLedgerSource(ledger.feed()), ledger };
}

/** A database that need not be there yet; what waiting cannot mend is thrown at once. */
async function openDatabase(url: string): Promise<Source> {
  const source = new LateSource('postgres', async () => createLedgerSource(await openFeed(url)));
  try {
    await source.opened();
  } catch (error) {
    if (!(error instanceof GateError) || error.code === 'ledger.driver') throw error;
  }
  return source;
}

/** A database is trusted by its own login; it signs nothing, so a key would only seem to protect. */
function refuseKeys(verifier: Verifier | undefined): void {
  if (verifier === undefined) return;
  throw new TypeError('trustedKeys: expected none with postgres:, whose changes carry no signature');
}

/** `file:` with a path behind it, absolute or relative to the working folder. */
function filePath(location: string): string {
  if (!/^file:\/\//i.test(location)) return location.slice('file:'.length);
  try {
    return fileURLToPath(location);
  } catch {
    throw new TypeError('suppression: expected file:/path or file:///path'); // the system's own error quotes the location
  }
}

type FollowerTuning = Partial<Pick<FollowerOptions, 'folder' | 'maxShrink' | 'entryCountMin' | 'pinSeq'>>;

function followerOptions(options: OpenGateOptions): FollowerTuning & Pick<FollowerOptions, 'enforcer'> {
  const { folder, maxShrink, entryCountMin, pinSeq, name } = options;
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(maxShrink === undefined ? {} : { maxShrink }),
    ...(entryCountMin === undefined ? {} : { entryCountMin }),
    ...(pinSeq === undefined ? {} : { pinSeq }),
    enforcer: { role: 'library', version: packageVersion(), ...(name === undefined ? {} : { name }) },
  };
}

/** Starts, and resolves when the table is live, at the latest after `waitMs`. Throws what `start` throws. */
async function untilLive(live: LiveTable, waitMs: number): Promise<void> {
  let endListening = () => {};
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    endListening = live.on('state', ({ state }) => {
      if (state === 'live') resolve();
    });
    timer = setTimeout(resolve, waitMs);
  });
  const failed = new Promise<never>((_, reject) => live.start().catch(reject));
  try {
    await Promise.race([enough, failed]);
  } finally {
    clearTimeout(timer);
    endListening();
  }
}
