/**
 * A signal that is either set or not: LMT, DNT, ATT, COPPA, GPC.
 * @module
 */

/** `absent`: not there. `off`: there and not set. `on`: set. `malformed`: there, but not a value the specification knows. */
export type FlagState = 'absent' | 'off' | 'on' | 'malformed';
