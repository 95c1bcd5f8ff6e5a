/**
 * What the leader looks for by the clock, between deliveries: notices, what is in force, imports that stand still, old events.
 *
 * A look that fails is told of, tried again after a pause of its own, and keeps nothing else waiting.
 * @module
 */
import { Backoff } from '../backoff.js';
import type { WebhookLead } from '../ledger/index.js';
import type { DelivererOptions } from './deliverer.js';
import { IMPORTS_EVERY_MS, LOOK_MS_MAX } from './limits.js';

type WatchTerms = Required<
  Pick<DelivererOptions, 'forceEveryMs' | 'importStalledMs' | 'pruneEveryMs' | 'deadKeepMs' | 'random'>
>;

interface Look {
  readonly everyMs: number;
  readonly backoff: Backoff;
  dueAtMs: number;
  work(): Promise<unknown>;
}

export class Watch {
  private afterId = '0';
  private readonly looks: readonly Look[];

  constructor(
    private readonly lead: WebhookLead,
    { forceEveryMs, importStalledMs, pruneEveryMs, deadKeepMs, random }: WatchTerms,
    private readonly onFailure: (error: unknown) => void,
  ) {
    const nowMs = performance.now();
    const look = (everyMs: number, dueAtMs: number, work: () => Promise<unknown>): Look => {
      return { everyMs, dueAtMs, work, backoff: new Backoff({ random }) };
    };
    this.looks = [
      look(0, nowMs, () => this.whileThereIs(() => lead.notices())),
      look(forceEveryMs, nowMs, () => this.lookForForce()),
      look(Math.min(IMPORTS_EVERY_MS, importStalledMs), nowMs, () =>
        this.whileThereIs(() => lead.interrupted(importStalledMs)),
      ),
      look(pruneEveryMs, nowMs + pruneEveryMs, () => lead.prune(deadKeepMs)),
    ];
  }

  /** Never throws. */
  async look(): Promise<void> {
    for (const one of this.looks) {
      const nowMs = performance.now();
      if (nowMs < one.dueAtMs) continue;
      try {
        await one.work();
        one.backoff.reset();
        one.dueAtMs = nowMs + one.everyMs;
      } catch (error) {
        one.dueAtMs = nowMs + Math.max(one.everyMs, one.backoff.nextDelayMs());
        this.onFailure(error);
      }
    }
  }

  private async whileThereIs(work: () => Promise<boolean>): Promise<void> {
    const startMs = performance.now();
    while ((await work()) && performance.now() - startMs < LOOK_MS_MAX);
  }

  private async lookForForce(): Promise<void> {
    this.afterId = (await this.lead.inForce(this.afterId)).afterId;
  }
}
