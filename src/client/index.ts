/**
 * `optgate/client`: a client of the sidecar's socket.
 * @module
 */
export type { Identifier, IdentifierKind, Right, StripGroup } from '../core/vocabulary.js';
export {
  type BatchItem,
  type CallOptions,
  type Client,
  type ClientContext,
  type ClientRequest,
  type ClientStats,
  connect,
  type Filtered,
  type LookupResult,
  type Refusal,
} from './client.js';
export { type ClientDecision, type ClientReason, UNAVAILABLE } from './decision.js';
export { CLIENT_ERRORS, ClientError, type ClientErrorCode } from './errors.js';
export { CLIENT_DEFAULTS, type ClientOptions, type ClientState, type OnUnavailable } from './options.js';
