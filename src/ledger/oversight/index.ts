/**
 * Lists and sums for whoever watches over a ledger.
 * @module
 */
export { EFFECT_SAMPLE_MAX, type EffectInterval } from './effect-times.js';
export { EXPORTS_LISTED_MAX, type ExportFilter, type ExportPage } from './export-list.js';
export type { OptOutCount } from './opt-out-counts.js';
export { Oversight } from './oversight.js';
export {
  type ListedRequest,
  REQUEST_STATUSES,
  REQUESTS_PER_PAGE_MAX,
  type RequestFilter,
  type RequestPage,
} from './request-list.js';
export { OVERSIGHT_STATEMENTS } from './schema.js';
