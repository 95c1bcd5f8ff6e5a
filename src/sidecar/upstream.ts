/**
 * Where the sidecar's table comes from: a ledger of its own, or a source that it follows; and the relay that passes it on.
 *
 * A database that cannot be reached is waited for: until then there is no ledger to write to, and the table says so.
 * In front of a ledger the relay reads for itself, so that a disk it cannot write to never keeps this process from deciding.
 * @module
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateError, type GateErrorCode } from '../core/errors.js';
import { createSigner, createVerifier, type Signer, type Verifier } from '../core/suppression/index.js';
import { LateSource } from '../late-source.js';
import { type Ledger, type LedgerOptions, openLedger } from '../ledger/index.js';
import { openSource } from '../open-gate.js';
import {
  createLedgerSource,
  createRelay,
  createRelayedSource,
  LedgerRelayFeed,
  type RelayHandler,
  type Source,
  SourceRelayFeed,
} from '../sync/index.js';
import type { SidecarConfig } from './config-settings.js';

/** Of a ledger on a server: what trying again does not change. */
const LASTING: readonly GateErrorCode[] = ['ledger.driver', 'ledger.clear_key'];

export interface Upstream {
  /** For the follower, which closes it. */
  readonly source: Source;
  readonly verifier: Verifier | undefined;
  /** The ledger to write to; `null`: it is elsewhere, or cannot be reached yet. */
  readonly ledger: () => Ledger | null;
  /** What serves other enforcers; `null`: nothing does, or not yet. */
  readonly relay: () => RelayHandler | null;
  /** Resolves when it was tried to open it; rejects with what waiting cannot mend. */
  readonly opened: Promise<void>;
  /** Lets go of everything but `source`. Never throws. */
  close(): Promise<void>;
}

export interface UpstreamHooks {
  /** Something failed, and is tried again. */
  onFailure(where: 'ledger' | 'relay', error: Error): void;
  /** The ledger has been opened. */
  onLedger(ledger: Ledger): void;
}

/** Begins to open what the configuration names. @throws {GateError} for what waiting cannot mend; what reading a key file throws. */
export async function openUpstream(config: SidecarConfig, hooks: UpstreamHooks): Promise<Upstream> {
  const signer =
    config['relay.signKeyFile'] === null ? undefined : createSigner(await readKey(config['relay.signKeyFile']));
  const relayFolder = new RelayFolder(config.folder);
  try {
    return config.ledger === null
      ? await followSource(config, hooks, relayFolder, signer)
      : await keepLedger(config.ledger, config, hooks, relayFolder, signer);
  } catch (error) {
    await relayFolder.close();
    throw error;
  }
}

/** True for the folder of an embedded ledger; false for the URL of a database. */
export function isEmbedded(place: string): boolean {
  return !/^postgres(?:ql)?:/i.test(place);
}

async function followSource(
  config: SidecarConfig,
  hooks: UpstreamHooks,
  folder: RelayFolder,
  signer: Signer | undefined,
): Promise<Upstream> {
  const keyFiles = config['source.trustedKeyFiles'];
  const trustedKeys = keyFiles.length === 0 ? undefined : await Promise.all(keyFiles.map(readKey));
  const verifier = trustedKeys === undefined ? undefined : createVerifier(trustedKeys);
  const tokenFile = config['source.tokenFile'];
  const options = {
    ...(tokenFile === null ? {} : { tokenFile }),
    ...(trustedKeys === undefined ? {} : { trustedKeys }),
  };
  const { source } = await openSource(config.from ?? '', options, verifier);
  const opened = Promise.resolve();
  if (config['relay.enabled'] !== true) {
    return { source, verifier, ledger: () => null, relay: () => null, opened, close: () => folder.close() };
  }
  const onFailure = (error: GateError) => hooks.onFailure('relay', error);
  const feed = new SourceRelayFeed({ source, folder: await folder.path(), signer, onFailure });
  const relay = createRelay({ feed, signer });
  return {
    source: createRelayedSource(feed, { name: source.name, verifier }),
    verifier,
    ledger: () => null,
    relay: () => relay,
    opened,
    close: async () => {
      relay.close();
      await feed.close();
      await folder.close();
    },
  };
}

async function keepLedger(
  place: string,
  config: SidecarConfig,
  hooks: UpstreamHooks,
  folder: RelayFolder,
  signer: Signer | undefined,
): Promise<Upstream> {
  const options = { ...(await ledgerOptions(config, isEmbedded(place))), auditSigner: signer ?? null };
  const relayPath = config['relay.enabled'] === false ? null : await folder.path();
  let ledger: Ledger | null = null;
  let feed: LedgerRelayFeed | null = null;
  let relay: RelayHandler | null = null;
  const open = async (): Promise<Source> => {
    const opened = await openLedger(place, options);
    ledger = opened;
    opened.on('failure', (error) => hooks.onFailure('ledger', error));
    if (relayPath !== null) {
      const onFailure = (error: GateError) => hooks.onFailure('relay', error);
      feed = new LedgerRelayFeed({ feed: opened.feed(), folder: relayPath, signer, onFailure });
      relay = createRelay({ feed, signer });
    }
    hooks.onLedger(opened);
    return createLedgerSource(opened.feed());
  };
  const source = new LateSource(isEmbedded(place) ? 'pglite' : 'postgres', open);
  const opened = source.opened().then(
    () => {},
    (error: unknown) => {
      const isPassing = error instanceof GateError && !LASTING.includes(error.code);
      if (isEmbedded(place) || !isPassing) throw error; // nobody else will mend a folder
      hooks.onFailure('ledger', error);
    },
  );
  opened.catch(() => {}); // whoever waits hears of it
  return {
    source,
    verifier: undefined,
    ledger: () => ledger,
    relay: () => relay,
    opened,
    close: async () => {
      relay?.close();
      await feed?.close();
      await ledger?.close();
      await folder.close();
    },
  };
}

/** A schema on a server may be shared, and is changed by "optgate ledger migrate" alone. */
async function ledgerOptions(config: SidecarConfig, isOwn: boolean): Promise<LedgerOptions> {
  const keyFile = config['intake.keepClearKeyFile'];
  return {
    migrate: isOwn,
    canaryEveryMs: config['intake.canaryEvery'],
    keepClear: keyFile === null ? null : { key: await readFile(keyFile) },
  };
}

function readKey(path: string): Promise<string> {
  return readFile(path, 'utf8');
}

/** Where a relay keeps its snapshot: beside the last good state, else in a folder that goes with the process. */
class RelayFolder {
  private temporary: string | null = null;

  constructor(private readonly folder: string | null) {}

  async path(): Promise<string> {
    if (this.folder !== null) return join(this.folder, 'relay');
    this.temporary ??= await mkdtemp(join(tmpdir(), 'optgate-relay-'));
    return this.temporary;
  }

  async close(): Promise<void> {
    if (this.temporary !== null) await rm(this.temporary, { recursive: true, force: true }).catch(() => {});
  }
}
