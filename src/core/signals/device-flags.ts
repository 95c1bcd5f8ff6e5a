/**
 * Flags of the device and of the request: `device.lmt`, `device.dnt`, `regs.coppa`, and Apple's `device.ext.atts`.
 *
 * Wire habits differ, so numbers, booleans and one-character strings are all read; anything else is malformed, which
 * is not the same as absent.
 * @module
 */
import type { FlagState } from './flag.js';

/** HOT. `1`, `true`, `"1"` are on; `0`, `false`, `"0"` are off; `undefined` and `null` are absent. */
export function parseBinaryFlag(value: unknown): FlagState {
  if (value === undefined || value === null) return 'absent';
  if (value === 1 || value === true || value === '1') return 'on';
  if (value === 0 || value === false || value === '0') return 'off';
  return 'malformed';
}

/**
 * HOT. App Tracking Transparency: 0 not determined, 1 restricted, 2 denied all mean that tracking is not authorised
 * (`on`); 3 is authorised (`off`). IAB's guidance sets `lmt` in the same way.
 */
export function parseAtt(value: unknown): FlagState {
  switch (value) {
    case undefined:
    case null:
      return 'absent';
    case 0:
    case 1:
    case 2:
    case '0':
    case '1':
    case '2':
      return 'on';
    case 3:
    case '3':
      return 'off';
    default:
      return 'malformed';
  }
}
