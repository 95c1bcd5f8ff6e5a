/**
 * Identifiers: from a typed value to suppression keys and digests.
 * @module
 */
export { ALL_TAGS, appendCtvDigests, appendMaidDigests } from './device-digests.js';
export { appendIdentifier, type IdentifierOptions } from './dialects.js';
export { type DropField, dropHash, dropNameVinHash, dropNdzHash, standardizeDropField } from './drop.js';
export type { DigestBytes } from './hex.js';
export {
  checkIdentifier,
  type Digest,
  type Expansion,
  type ExpansionResult,
  expandIdentifier,
  type IdentifierCheck,
  type IdentifierError,
} from './identifier.js';
export {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  createKeyList,
  KEY_WORDS,
  type KeyList,
  type KeyOutcome,
  resetKeyList,
} from './key.js';
export { IDENTIFIER_LENGTH_MAX, KEYS_PER_IDENTIFIER_MAX } from './limits.js';
