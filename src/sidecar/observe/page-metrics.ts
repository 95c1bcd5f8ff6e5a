/**
 * Metrics of the pages for people and for operators.
 * @module
 */
import type { MetricRow } from './metric-row.js';

export const PAGE_ROWS: readonly MetricRow[] = [
  {
    name: 'optgate_page_requests_total',
    type: 'counter',
    unit: 'requests',
    labels: ['page', 'site', 'status'],
    help: 'Requests for pages, of the privacy-choices pages (choices) and of the console, by page and class of status.',
    read: ({ pages }) =>
      pages.map(({ site, page, status, count }) => ({ labels: { page, site, status }, value: count })),
  },
];
