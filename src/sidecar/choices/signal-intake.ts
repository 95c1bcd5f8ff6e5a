/**
 * A visit with Global Privacy Control from a browser the site knows is an opt-out of that browser's id: the signal is the
 * request (11 CCR 7025(c)(1)). Recorded once, in the background; the page waits for nothing.
 *
 * An id that cannot be recorded at once waits in a bounded queue and is tried again. What is remembered afterwards is that a
 * digest of an id was found opted out, never the id, and only for some time: an opt-in in between is followed by the signal
 * again, which prevails as long as the browser sends it (7025(c)(3)).
 * @module
 */
import { LRUCache } from 'lru-cache';
import type { Identifier } from '../../core/vocabulary.js';
import type { Ledger } from '../../ledger/index.js';
import { SIGNAL_RIGHTS } from './intake.js';
import { SIGNAL_RETRY_MS, SIGNAL_TRIES_MAX, SIGNALS_UNDER_WAY_MAX, SIGNALS_WAITING_MAX } from './limits.js';
import type { Sealer } from './seal.js';

/** How long an id counts as opted out without a look into the ledger. */
const KNOWN_MS = 3_600_000;
const OPERATOR = 'privacy-choices; signal';

interface Waiting {
  readonly identifier: Identifier;
  tries: number;
}

export interface SignalIntakeOptions {
  readonly ledger: () => Ledger | null;
  readonly knownIdsMax: number;
  readonly onFailure: (error: unknown) => void;
  /** So many ids were given up; the next visit of each begins anew. */
  readonly onDropped: (count: number) => void;
}

export class SignalIntake {
  private readonly known: LRUCache<string, true>;
  private readonly waiting = new Map<string, Waiting>();
  private readonly underWay = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly sealer: Sealer,
    private readonly options: SignalIntakeOptions,
  ) {
    this.known = new LRUCache({ max: options.knownIdsMax, ttl: KNOWN_MS });
  }

  /**
   * Sees to it that these ids are opted out. Never throws, and does not wait.
   * @param mayRecord Asked before each that is not known yet: ids can be made up.
   * @returns true: each is recorded, or will be.
   */
  note(identifiers: readonly Identifier[], mayRecord: () => boolean): boolean {
    let dropped = 0;
    for (const identifier of identifiers) {
      const digest = this.sealer.digest('signal', identifier.kind, identifier.value);
      if (this.known.has(digest) || this.waiting.has(digest)) continue;
      if (this.waiting.size >= SIGNALS_WAITING_MAX || !mayRecord()) dropped++;
      else this.waiting.set(digest, { identifier, tries: 0 });
    }
    if (dropped > 0) this.options.onDropped(dropped);
    this.pump((tries) => tries === 0);
    return dropped === 0;
  }

  /** Tries everything that waits once more, and resolves when nothing is under way. What is left then is given up. */
  async settle(): Promise<void> {
    do {
      await Promise.all(this.underWay.values());
      this.pump((tries) => tries === 0);
    } while (this.underWay.size > 0);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.waiting.size > 0) this.options.onDropped(this.waiting.size);
    this.waiting.clear();
  }

  private pump(isDue: (tries: number) => boolean): void {
    const ledger = this.options.ledger();
    for (const [digest, one] of this.waiting) {
      if (ledger === null || this.underWay.size >= SIGNALS_UNDER_WAY_MAX) break;
      if (this.underWay.has(digest) || !isDue(one.tries)) continue;
      const work = this.record(ledger, digest, one).finally(() => {
        this.underWay.delete(digest);
        this.pump((tries) => tries === 0);
      });
      this.underWay.set(digest, work);
    }
    if (this.waiting.size > 0 && this.timer === null) {
      this.timer = setTimeout(() => {
        this.timer = null;
        this.pump(() => true);
      }, SIGNAL_RETRY_MS).unref();
    }
  }

  private async record(ledger: Ledger, digest: string, one: Waiting): Promise<void> {
    const { identifier } = one;
    try {
      const { rights } = await ledger.statusOf(identifier);
      if (!SIGNAL_RIGHTS.every((right) => rights.includes(right))) {
        await ledger.recordOptOut({
          identifiers: [identifier],
          rights: SIGNAL_RIGHTS,
          channel: 'gpc',
          scope: 'device',
          operator: OPERATOR,
        });
      }
      this.known.set(digest, true);
      this.waiting.delete(digest);
    } catch (error) {
      this.options.onFailure(error);
      this.waiting.delete(digest); // and to the end of the order
      if (++one.tries < SIGNAL_TRIES_MAX) this.waiting.set(digest, one);
      else this.options.onDropped(1);
    }
  }
}
