/**
 * Sends the events of a ledger to its consumers: at least once, and for each consumer in order.
 *
 * Any number of processes may run one; the one that has the lead sends (ledger/webhooks/lead.ts). An event whose attempt
 * failed keeps those behind it waiting, until it is delivered or dead; consumers do not wait for each other, and what fails
 * for one of them is tried again after a pause of its own. A process that dies between an answer and writing it down sends that
 * event again, so consumers tell repeats by the id of the event.
 * @module
 */
import { EventEmitter, setMaxListeners } from 'node:events';
import { Backoff } from '../backoff.js';
import {
  type AttemptOutcome,
  DEAD_KEEP_MS,
  type DueWebhook,
  faultOf,
  IMPORT_STALLED_MS,
  type Ledger,
  type NextDelivery,
  type WebhookLead,
} from '../ledger/index.js';
import {
  ATTEMPT_MS_MAX,
  ATTEMPTS_MAX,
  CONTEND_MS,
  FORCE_EVERY_MS,
  POLL_MS,
  PRUNE_EVERY_MS,
  RETRY_AFTER_MS_MAX,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SERVER_ERROR_AGE_MS_MAX,
  SILENCE_AGE_MS_MAX,
} from './limits.js';
import { outcomeOf, type Unmade } from './outcome.js';
import { type Lookup, post } from './post.js';
import { deliveryHeaders } from './signature.js';
import { Watch } from './watch.js';

export interface DelivererOptions {
  readonly attemptsMax?: number;
  readonly serverErrorAgeMsMax?: number;
  readonly silenceAgeMsMax?: number;
  readonly deadKeepMs?: number;
  readonly attemptMsMax?: number;
  readonly retryBaseMs?: number;
  readonly retryCapMs?: number;
  readonly retryAfterMsMax?: number;
  readonly pollMs?: number;
  readonly contendMs?: number;
  readonly forceEveryMs?: number;
  readonly importStalledMs?: number;
  readonly pruneEveryMs?: number;
  /** Wall clock, ms since 1970. */
  readonly now?: () => number;
  /** From 0 up to, and without, 1. */
  readonly random?: () => number;
  readonly lookup?: Lookup;
}

/** What became of one attempt. Holds nothing of what was sent. */
export interface Attempt {
  readonly webhookId: string;
  readonly outcome: AttemptOutcome;
}

/** Attempts since the start, by consumer. */
export interface AttemptCounts {
  delivered: number;
  failed: number;
  dead: number;
}

interface Made {
  readonly body: string;
  readonly secrets: readonly string[];
}

interface DelivererEvents {
  attempt: [Attempt];
  /** Something of the ledger failed; it is tried again, or the event that it spoilt is dead. */
  failure: [Error];
}

export class WebhookDeliverer extends EventEmitter<DelivererEvents> {
  readonly counts = new Map<string, AttemptCounts>();
  private readonly options: Required<Omit<DelivererOptions, 'lookup'>> & Pick<DelivererOptions, 'lookup'>;
  private readonly backoff: Backoff;
  /** Cuts attempts off. */
  private readonly cut = new AbortController();
  private isClosed = false;
  private readonly atWork = new Map<string, Promise<void>>();
  /** Consumers for whom the ledger failed, and until when they pause. */
  private readonly paused = new Map<string, { readonly backoff: Backoff; readonly untilMs: number }>();
  private running: Promise<void> | null = null;
  private lead: WebhookLead | null = null;
  private wakeWaiter: () => void = () => {};

  constructor(
    private readonly ledger: Pick<Ledger, 'webhooks'>,
    options: DelivererOptions = {},
  ) {
    super();
    setMaxListeners(0, this.cut.signal); // one for each attempt under way
    this.options = {
      attemptsMax: ATTEMPTS_MAX,
      serverErrorAgeMsMax: SERVER_ERROR_AGE_MS_MAX,
      silenceAgeMsMax: SILENCE_AGE_MS_MAX,
      deadKeepMs: DEAD_KEEP_MS,
      attemptMsMax: ATTEMPT_MS_MAX,
      retryBaseMs: RETRY_BASE_MS,
      retryCapMs: RETRY_CAP_MS,
      retryAfterMsMax: RETRY_AFTER_MS_MAX,
      pollMs: POLL_MS,
      contendMs: CONTEND_MS,
      forceEveryMs: FORCE_EVERY_MS,
      importStalledMs: IMPORT_STALLED_MS,
      pruneEveryMs: PRUNE_EVERY_MS,
      now: Date.now,
      random: Math.random,
      ...options,
    };
    this.backoff = new Backoff({ random: this.options.random });
  }

  /** This process is the one that sends. */
  get isLeading(): boolean {
    return this.lead !== null;
  }

  /** Begins to contend, and to send when it can. */
  start(): this {
    this.running ??= this.run();
    return this;
  }

