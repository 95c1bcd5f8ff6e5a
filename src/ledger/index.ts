/**
 * The ledger: requests, who they are about, what is in force, and the ordered log of changes.
 * @module
 */
export { type Actor, type ActorRole, type ActorVia, SYSTEM_ACTOR } from './audit/actor.js';
export { type AuditEvent, appendAudit } from './audit/append.js';
export type { TrailPoint } from './audit/checkpoint.js';
export { isForked } from './audit/checkpoint-signer.js';
export type { AuditEntry } from './audit/entry.js';
export type { AuditHead, AuditQuery } from './audit/query.js';
export type { AuditTrail } from './audit/trail.js';
export type { ClearIdentifier } from './clear-values.js';
export type { CurrentDigest, CurrentSet } from './current-digests.js';
export { type DestinationChange, type DestinationInput, destinationSchema } from './destinations.js';
export type { EnforcerStatus } from './enforcers.js';
export type { Erasure } from './erasure.js';
export { type ExportIndex, type ExportRecord, type ExportRun, exportRunIdOf } from './export-runs.js';
export { createFeed, openFeed } from './feed.js';
export type { GapNotice, GapOptions, NoticeDigest } from './gap-notices.js';
export type { HorizonAlarm, HorizonHolder } from './horizon.js';
export type { ImportOptions, ImportProgress, ImportReceipt, ImportRow, RefusedRow } from './import-input.js';
export type { RequestAgent, RequestInput } from './input.js';
export { Ledger, type LedgerStatus, openLedger } from './ledger.js';
export type { LedgerOptions } from './ledger-options.js';
export type { LedgerEvents } from './ledger-parts.js';
export {
  type EffectInterval,
  EXPORTS_LISTED_MAX,
  type ExportFilter,
  type ExportPage,
  type ListedRequest,
  type OptOutCount,
  Oversight,
  REQUEST_STATUSES,
  REQUESTS_PER_PAGE_MAX,
  type RequestFilter,
  type RequestPage,
} from './oversight/index.js';
export type { EnforcerPropagation, Propagation } from './propagation.js';
export { DEADLINE_STATES, type DeadlineState } from './records/deadline.js';
export type { DeadlineList, DeadlineOptions, DueRequest } from './records/deadline-list.js';
export type { Denial, DenialInput } from './records/denial.js';
export type { InventoryChange, InventoryOptions, UnlistedDestination } from './records/inventory.js';
export { METRIC_COLUMNS, metricsJson, type RightMetrics, type YearMetrics } from './records/metrics.js';
export type { QuarterReport } from './records/quarter.js';
export { quarterJson, quarterMarkdown } from './records/quarter-text.js';
export type { LedgerRecords } from './records/records.js';
export { REPORT_FORMATS, type ReportFormat, recordsText, reportText } from './records/report-text.js';
export type { RequestDeadline } from './records/request-deadline.js';
export type { AuditRecord, RecordOptions } from './records/request-records.js';
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
export type { RetentionOptions, RetentionReport } from './retention.js';
export type { SnapshotOutOptions, WrittenSnapshot } from './snapshot-out.js';
export type { IdentifierStatus, RequestSummary } from './status.js';
export { CHECKS, type CheckName, type Finding, type Verification } from './verify.js';
export * from './webhooks/index.js';
