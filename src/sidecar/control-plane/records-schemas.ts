/**
 * Bodies of answers about deadlines, records and reports.
 * @module
 */
import { z } from 'zod';
import { RIGHTS } from '../../core/vocabulary.js';
import { CHANNELS, DEADLINE_STATES } from '../../ledger/index.js';

const time = z.iso.datetime();
const count = z.int().min(0);
const requestId = z.string().regex(/^r_[A-Za-z0-9_-]{22}$/);

/** How a request stands with its deadline; all null for an opt-in, on which nothing is due. */
export const DEADLINE_MEMBERS = {
  dueAt: time.nullable().describe('It must be in force everywhere before this moment.'),
  dueOn: z.iso.date().nullable().describe('The last day for it, where the person lives.'),
  deadlineState: z.enum(DEADLINE_STATES).nullable(),
  deadlineRule: z.string().nullable().describe('Row of the table of deadlines.'),
  compliedAt: time.nullable().describe('When it was in force everywhere; null: not yet, or it was denied.'),
};

const spread = z.strictObject({
  count,
  meanMs: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p90Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  maxMs: z.number().nullable(),
});

export const RECORDS_ANSWERS = {
  Denial: z.strictObject({
    requestId,
    status: z.literal('denied'),
    deniedAt: time,
    deniedBy: z.string().nullable(),
    basis: z.string(),
    token: z.string().nullable().describe('Place in the change log from which on it is no longer in force.'),
    remaining: z.array(z.enum(RIGHTS)).describe('Rights that its identifiers have through other requests.'),
    repeat: z.boolean().describe('True: it was denied before.'),
  }),
  YearMetrics: z.strictObject({
    year: count,
    since: time,
    until: time,
    generatedAt: time,
    rights: z.array(
      z.strictObject({
        right: z.enum(RIGHTS),
        received: count,
        imported: count.describe('Of those received, rows of lists; a list counts for every right.'),
        compliedInWhole: count,
        compliedInPart: count,
        denied: count,
        open: count,
        medianDays: z.number().nullable(),
        meanDays: z.number().nullable(),
      }),
    ),
  }),
  QuarterReport: z.looseObject({
    quarter: z.string(),
    since: time,
    until: time,
    generatedAt: time,
    outcomes: z.strictObject({ complied: count, denied: count, open: count }),
    timeToEffect: spread,
    timeSinceReceipt: spread,
    canaries: z.strictObject({ count, longestGapMs: z.number().nullable() }),
  }),
  UnknownDestinations: z.strictObject({
    limit: count,
    destinations: z.array(
      z.strictObject({
        id: z.string(),
        decisionCount: count.describe('Of this process, since it began, in all its threads.'),
        exportCount: count.describe('In the ledger.'),
        lastSeenAt: time,
      }),
    ),
  }),
  Records: z.array(z.looseObject({ requestId, dateOfRequest: time, mannerOfRequest: z.enum(CHANNELS) })),
  Deadlines: z.strictObject({
    nearlyBusinessDays: count.describe('Business days before the last one from when on a request is nearly overdue.'),
    overdueCount: count,
    nearlyOverdueCount: count,
    openCount: count.describe('Not in force everywhere, and there is time.'),
    requests: z
      .array(
        z.strictObject({
          requestId,
          nature: z.enum(['opt_out', 'import']),
          channel: z.enum(CHANNELS),
          status: z.enum(['in_progress', 'complied']),
          rights: z.array(z.enum(RIGHTS)),
          receivedAt: time,
          dueAt: time,
          dueOn: z.iso.date(),
          deadlineState: z.enum(['nearly_overdue', 'overdue']),
          deadlineRule: z.string(),
          inForceOn: count,
          enforcerCount: count,
        }),
      )
      .describe('The most urgent first.'),
  }),
} as const;
