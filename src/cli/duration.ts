/**
 * Durations as people write them on a command line: `500ms`, `30s`, `5m`, `1h`.
 * @module
 */
import { UsageError } from './command.js';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a duration option. @throws {UsageError} on anything that is not a number and a unit. */
export function durationMs(name: string, text: string | undefined, fallbackMs: number): number {
  if (text === undefined) return fallbackMs;
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new UsageError(`--${name}: expected a duration, such as 500ms, 30s, 5m or 1h`);
  }
  return Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
