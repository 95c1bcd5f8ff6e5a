/**
 * What a ledger's log says of every moment: which state each seq stands for, and until when a table that ends there could
 * call itself complete. Samples of followers are held against it afterwards.
 * @module
 */
import { expect } from 'vitest';
import { digestWord, readChanges } from '../../src/core/suppression/index.js';
import { openDatabase } from '../../src/ledger/database.js';

/** From the moment a commit is stamped until others can see it; long on a machine with little time to spare. */
export const COMMIT_SLACK_MS = 150;
/** How late a state may be told: it is looked at every half second. */
const STATE_SLACK_MS = 2000;

/** What a follower said of itself at one moment. */
export interface Sample {
  readonly seq: number;
  readonly freshAtMs: number | null;
  readonly state: string;
  /** Wall clock. */
  readonly atMs: number;
}

interface LogRow {
  readonly seq: string;
  readonly committed_ms: number;
  readonly changes: Uint8Array;
}

export class LogTruth {
  /** By seq, from `firstSeq`. */
  private readonly digests: string[] = [];
  /** When the oldest entry after a seq was committed; by seq. */
  private readonly nextCommittedMs: number[] = [];
  /** Changes that the log has after a later version of their key. */
  inversionCount = 0;

  private constructor(rows: readonly LogRow[]) {
    const versions = new Map<string, { version: number; rights: number }>();
    let [digestHigh, digestLow] = [0, 0];
    const remember = () => this.digests.push(hex(digestHigh) + hex(digestLow));
    remember();
    for (const [index, { seq, changes }] of rows.entries()) {
      if (Number(seq) !== index + 1) throw new Error(`the log has seq ${seq} in place ${index + 1}`);
      for (const { high, low, version, rights } of readChanges(changes)) {
        const key = `${high}/${low}`;
        const known = versions.get(key) ?? { version: 0, rights: 0 };
        if (version < known.version) this.inversionCount++;
        if (version < known.version) continue;
        versions.set(key, { version, rights });
        digestHigh += digestWord(high, rights) - digestWord(high, known.rights);
        digestLow += digestWord(low, rights) - digestWord(low, known.rights);
        [digestHigh, digestLow] = [digestHigh | 0, digestLow | 0];
      }
      remember();
    }
    let oldestMs = Number.POSITIVE_INFINITY;
    for (let seq = rows.length; seq >= 0; seq--) {
      this.nextCommittedMs[seq] = oldestMs;
      oldestMs = Math.min(oldestMs, rows[seq - 1]?.committed_ms ?? oldestMs);
    }
  }

  /** Reads the whole log. The server must keep the times of commits. */
  static async read(url: string): Promise<LogTruth> {
    const database = await openDatabase(url);
    try {
      return new LogTruth(
        await database.query<LogRow>(
          `select seq, changes, extract(epoch from pg_xact_commit_timestamp(xid::xid))::float8 * 1000 as committed_ms
           from optgate.change_log where seq is not null order by seq`,
        ),
      );
    } finally {
      await database.close();
    }
  }

  get seq(): number {
    return this.digests.length - 1;
  }

  /** The state digest after the entry with this seq. */
  digestAt(seq: number): string | undefined {
    return this.digests[seq];
  }

  /**
   * No sample claims to be complete as of a moment at which something it lacks was committed, and none is `live` when that
   * was longer ago than a `live` table may be old. Returns how many of them lacked something at all.
   */
  expectHonest(samples: readonly Sample[], softStaleAfterMs: number): number {
    let behindCount = 0;
    for (const { seq, freshAtMs, state, atMs } of samples) {
      const lackedSinceMs = this.nextCommittedMs[seq] ?? Number.POSITIVE_INFINITY;
      if (lackedSinceMs > atMs) continue;
      behindCount++;
      const where = `seq ${seq} of ${this.seq}, ${state}`;
      if (freshAtMs !== null && freshAtMs > lackedSinceMs + COMMIT_SLACK_MS) {
        expect.fail(`complete as of ${freshAtMs - lackedSinceMs} ms after what it lacks was committed: ${where}`);
      }
      if (state === 'live' && atMs - lackedSinceMs > softStaleAfterMs + STATE_SLACK_MS) {
        expect.fail(`live, and lacks what was committed ${atMs - lackedSinceMs} ms before: ${where}`);
      }
    }
    return behindCount;
  }
}

function hex(half: number): string {
  return (half >>> 0).toString(16).padStart(8, '0');
}