  /**
   * Begins no further attempt, waits for those under way, and lets another process lead. What is not done after `drainMs` is
   * cut off, and sent again by the next. Never throws.
   */
  async close(drainMs = 0): Promise<void> {
    this.isClosed = true;
    this.wakeWaiter();
    const late = setTimeout(() => this.cut.abort(), drainMs);
    await this.running;
    clearTimeout(late);
  }

  private async run(): Promise<void> {
    while (!this.isClosed) {
      try {
        const lead = await this.ledger.webhooks.lead();
        if (lead === null) await this.pause(this.options.contendMs * (0.75 + this.options.random() / 2));
        else await this.deliver(lead);
        this.backoff.reset();
      } catch (error) {
        if (this.isClosed) break;
        this.emit('failure', error as Error);
        await this.pause(this.backoff.nextDelayMs());
      }
    }
  }

  private async deliver(lead: WebhookLead): Promise<void> {
    this.lead = lead;
    let isLost = false;
    void lead.lost.then(() => {
      isLost = true;
      this.wakeWaiter();
    });
    try {
      const watch = new Watch(lead, this.options, (error) => this.fail(error));
      while (!this.isClosed && !isLost) {
        await watch.look();
        await lead.number();
        for (const webhook of await lead.due()) this.begin(lead, webhook);
        await this.pause(this.options.pollMs);
      }
    } finally {
      this.lead = null;
      await Promise.all(this.atWork.values());
      if (!isLost) await lead.close();
    }
  }

  /** One line of work for each consumer. */
  private begin(lead: WebhookLead, webhook: DueWebhook): void {
    const { id } = webhook;
    if (this.atWork.has(id) || performance.now() < (this.paused.get(id)?.untilMs ?? 0)) return;
    const work = this.serve(lead, webhook)
      .then(
        () => void this.paused.delete(id),
        (error: unknown) => {
          const backoff = this.paused.get(id)?.backoff ?? new Backoff({ random: this.options.random });
          this.paused.set(id, { backoff, untilMs: performance.now() + backoff.nextDelayMs() });
          this.fail(error);
        },
      )
      .finally(() => this.atWork.delete(id));
    this.atWork.set(id, work);
  }

  /** Sends one event after the other until there is none, or one fails. */
  private async serve(lead: WebhookLead, webhook: DueWebhook): Promise<void> {
    while (!this.isClosed) {
      const next = await lead.next(webhook);
      if (next === null) return;
      const outcome = await this.attempt(lead, webhook, next);
      if (outcome === null) return;
      await lead.settle(webhook, next, outcome);
      this.count(webhook.id, outcome);
      this.emit('attempt', { webhookId: webhook.id, outcome });
      if (outcome.kind === 'failed' || outcome.kind === 'gone') return;
    }
  }

  /** `null`: this process is about to end. */
  private async attempt(lead: WebhookLead, webhook: DueWebhook, next: NextDelivery): Promise<AttemptOutcome | null> {
    const { attemptMsMax, now, lookup } = this.options;
    const made = await this.make(lead, webhook, next);
    if ('reason' in made) return outcomeOf(made, next, this.options);
    const { body, secrets } = made;
    const headers = deliveryHeaders(next.event, secrets, now(), body);
    const { url, allowPrivate } = webhook;
    const result = await post({
      url,
      allowPrivate,
      headers,
      body,
      attemptMsMax,
      now,
      lookup,
      signal: this.cut.signal,
    });
    if (result.kind === 'failed' && result.reason === 'closed') return null;
    return outcomeOf(result, next, this.options);
  }

  /** What is sent, or why it cannot be made. Throws where the database failed. */
  private async make(lead: WebhookLead, webhook: DueWebhook, { event }: NextDelivery): Promise<Made | Unmade> {
    const unmade = (reason: Unmade['reason'], error: unknown): Unmade => {
      this.fail(error);
      return { kind: 'unmade', reason };
    };
    let body: string;
    try {
      body = await lead.body(event, webhook);
    } catch (error) {
      const fault = faultOf(error);
      if (fault === null) throw error;
      return unmade(fault, error);
    }
    try {
      return { body, secrets: await lead.secrets(webhook) };
    } catch (error) {
      if (faultOf(error) === null) throw error;
      return unmade('secret', error);
    }
  }

  private fail(error: unknown): void {
    if (!this.isClosed) this.emit('failure', error as Error);
  }

  private count(id: string, { kind }: AttemptOutcome): void {
    const counts = this.counts.get(id) ?? { delivered: 0, failed: 0, dead: 0 };
    if (kind === 'delivered') counts.delivered++;
    else counts.failed++;
    if (kind === 'dead') counts.dead++;
    this.counts.set(id, counts);
  }

  private pause(waitMs: number): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.wakeWaiter = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
