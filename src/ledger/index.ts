/**
 * The ledger: requests, who they are about, what is in force, and the ordered log of changes.
 * @module
 */
export { type Actor, type ActorRole, type ActorVia, SYSTEM_ACTOR } from './audit/actor.js';
export type { ClearIdentifier } from './clear-values.js';
export type { CurrentDigest, CurrentSet } from './current-digests.js';
export { type DestinationChange, type DestinationInput, destinationSchema } from './destinations.js';
export type { EnforcerStatus } from './enforcers.js';
export { type ExportIndex, type ExportRecord, type ExportRun, exportRunIdOf } from './export-runs.js';
export { createFeed, openFeed } from './feed.js';
export type { GapNotice, GapOptions, NoticeDigest } from './gap-notices.js';
export type { HorizonAlarm, HorizonHolder } from './horizon.js';
export type { ImportOptions, ImportProgress, ImportReceipt, ImportRow, RefusedRow } from './import-input.js';
export type { RequestInput } from './input.js';
export { Ledger, type LedgerStatus, openLedger } from './ledger.js';
export type { LedgerOptions } from './ledger-options.js';
export type { LedgerEvents } from './ledger-parts.js';
export type { EnforcerPropagation, Propagation } from './propagation.js';
export {
  CHANNELS,
  type Channel,
  isRequestId,
  type OptInReceipt,
  type PendingOptIn,
  type Receipt,
  type RequestNature,
  type RequestRecord,
  type RequestStatus,
  SCOPES,
  type Scope,
} from './request.js';
export type { SnapshotOutOptions, WrittenSnapshot } from './snapshot-out.js';
export type { IdentifierStatus, RequestSummary } from './status.js';
export { CHECKS, type CheckName, type Finding, type Verification } from './verify.js';
