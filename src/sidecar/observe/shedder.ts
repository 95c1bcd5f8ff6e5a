/**
 * Says when a thread has more work than it can do: then answering "busy" at once serves everyone better than queueing.
 *
 * Two measures. The event loop: late beyond a limit twice in a row (one pause, such as of the garbage collector, is no
 * overload), off again after it has been well below the limit for a while. And requests under way, at once.
 * Probes and metrics are never shed; they do not ask.
 * @module
 */

export const SHED_DELAY_MS = 100;
export const SHED_SAMPLES = 2;
/** Share of the limit below which the loop counts as well again. */
export const RESUME_SHARE = 0.5;
export const RESUME_AFTER_MS = 500;
export const IN_FLIGHT_MAX = 10_000;

export interface ShedderOptions {
  /** Event-loop delay from which to shed; `null`: never because of it. */
  readonly delayMsMax?: number | null | undefined;
  /** Samples in a row above it. */
  readonly samples?: number | undefined;
  readonly resumeAfterMs?: number | undefined;
  /** Requests of this thread that are read, waiting or being answered. HOT: it is asked for every request. */
  readonly inFlight?: (() => number) | undefined;
  readonly inFlightMax?: number | undefined;
  /** Monotonic. */
  readonly now?: (() => number) | undefined;
}

export interface ShedderState {
  readonly isShedding: boolean;
  /** How often it began because the event loop was late. */
  readonly onsetCount: number;
}

export class Shedder {
  readonly #delayMsMax: number;
  readonly #samples: number;
  readonly #resumeAfterMs: number;
  readonly #inFlight: () => number;
  readonly #inFlightMax: number;
  readonly #now: () => number;
  #isLate = false;
  #lateSamples = 0;
  #lastLateAtMs = 0;
  #onsetCount = 0;

  constructor(options: ShedderOptions = {}) {
    const { delayMsMax = SHED_DELAY_MS, samples = SHED_SAMPLES, resumeAfterMs = RESUME_AFTER_MS } = options;
    const { inFlight = () => 0, inFlightMax = IN_FLIGHT_MAX, now = () => performance.now() } = options;
    if (delayMsMax !== null && !(delayMsMax > 0)) throw new RangeError('delayMsMax: expected a number above 0 or null');
    if (!(samples >= 1)) throw new RangeError('samples: expected at least 1');
    if (!(inFlightMax >= 1)) throw new RangeError('inFlightMax: expected at least 1');
    this.#delayMsMax = delayMsMax ?? Number.POSITIVE_INFINITY;
    this.#samples = samples;
    this.#resumeAfterMs = resumeAfterMs;
    this.#inFlight = inFlight;
    this.#inFlightMax = inFlightMax;
    this.#now = now;
  }

  /** HOT. */
  get isShedding(): boolean {
    return this.#isLate || this.#inFlight() > this.#inFlightMax;
  }

  /** A sample of the event loop's delay: hand this to EventLoopMonitor as `onDelay`. */
  observe(delayMs: number): void {
    const nowMs = this.#now();
    if (delayMs > this.#delayMsMax) this.#lateSamples++;
    else this.#lateSamples = 0;
    if (delayMs > this.#delayMsMax * RESUME_SHARE) this.#lastLateAtMs = nowMs;
    if (!this.#isLate && this.#lateSamples >= this.#samples) {
      this.#isLate = true;
      this.#onsetCount++;
    } else if (this.#isLate && nowMs - this.#lastLateAtMs >= this.#resumeAfterMs) {
      this.#isLate = false;
    }
  }

  state(): ShedderState {
    return { isShedding: this.isShedding, onsetCount: this.#onsetCount };
  }
}
