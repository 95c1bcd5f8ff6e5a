/**
 * Where the people of some requests were sent: the exports that hold them, for the record of each request.
 * @module
 */
import { rightsMask } from '../../core/vocabulary.js';
import type { Session } from '../database.js';
import { hitsIn, pagesOfRuns, type StoredRun } from '../export-lineage.js';

/** Destinations and exports that one record lists; the counts say how many there are. */
export const SENT_LISTED_MAX = 100;

/** A destination that is to be told of the request (11 CCR 7026(f)(2)). */
export interface NoticeOwed {
  readonly destination: string;
  readonly sentFirstMs: number;
  readonly sentLastMs: number;
  /** Something was sent after the request had been received. */
  readonly isSentAfterRequest: boolean;
}

/** An export that held the person after the request had been received. */
export interface ExportAfter {
  readonly runId: string;
  readonly destination: string;
  readonly finishedAtMs: number;
  /** It went by an exemption, which let everybody pass. */
  readonly isExempt: boolean;
}

/** What was sent of one person. */
export interface Sent {
  readonly notices: readonly NoticeOwed[];
  readonly exportsAfter: readonly ExportAfter[];
  readonly exportsAfterCount: number;
}

/** Whom to look for. */
export interface SentQuery {
  readonly keys: readonly bigint[];
  /** A mask. */
  readonly rights: number;
  readonly receivedAtMs: number;
}

interface Gathered {
  readonly notices: Map<string, NoticeOwed>;
  readonly exportsAfter: ExportAfter[];
  exportsAfterCount: number;
}

/** For each of some requests what was sent of its person; runs are read in pages, once for all of them. */
export async function sentOf(session: Session, queries: readonly SentQuery[]): Promise<readonly Sent[]> {
  const gathered = queries.map((): Gathered => ({ notices: new Map(), exportsAfter: [], exportsAfterCount: 0 }));
  const keys = queries.flatMap((query) => query.keys);
  if (keys.length > 0) {
    for await (const runs of pagesOfRuns(session)) {
      const hits = await hitsIn(session, runs, keys);
      for (const run of runs) {
        const held = new Set(hits.get(run.row));
        if (held.size === 0) continue;
        for (const [index, query] of queries.entries()) {
          const one = gathered[index];
          if (one !== undefined && query.keys.some((key) => held.has(key))) add(one, query, run);
        }
      }
    }
  }
  return gathered.map(({ notices, exportsAfter, exportsAfterCount }) => ({
    notices: [...notices.values()],
    exportsAfter,
    exportsAfterCount,
  }));
}

function add(one: Gathered, { rights, receivedAtMs }: SentQuery, run: StoredRun): void {
  const { destination, runId, finishedAtMs } = run;
  const isAfter = finishedAtMs > receivedAtMs;
  const covered = rightsMask(run.rights);
  if ((covered & rights) !== 0) {
    const known = one.notices.get(destination);
    if (known !== undefined || one.notices.size < SENT_LISTED_MAX) {
      one.notices.set(destination, {
        destination,
        sentFirstMs: Math.min(known?.sentFirstMs ?? finishedAtMs, finishedAtMs),
        sentLastMs: Math.max(known?.sentLastMs ?? finishedAtMs, finishedAtMs),
        isSentAfterRequest: isAfter || known?.isSentAfterRequest === true,
      });
    }
  }
  if (!isAfter) return;
  one.exportsAfterCount++;
  if (one.exportsAfter.length < SENT_LISTED_MAX)
    one.exportsAfter.push({ runId, destination, finishedAtMs, isExempt: covered === 0 });
}
