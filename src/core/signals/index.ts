/**
 * Signals: what a request says about itself. Every reader here turns bytes from outside into a value and never throws.
 * @module
 */
export * from './device-flags.js';
export * from './flag.js';
export * from './gpc.js';
export * from './gpp/decode.js';
export * from './gpp/findings.js';
export * from './gpp/malformed.js';
export { prefixOf, sectionIdOf, US_SECTION_IDS } from './gpp/sections.js';
export * from './gpp/sids.js';
export * from './gpp/verdict.js';
export * from './us-privacy.js';
