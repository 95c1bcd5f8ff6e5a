/**
 * The core of optgate: pure, synchronous, no I/O. What a bidder imports.
 * @module
 */
export { GATE_ERRORS, GateError, type GateErrorCode, InputError, type InputErrorCode } from './errors.js';
export {
  type BytesContext,
  type BytesStats,
  type CheckContext,
  createGate,
  type Filtered,
  type Gate,
  type GateOptions,
  type GateStats,
  type Refusal,
  type RefusalCode,
} from './gate.js';
export {
  checkIdentifier,
  dropHash,
  dropNameVinHash,
  dropNdzHash,
  expandIdentifier,
  type IdentifierError,
} from './identity/index.js';
export { type EnterOptions, enterIdentifier, rightsOfIdentifier } from './opt-out.js';
export type { Decision, Reason } from './policy/decision.js';
export {
  DESTINATION_CHANNELS,
  type Destination,
  type DestinationChannel,
  type DestinationTerms,
  PURPOSES,
  type Purpose,
  ROLES,
  type Role,
} from './policy/destinations.js';
export { type Jurisdiction, STATE_LAWS, type StateLaw } from './policy/jurisdiction.js';
export { DEFAULT_POLICY, type Policy } from './policy/policy.js';
export {
  decodeGpp,
  findingsOfMask,
  GPP_FINDINGS,
  type GppDecoded,
  type GppFinding,
  type GppMalformed,
  type GppVerdict,
  judgeGpp,
} from './signals/index.js';
export {
  SuppressionTable,
  TableHolder,
  type TableOptions,
  type TableShare,
  type TableSwap,
} from './suppression/index.js';
export * from './vocabulary.js';
