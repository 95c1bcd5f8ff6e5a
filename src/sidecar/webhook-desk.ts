/**
 * The deliverer of webhooks in the sidecar: begun with the ledger, told of in the log and the metrics, ended before the ledger.
 * @module
 */
import type { Ledger } from '../ledger/index.js';
import { type Attempt, WebhookDeliverer } from '../webhooks/index.js';
import type { SidecarConfig } from './config-settings.js';
import { type EventLog, type LogWord, Setting } from './observe/index.js';
import type { WebhookState } from './observe/metric-row.js';

export class WebhookDesk {
  #ledger: Ledger | null = null;
  #deliverer: WebhookDeliverer | null = null;
  #isClosed = false;

  constructor(
    private readonly config: SidecarConfig,
    private readonly log: EventLog,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /** The ledger is there now. */
  begin(ledger: Ledger): void {
    const { config } = this;
    if (!config['webhooks.enabled'] || this.#isClosed) return;
    this.#ledger = ledger;
    this.#deliverer = new WebhookDeliverer(ledger, {
      attemptsMax: config['webhooks.attemptsMax'],
      serverErrorAgeMsMax: config['webhooks.serverErrorAgeMax'],
      silenceAgeMsMax: config['webhooks.silenceAgeMax'],
      deadKeepMs: config['webhooks.deadKeep'],
      attemptMsMax: config['webhooks.attemptTimeout'],
      retryBaseMs: config['webhooks.retryBase'],
      retryCapMs: config['webhooks.retryCap'],
    });
    this.#deliverer.on('failure', this.onFailure).on('attempt', (attempt) => this.#note(attempt));
    this.#deliverer.start();
  }

  /** `off`: no ledger, or told not to. `standing_by`: another process delivers. */
  get state(): 'off' | 'standing_by' | 'delivering' {
    if (this.#deliverer === null) return 'off';
    return this.#deliverer.isLeading ? 'delivering' : 'standing_by';
  }

  /** `null`: another process delivers, or the ledger does not answer in time. */
  async metrics(waitMs: number): Promise<readonly WebhookState[] | null> {
    const [ledger, deliverer] = [this.#ledger, this.#deliverer];
    if (ledger === null || deliverer === null || !deliverer.isLeading) return null;
    const late = new Promise<null>((resolve) => setTimeout(resolve, waitMs, null).unref());
    const asked = ledger.webhooks.list().then(
      (webhooks) =>
        webhooks.map(({ id, isEnabled, behindCount, behindSinceMs, deadCount }): WebhookState => {
          const { delivered = 0, failed = 0 } = deliverer.counts.get(id) ?? {};
          const behindMs = behindSinceMs === null ? 0 : Math.max(0, Date.now() - behindSinceMs);
          return { id, isEnabled, behindCount, behindMs, deadCount, deliveredCount: delivered, failedCount: failed };
        }),
      () => null,
    );
    return Promise.race([asked, late]);
  }

  /** Never throws. */
  async close(drainMs: number): Promise<void> {
    this.#isClosed = true;
    await this.#deliverer?.close(drainMs);
  }

  #note({ webhookId, outcome }: Attempt): void {
    const webhook = new Setting(webhookId);
    if (outcome.kind === 'gone') this.log.event('webhook.disabled', { webhook });
    if (outcome.kind !== 'failed' && outcome.kind !== 'dead') return;
    const { kind, status, reason } = outcome;
    this.log.event(`webhook.${kind}`, { webhook, status, why: reason as LogWord });
  }
}
