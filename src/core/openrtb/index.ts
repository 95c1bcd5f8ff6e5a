/**
 * OpenRTB: reading facts out of a bid request, and restricting it.
 * @module
 */
export * from './facts.js';
export * from './fields.js';
export * from './read.js';
export * from './restrict.js';
