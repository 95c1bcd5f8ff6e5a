/**
 * Decisions as a client sees them: those a server made, and those that stand in for one that could not be asked.
 * @module
 */
import { type Action, STRIP_GROUPS, type StripGroup } from '../core/vocabulary.js';
import type { OnUnavailable } from './options.js';

export interface ClientReason {
  readonly code: string;
  readonly sentence: string;
  readonly citation: string;
  readonly strip: readonly StripGroup[];
}

/** See `Decision` of the library; the fields have the same names and meaning. */
export interface ClientDecision {
  readonly action: Action;
  readonly strip: readonly StripGroup[];
  readonly reasons: readonly string[];
  readonly seq: number | null;
  readonly stale: boolean;
  readonly jurisdiction: string;
  /** `null`: no server made this decision. */
  readonly policyVersion: string | null;
  /** Where the context asked for it. */
  readonly explain?: readonly ClientReason[];
}

export const UNAVAILABLE = 'client.unavailable';

/** The decision while no server can be asked: frozen, shared. */
export function unavailableDecision(action: OnUnavailable): ClientDecision {
  return Object.freeze({
    action,
    strip: action === 'allow' ? [] : STRIP_GROUPS,
    reasons: Object.freeze([UNAVAILABLE]),
    seq: null,
    stale: true,
    jurisdiction: 'unknown',
    policyVersion: null,
  });
}

const ACTIONS: readonly unknown[] = ['allow', 'restrict', 'block'];

/** A value that came as a decision; `null` if it is none. What it has besides is left out. */
export function asDecision(value: unknown): ClientDecision | null {
  if (typeof value !== 'object' || value === null) return null;
  const { action, strip, reasons, seq, stale, jurisdiction, policyVersion, explain } = value as ClientDecision;
  const fits =
    ACTIONS.includes(action) &&
    Array.isArray(strip) &&
    Array.isArray(reasons) &&
    (seq === null || typeof seq === 'number') &&
    typeof stale === 'boolean' &&
    typeof jurisdiction === 'string' &&
    typeof policyVersion === 'string';
  if (!fits) return null;
  const decision = { action, strip, reasons, seq, stale, jurisdiction, policyVersion };
  return Array.isArray(explain) ? { ...decision, explain } : decision;
}
