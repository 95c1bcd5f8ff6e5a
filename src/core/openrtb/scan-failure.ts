/**
 * Why a request is not scanned.
 * @module
 */

/** In the order of their numbers, from 1. `invalid` includes what is no JSON at all; the parser tells. */
export const SCAN_FAILURES = [
  'invalid',
  'not_object',
  'too_long',
  'too_many_values',
  'too_many_members',
  'too_deep',
  'repeated_key',
  'unusual_key',
  'layered',
] as const;
export type ScanFailure = (typeof SCAN_FAILURES)[number];

/** As the scanner's WebAssembly answers it. */
export function failureNumber(failure: ScanFailure): number {
  return SCAN_FAILURES.indexOf(failure) + 1;
}

/** Most keys of one object that have an equal hash and are not equal. */
export const COLLISIONS_MAX = 8;
