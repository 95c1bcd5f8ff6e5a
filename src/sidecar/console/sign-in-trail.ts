/**
 * Who signed in and out, and who was refused, as entries of the audit trail. Nothing of a token or an address is in them.
 *
 * Anybody can be refused as often as they like, so those entries are limited; the next one says how many were left out.
 * @module
 */
import { actorOf, type Principal, RateLimiter } from '../control-plane/index.js';
import type { TrailRecorder } from '../trail-recorder.js';
import type { ConsoleLimits } from './limits.js';

export type RefusedWhy = 'unknown' | 'forbidden' | 'limited';

export class SignInTrail {
  readonly #refusals: RateLimiter;
  #omitted = 0;

  /** @param now Monotonic ms. */
  constructor(
    private readonly recorder: TrailRecorder,
    { refusalsRecordedPerMinute, refusalsRecordedBurst }: ConsoleLimits,
    now: () => number,
  ) {
    const rates = { perSecond: refusalsRecordedPerMinute / 60, burst: refusalsRecordedBurst, keysMax: 1 };
    this.#refusals = new RateLimiter(rates, now);
  }

  signedIn(principal: Principal): Promise<void> {
    return this.#add('console.signed_in', principal, {});
  }

  signedOut(principal: Principal): Promise<void> {
    return this.#add('console.signed_out', principal, {});
  }

  /** @param principal Whose token it was; `null`: nobody's that is known. */
  async refused(why: RefusedWhy, principal: Principal | null): Promise<void> {
    if (this.#refusals.take('') > 0) {
      this.#omitted++;
      return;
    }
    const omitted = this.#omitted;
    this.#omitted = 0;
    await this.#add('console.sign_in_refused', principal, { omitted, why });
  }

  #add(kind: string, principal: Principal | null, body: object): Promise<void> {
    return this.recorder.record({ kind, subject: null, body }, actorOf(principal, 'page'));
  }
}
