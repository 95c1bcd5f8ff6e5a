/**
 * How often pages may be looked at, forms sent, and signals recorded. Each is counted apart, so that visits with a signal take
 * nothing from the forms of whoever shares an address with them.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { RateLimiter } from '../control-plane/rate-limit.js';
import { type PagesLimits, UNTRUSTED_PROXY_FACTOR } from './limits.js';
import { isUntrustedProxy, senderOf, type TrustedProxies } from './origin.js';

export type Rated = 'look' | 'submit' | 'signal';

export class PageRates {
  readonly #own: Readonly<Record<Rated, RateLimiter>>;
  /** For a peer that seems to stand for a whole site. */
  readonly #site: Readonly<Record<Rated, RateLimiter>>;
  #isTold = false;

  constructor(
    limits: PagesLimits,
    private readonly trusted: TrustedProxies,
    elapsed: () => number,
    private readonly onUntrustedProxy: () => void,
  ) {
    const all = (factor: number): Readonly<Record<Rated, RateLimiter>> => {
      const limiter = (perMinute: number, burst: number) =>
        new RateLimiter(
          { perSecond: (perMinute * factor) / 60, burst: burst * factor, keysMax: limits.addressesMax },
          elapsed,
        );
      return {
        look: limiter(limits.looksPerMinute, limits.looksBurst),
        submit: limiter(limits.submitsPerMinute, limits.submitsBurst),
        signal: limiter(limits.signalsPerMinute, limits.signalsBurst),
      };
    };
    this.#own = all(1);
    this.#site = all(UNTRUSTED_PROXY_FACTOR);
  }

  /** 0: it may be; else in how many ms. */
  take(what: Rated, request: IncomingMessage): number {
    const isSite = isUntrustedProxy(request, this.trusted);
    if (isSite && !this.#isTold) {
      this.#isTold = true;
      this.onUntrustedProxy();
    }
    return (isSite ? this.#site : this.#own)[what].take(senderOf(request, this.trusted));
  }
}
