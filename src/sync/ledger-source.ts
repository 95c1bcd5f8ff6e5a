/**
 * A ledger's database as a source: changes by question and answer, with a wait for the ledger's own announcement in
 * between; the table is built by the ledger.
 * @module
 */
import type { Frame } from '../core/suppression/index.js';
import { type Clock, systemClock } from './clock.js';
import type { ChangesAnswer, LedgerFeed, Position, Source } from './source.js';

/** Entries asked for at once. */
export const FEED_ENTRIES_MAX = 2000;
const FEED_ENTRIES_MIN = 16;
/** How many bytes of changes one answer should have at most, going by the entries of the one before. */
const FEED_BYTES_WANTED = 4 * 2 ** 20;

/**
 * Follows a ledger directly. The source owns the feed and closes it.
 * @example new Follower({ source: createLedgerSource(await openFeed('postgres://…')), holder, … })
 */
export function createLedgerSource(feed: LedgerFeed, { clock = systemClock }: { readonly clock?: Clock } = {}): Source {
  let entriesMax = FEED_ENTRIES_MIN * 4;
  const ask = async (after: Position): Promise<ChangesAnswer> => {
    const asOfMs = clock.monotonicMs();
    const frame = await feed.entriesAfter(after.seq, entriesMax);
    entriesMax = entriesMaxAfter(frame);
    return answerOf(frame, after, asOfMs);
  };
  return {
    name: feed.name,
    snapshot: ({ signal }) => feed.buildTable(signal),
    async changes(after, { waitMs, signal }) {
      const answer = await ask(after);
      if (answer.kind !== 'frame' || answer.frame.entries.length > 0 || waitMs <= 0) return answer;
      await feed.wait(waitMs, signal);
      return ask(after);
    },
    report: (report) => feed.report(report),
    close: () => feed.close(),
  };
}

function answerOf(frame: Frame, after: Position, asOfMs: number): ChangesAnswer {
  const { head, entries } = frame;
  if (head.epoch !== after.epoch) return { kind: 'snapshot', why: 'sync.epoch' };
  if (head.seq < after.seq) return { kind: 'snapshot', why: 'sync.regressed' };
  const firstSeq = entries[0]?.seq;
  // what the log no longer has was trimmed: it is dense, and read in the same view of the database as its head
  if (head.seq > after.seq && firstSeq !== after.seq + 1) return { kind: 'snapshot', why: 'sync.trimmed' };
  return { kind: 'frame', frame, bytes: null, asOfMs };
}

/** Entries to ask for next: as many as before would have made a frame of the wanted size. */
function entriesMaxAfter({ entries }: Frame): number {
  if (entries.length === 0) return FEED_ENTRIES_MIN * 4;
  let bytes = 0;
  for (const { changes } of entries) bytes += changes.length;
  const wanted = Math.floor(FEED_BYTES_WANTED / (bytes / entries.length + 64));
  return Math.min(FEED_ENTRIES_MAX, Math.max(FEED_ENTRIES_MIN, wanted));
}
