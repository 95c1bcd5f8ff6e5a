/**
 * A visit with Global Privacy Control from a browser the site knows is an opt-out of that browser's id: the signal is the
 * request (11 CCR 7025(c)(1)). Recorded once, in the background; the page waits for nothing.
 *
 * What is remembered is that a digest of an id was found opted out, never the id, and only for some time: an opt-in in
 * between is followed by the signal again, which prevails as long as the browser sends it (7025(c)(3)).
 * @module
 */
import { LRUCache } from 'lru-cache';
import type { Identifier } from '../../core/vocabulary.js';
import type { Ledger } from '../../ledger/index.js';
import { SIGNAL_RIGHTS } from './intake.js';
import type { Sealer } from './seal.js';

/** How long an id counts as opted out without a look into the ledger. */
const KNOWN_MS = 3_600_000;
/** Visits whose opt-out is under way; of further ones, the next visit records it. */
const UNDER_WAY_MAX = 32;
const OPERATOR = 'privacy-choices; signal';

export class SignalIntake {
  private readonly known: LRUCache<string, true>;
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly sealer: Sealer,
    knownIdsMax: number,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.known = new LRUCache({ max: knownIdsMax, ttl: KNOWN_MS });
  }

  /**
   * Sees to it that these ids are opted out. Never throws, and does not wait.
   * @param mayRecord Asked before each that is not known yet: ids can be made up.
   */
  note(ledger: Ledger | null, identifiers: readonly Identifier[], mayRecord: () => boolean): void {
    if (ledger === null) return;
    for (const identifier of identifiers) {
      const digest = this.sealer.digest('signal', identifier.kind, identifier.value);
      if (this.known.has(digest) || this.underWay.has(digest) || this.underWay.size >= UNDER_WAY_MAX) continue;
      if (!mayRecord()) return;
      const work = this.record(ledger, identifier, digest).finally(() => this.underWay.delete(digest));
      this.underWay.set(digest, work);
    }
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay.values());
  }

  private async record(ledger: Ledger, identifier: Identifier, digest: string): Promise<void> {
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
    } catch (error) {
      this.onFailure(error); // the next visit does it
    }
  }
}
