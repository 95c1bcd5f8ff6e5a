/**
 * Moments and durations as people write and read them: `2026-11-20T10:00:00Z`, `500ms`, `30s`, `5m`, `1h`.
 * @module
 */
import { UsageError } from './command.js';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a duration option. @throws {UsageError} on anything that is not a number and a unit. */
export function durationMs(name: string, text: string | undefined, fallbackMs: number): number {
  if (text === undefined) return fallbackMs;
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(digits) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? Number.NaN);
  // longer ones overflow what timers count in
  if (!(ms < 2 ** 31)) throw new UsageError(`--${name}: expected a duration, such as 500ms, 30s, 5m or 1h`);
  return ms;
}

/** Milliseconds of a moment option: with its zone, as without one it would be another moment on another machine. @throws {UsageError} */
export function momentMs(name: string, text: string): number {
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const ms = isMoment ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new UsageError(`--${name}: expected a time with its zone, such as 2026-11-20T10:00:00Z`);
  return ms;
}

/** A moment as it is printed; `null` stays what it is. */
export function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
