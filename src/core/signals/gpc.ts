/**
 * Global Privacy Control outside GPP: the `Sec-GPC` header (W3C GPC) and its copy in `regs.ext.gpc` (IAB OpenRTB
 * community extension).
 * @module
 */
import { parseBinaryFlag } from './device-flags.js';
import type { FlagState } from './flag.js';

const ONE = /^[ \t]*(?:1|"1")[ \t]*$/;

/**
 * Whether the `Sec-GPC` header says 1. By the specification only the value `1` does; the quoted form, which Prebid Server
 * Java honours, and a number or boolean from a careless caller count, too. Of a repeated header (an array, or values
 * joined by commas) one is enough, since a second value never weakens an opt-out.
 */
export function parseSecGpc(header: unknown): boolean {
  if (header === '1' || header === 1 || header === true) return true;
  if (typeof header === 'string') return header.split(',').some((item) => ONE.test(item));
  return Array.isArray(header) && header.some((value) => !Array.isArray(value) && parseSecGpc(value));
}

/** HOT. `regs.ext.gpc`: `"1"` by its specification, `1` and `true` in the wild. */
export function parseRegsGpc(value: unknown): FlagState {
  return parseBinaryFlag(value);
}
