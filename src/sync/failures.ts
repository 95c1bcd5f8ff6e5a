/**
 * Keeps count of what went wrong.
 * @module
 */
import { GateError, type GateErrorCode } from '../core/errors.js';
import type { Clock } from './clock.js';
import type { FailureStatus } from './follower-status.js';

type Counts = Partial<Record<GateErrorCode, number>>;

export class Failures {
  readonly counts: Counts = {};
  readonly refusedCounts: Counts = {};
  private code: GateErrorCode | null = null;
  private atMs = 0;
  private consecutiveCount = 0;

  constructor(private readonly clock: Clock) {}

  get last(): FailureStatus | null {
    const { code, atMs, consecutiveCount } = this;
    return code === null ? null : { code, atMs, consecutiveCount };
  }

  /** A failure; `isRefusal`: it was a snapshot that was not put into use. */
  note(code: GateErrorCode, isRefusal = false): FailureStatus {
    this.counts[code] = (this.counts[code] ?? 0) + 1;
    if (isRefusal) this.refusedCounts[code] = (this.refusedCounts[code] ?? 0) + 1;
    this.code = code;
    this.atMs = this.clock.wallMs();
    this.consecutiveCount++;
    return { code, atMs: this.atMs, consecutiveCount: this.consecutiveCount };
  }

  /** It works again. */
  recovered(): void {
    this.consecutiveCount = 0;
  }
}

/** Any error as one with a code: what a source throws without one was the source's trouble. */
export function asFailure(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError('sync.unavailable', undefined, { cause: error });
}
