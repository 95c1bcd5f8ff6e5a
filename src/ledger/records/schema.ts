/**
 * What records and reports add to the schema of a ledger.
 * @module
 */

export const RECORDS_SCHEMA: readonly string[] = [
  'create index request_received on optgate.request (received_at, id)',
  `create index request_in_progress on optgate.request (id) where status = 'in_progress'`,
];
