/**
 * The control plane of the sidecar.
 * @module
 */
export { actorOf } from './acting.js';
export { admit, isForwarded, isFromHere, readQuery } from './admission.js';
export { enforcersAnswer, timeOf } from './answers.js';
export { readChunks, readJson } from './body.js';
export { type ControlPlane, createControlPlane } from './control-plane.js';
export type { ExportBasis } from './export-route.js';
export { isLoopback, refuseOpenListening } from './listening.js';
export {
  CONTROL_LIMITS,
  CONTROL_SERVER_OPTIONS,
  type ControlEvent,
  type ControlLimits,
  type ControlPlaneOptions,
  type Mount,
} from './options.js';
export { fieldProblem, ProblemError } from './problems.js';
export { RateLimiter } from './rate-limit.js';
export { channel } from './schemas.js';
export {
  type Principal,
  TOKEN_ROLES,
  TokenError,
  type TokenRole,
  TokenSet,
  type TokenSources,
} from './tokens.js';
