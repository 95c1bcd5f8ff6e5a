/**
 * How late the event loop of this thread is, and how busy.
 *
 * Measured with a timer of our own: the histogram of `node:perf_hooks` hides a stall that begins right after it was reset.
 * A stall of 300 ms held up everything that came in during it, so it counts as often as the timer should have fired.
 * @module
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

export const SAMPLE_EVERY_MS = 20;
/** What percentiles and utilization are of. */
export const WINDOW_MS = 30_000;
const UTILIZATION_EVERY_MS = 1000;

/** Of the last WINDOW_MS; of several threads the worst. */
export interface EventLoopState {
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** Share of the time the loop was busy, 0 to 1. */
  readonly utilization: number;
}

export interface EventLoopOptions {
  /** Hears of every sample: how late the timer was. */
  readonly onDelay?: ((delayMs: number) => void) | undefined;
  readonly sampleEveryMs?: number | undefined;
  readonly windowMs?: number | undefined;
}

export class EventLoopMonitor {
  readonly #sampleEveryMs: number;
  readonly #delays: DelayWindow;
  readonly #onDelay: (delayMs: number) => void;
  readonly #timer: NodeJS.Timeout;
  /** One a second, oldest first. */
  #utilizations: EventLoopUtilization[] = [performance.eventLoopUtilization()];
  #utilizationAtMs = performance.now();
  #sampledAtMs = performance.now();

  constructor({ onDelay = () => {}, sampleEveryMs = SAMPLE_EVERY_MS, windowMs = WINDOW_MS }: EventLoopOptions = {}) {
    this.#sampleEveryMs = sampleEveryMs;
    this.#onDelay = onDelay;
    this.#delays = new DelayWindow(Math.ceil(windowMs / sampleEveryMs));
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs).unref();
  }

  state(): EventLoopState {
    const [delayP50Ms = 0, delayP99Ms = 0, delayMaxMs = 0] = this.#delays.quantiles([0.5, 0.99, 1]);
    const { utilization } = performance.eventLoopUtilization(this.#utilizations[0]);
    return { delayP50Ms, delayP99Ms, delayMaxMs, utilization: Number.isFinite(utilization) ? utilization : 0 };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const nowMs = performance.now();
    const delayMs = Math.max(0, nowMs - this.#sampledAtMs - this.#sampleEveryMs);
    this.#sampledAtMs = nowMs;
    this.#delays.add(delayMs, this.#sampleEveryMs);
    if (nowMs - this.#utilizationAtMs >= UTILIZATION_EVERY_MS) {
      this.#utilizationAtMs = nowMs;
      const kept = this.#utilizations.slice(-WINDOW_MS / UTILIZATION_EVERY_MS + 1);
      this.#utilizations = [...kept, performance.eventLoopUtilization()];
    }
    this.#onDelay(delayMs);
  }
}

/** The last so many delays. */
export class DelayWindow {
  readonly #delaysMs: Float64Array;
  #count = 0;

  constructor(sampleCount: number) {
    this.#delaysMs = new Float64Array(sampleCount);
  }

  /** Adds a delay, and those of the samples that could not be taken because of it. */
  add(delayMs: number, everyMs: number): void {
    const missed = Math.min(Math.floor(delayMs / everyMs), this.#delaysMs.length - 1);
    for (let index = missed; index >= 0; index--) {
      this.#delaysMs[this.#count++ % this.#delaysMs.length] = delayMs - index * everyMs;
    }
  }

  quantiles(wanted: readonly number[]): number[] {
    const sorted = this.#delaysMs.slice(0, this.#count).sort();
    return wanted.map((q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0);
  }
}

/** The worst of several threads. */
export function worstEventLoop(states: readonly EventLoopState[]): EventLoopState {
  const worst = (of: (state: EventLoopState) => number) => Math.max(0, ...states.map(of));
  return {
    delayP50Ms: worst(({ delayP50Ms }) => delayP50Ms),
    delayP99Ms: worst(({ delayP99Ms }) => delayP99Ms),
    delayMaxMs: worst(({ delayMaxMs }) => delayMaxMs),
    utilization: worst(({ utilization }) => utilization),
  };
}
