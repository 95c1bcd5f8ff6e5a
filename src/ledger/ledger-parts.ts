/**
 * What an open ledger is made of: shared by all views of it, closed once.
 * @module
 */

import type { LedgerFeed } from '../sync/source.js';
import { Chainer } from './audit/chainer.js';
import type { TrailPoint } from './audit/checkpoint.js';
import { CheckpointSigner } from './audit/checkpoint-signer.js';
import { Canary } from './canary.js';
import type { LedgerContext } from './context.js';
import type { Database } from './database.js';
import { createFeed } from './feed.js';
import type { HorizonAlarm } from './horizon.js';
import { IdentifierReader } from './identity.js';
import { KeyMixer } from './keys.js';
import type { LedgerSettings } from './ledger-options.js';
import { OptOutIntake } from './opt-out-intake.js';
import { PlaceWatch } from './sequenced.js';
import { Sequencer } from './sequencer.js';

/** What a ledger tells without being asked. */
export interface LedgerEvents {
  /** Entries wait for their place in the log for too long; `null`: no more. */
  readonly alarm: HorizonAlarm | null;
  /** Something failed in the background, and is tried again. */
  readonly failure: Error;
  /** A head of the audit trail is being signed. */
  readonly checkpoint: TrailPoint;
}

type Listener<E extends keyof LedgerEvents> = (event: LedgerEvents[E]) => void;

export class LedgerParts {
  readonly context: LedgerContext;
  readonly sequencer: Sequencer | null;
  readonly reader: LedgerFeed;
  readonly #canary: Canary | null;
  readonly #chainer: Chainer | null;
  readonly #listeners: { readonly [E in keyof LedgerEvents]: Set<Listener<E>> } = {
    alarm: new Set(),
    failure: new Set(),
    checkpoint: new Set(),
  };
  #closing: Promise<void> | null = null;

  constructor(database: Database, seed: bigint, settings: LedgerSettings) {
    this.sequencer = settings.sequence ? new Sequencer(database) : null;
    const { auditSigner: signer } = settings;
    const auditSigner =
      signer === null ? null : new CheckpointSigner(signer, (point) => this.#tell('checkpoint', point));
    const places = new PlaceWatch(database);
    this.context = {
      ...settings,
      auditSigner,
      database,
      seed,
      mixer: new KeyMixer(seed),
      reader: new IdentifierReader({ defaultCountry: settings.defaultCountry }),
      imports: new Set(),
      placeOf: (entryId, waitMs) => places.placeOf(entryId, waitMs),
      intake: database.name === 'postgres' ? new OptOutIntake(database) : null, // PGlite: what takes turns has nothing to wait for
      wake: () => this.sequencer?.wake(),
    };
    this.reader = createFeed(database);
    const fail = (error: unknown) => this.#tell('failure', asError(error));
    this.sequencer?.on('failure', fail).on('alarm', (alarm) => this.#tell('alarm', alarm));
    this.sequencer?.on('calm', () => this.#tell('alarm', null)).start();
    const { canaryEveryMs } = settings;
    this.#chainer = settings.sequence
      ? new Chainer(database, { signer: auditSigner }, () => this.isSequencer, fail)
      : null;
    this.#canary =
      canaryEveryMs === null ? null : new Canary(this.context, canaryEveryMs, () => this.isSequencer, fail);
  }

  /** This process gives entries their place in the log. */
  get isSequencer(): boolean {
    return this.sequencer?.state.isLeader === true;
  }

  on<E extends keyof LedgerEvents>(event: E, listener: Listener<E>): () => void {
    const listeners = this.#listeners[event] as Set<Listener<E>>;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#canary?.close();
    await this.#chainer?.close();
    await this.sequencer?.close();
    await this.reader.close();
    await this.context.database.close();
  }

  #tell<E extends keyof LedgerEvents>(event: E, what: LedgerEvents[E]): void {
    for (const listener of this.#listeners[event] as Set<Listener<E>>) listener(what);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('failed');
}
