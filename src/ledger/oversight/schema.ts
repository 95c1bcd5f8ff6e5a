/**
 * The step of the schema that makes overviews fast: lists of requests, counts by day, and times to effect.
 * @module
 */

/**
 * `request_listing` serves lists by any choice of channel and status, in order of receipt, with one look for each pair of
 * them (request-list.ts); counts by day read it alone.
 */
export const OVERSIGHT_STATEMENTS: readonly string[] = [
  `create index request_listing on optgate.request (channel, status, received_at, id)
     include (nature, identifier_count)`,
  'create index change_log_requests on optgate.change_log (at) where request_id is not null',
];
