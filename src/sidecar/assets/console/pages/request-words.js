/**
 * The words of requests, for people.
 * @module
 */
/** @type {Readonly<Record<string, string>>} Status to the icon of its state. */
export const STATUS_ICONS = { pending: 'waiting', in_progress: 'waiting', complied: 'working', denied: 'wrong' };
/** @type {Readonly<Record<string, string>>} */
export const NATURES = { opt_out: 'Opt-out', opt_in: 'Opt-in', import: 'List' };
