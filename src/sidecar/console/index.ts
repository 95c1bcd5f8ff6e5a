/**
 * The operator console.
 * @module
 */
export { Console, type ConsoleOptions } from './console.js';
export { CONSOLE_LIMITS, type ConsoleLimits } from './limits.js';
export type { ConsoleProcess } from './state.js';
