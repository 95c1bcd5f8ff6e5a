/**
 * A progress line on standard error, when that is a terminal and the work takes longer than a second.
 * @module
 */
import type { Io } from './command.js';

const SHOW_AFTER_MS = 1_000;
const SHOW_EVERY_MS = 250;
/** The clock is asked once in this many counts. */
const STEP_COUNT = 256;

export interface Progress {
  at(count: number): void;
  /** Takes the line away, so that something else can be written; it comes back by itself. */
  clear(): void;
  end(): void;
}

export function createProgress(io: Io, unit: string): Progress {
  if (io.stderr.isTTY !== true) return { at: () => {}, clear: () => {}, end: () => {} };
  const startMs = io.now();
  let shownMs = 0;
  let nextCount = STEP_COUNT;
  const clear = () => {
    if (shownMs !== 0) io.stderr.write('\r\x1b[K');
  };
  return {
    clear,
    end: clear,
    at(count) {
      if (count < nextCount) return;
      nextCount = count + STEP_COUNT;
      const nowMs = io.now();
      if (nowMs - startMs < SHOW_AFTER_MS || nowMs - shownMs < SHOW_EVERY_MS) return;
      shownMs = nowMs;
      const perSecond = Math.round((count * 1_000) / (nowMs - startMs));
      io.stderr.write(`\r\x1b[K${count.toLocaleString('en-US')} ${unit}, ${perSecond.toLocaleString('en-US')}/s`);
    },
  };
}
