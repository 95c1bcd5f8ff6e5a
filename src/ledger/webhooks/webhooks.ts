/**
 * The webhooks of a ledger: consumers, deliveries, and the lead of whoever delivers.
 * @module
 */
import type { LedgerContext } from '../context.js';
import {
  getWebhook,
  listWebhooks,
  type PutWebhook,
  putWebhook,
  removeWebhook,
  rotateSecret,
  secretsOf,
  type Webhook,
  type WebhookInput,
} from './consumers.js';
import { type Delivery, type DeliveryQuery, listDeliveries, type Replay, replay } from './deliveries.js';
import { WebhookLead } from './lead.js';

export class Webhooks {
  readonly #context: LedgerContext;

  /** @internal */
  constructor(context: LedgerContext) {
    this.#context = context;
  }

  /**
   * Adds a consumer, which is told of what happens from now on, or changes one. The secret of a new one is given out here
   * and never again. Names are not resolved here; that is for whoever connects.
   * @throws {InputError}
   */
  async put(id: string, webhook: WebhookInput): Promise<PutWebhook> {
    return putWebhook(this.#context, id, webhook);
  }

  get(id: string): Promise<Webhook | null> {
    return getWebhook(this.#context.database, id);
  }

  list(): Promise<readonly Webhook[]> {
    return listWebhooks(this.#context.database);
  }

  /** False: there was none. */
  remove(id: string): Promise<boolean> {
    return removeWebhook(this.#context, id);
  }

  /** Another secret; both are signed with for `overlapMs`. `null`: there is no such webhook. @throws {InputError}. */
  rotate(id: string, overlapMs?: number): Promise<{ readonly secret: string; readonly webhook: Webhook } | null> {
    return rotateSecret(this.#context, id, overlapMs);
  }

  /** The secrets to sign with, the newest first. Not for showing. @throws {GateError} `ledger.clear_key`. */
  secretsOf(id: string): Promise<readonly string[]> {
    return secretsOf(this.#context, id);
  }

  /** What became of events, the newest first. @throws {InputError}. */
  deliveries(id: string, query?: DeliveryQuery): Promise<readonly Delivery[]> {
    return listDeliveries(this.#context.database, id, query);
  }

  /** Sends events again; how many. @throws {InputError}. */
  replay(id: string, what: Replay): Promise<number> {
    return replay(this.#context, id, what);
  }

  /** For the deliverer: the right to deliver; `null`: another process has it. */
  lead(): Promise<WebhookLead | null> {
    return WebhookLead.take(this.#context);
  }
}
