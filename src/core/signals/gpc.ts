/**
 * Global Privacy Control outside GPP: the `Sec-GPC` header (W3C GPC) and its copy in `regs.ext.gpc` (IAB OpenRTB
 * community extension).
 * @module
 */
import { parseBinaryFlag } from './device-flags.js';
import type { FlagState } from './flag.js';

const TAB = 9;
const SPACE = 32;
const COMMA = 44;
const ONE = 49;

/**
 * HOT. Whether the `Sec-GPC` header says 1. Only the value `1` means anything; a repeated header (an array, or values
 * joined by commas) counts as soon as one of them is `1`, since a second value never weakens an opt-out.
 */
export function parseSecGpc(header: unknown): boolean {
  if (header === '1') return true;
  if (typeof header === 'string') return listHoldsOne(header);
  if (!Array.isArray(header)) return false;
  for (let index = 0; index < header.length; index++) {
    const value: unknown = header[index];
    if (typeof value === 'string' && listHoldsOne(value)) return true;
  }
  return false;
}

/** HOT. `regs.ext.gpc`: `"1"` by its specification, `1` and `true` in the wild. */
export function parseRegsGpc(value: unknown): FlagState {
  return parseBinaryFlag(value);
}

/** Whether one item of a comma-separated list is exactly `1`, white space aside. */
function listHoldsOne(list: string): boolean {
  let onlyOne = false;
  let blank = true;
  for (let at = 0; at < list.length; at++) {
    const code = list.charCodeAt(at);
    if (code === SPACE || code === TAB) continue;
    if (code === COMMA) {
      if (onlyOne) return true;
      blank = true;
      continue;
    }
    onlyOne = blank && code === ONE;
    blank = false;
  }
  return onlyOne && !blank;
}
