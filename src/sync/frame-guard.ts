/**
 * Decides what of an answer counts: only what comes next, of the same history, and freshness only from a head that is
 * newer than the last one.
 *
 * Frames may come twice, late, in the wrong order or not at all; the entries in them are facts all the same. A head that
 * is older than one seen before is a replay the first times, and a ledger that went back if it goes on.
 * @module
 */
import { GateError } from '../core/errors.js';
import { checkChanges, type Entry, type Frame } from '../core/suppression/index.js';
import type { Replica } from './replica.js';

/** Answers in a row with an old head, or with nothing of what should come next, before it is taken for more than an accident. */
export const ODD_ANSWERS_MAX = 3;

export interface Inspected {
  /** What comes next, dense; perhaps nothing. */
  readonly entries: readonly Entry[];
  readonly headKind: HeadKind;
}

/** `new`: newer than every head before, so it says something of now. `same`: as the newest before. `old`: a replay. */
export type HeadKind = 'new' | 'same' | 'old';

export class FrameGuard {
  private epoch: string | null = null;
  private beat = -1;
  private oldHeadCount = 0;
  /** The newest of the old heads in a row. */
  private oldBeat = -1;
  private emptyCount = 0;

  /** The ledger did go back: the heads it gives now count, those after the newest of them. */
  goBack(): void {
    this.beat = this.oldBeat;
    this.oldBeat = -1;
    this.oldHeadCount = 0;
    this.emptyCount = 0;
  }

  /**
   * What of the frame is to be applied. Throws a GateError `sync.epoch`, `sync.regressed`, `sync.gap`, `sync.protocol`
   * or `delta.header`.
   * @param isDecoded The frame was decoded from bytes, so its changes have been checked.
   */
  inspect(frame: Frame, replica: Replica, isDecoded: boolean): Inspected {
    const { head, entries } = frame;
    if (head.epoch !== replica.epoch) throw new GateError('sync.epoch');
    if (head.seed !== replica.table.seed) throw new GateError('sync.protocol', 'seed');
    checkOrder(frame);
    if (!isDecoded) for (const { changes } of entries) checkChanges(changes);
    const headKind = this.noteHead(frame, replica.seq);
    const next = entries.filter(({ seq }) => seq > replica.seq);
    const firstSeq = next[0]?.seq;
    if (firstSeq !== undefined && firstSeq !== replica.seq + 1) {
      throw new GateError('sync.gap', `seq ${firstSeq} after ${replica.seq}`);
    }
    this.noteProgress(next.length > 0 || head.seq <= replica.seq, replica.seq);
    return { entries: next, headKind };
  }

  private noteHead({ head }: Frame, appliedSeq: number): HeadKind {
    if (this.epoch !== head.epoch) {
      this.epoch = head.epoch;
      this.beat = -1;
      this.oldHeadCount = 0;
    }
    if (head.beat < this.beat) {
      this.oldHeadCount++;
      this.oldBeat = this.oldHeadCount === 1 ? head.beat : Math.max(this.oldBeat, head.beat);
      if (this.oldHeadCount >= ODD_ANSWERS_MAX) throw new GateError('sync.regressed', `beat ${head.beat}`);
      return 'old';
    }
    this.oldHeadCount = 0;
    if (head.seq < appliedSeq) {
      this.oldBeat = head.beat;
      throw new GateError('sync.regressed', `seq ${head.seq} after ${appliedSeq}`);
    }
    const headKind = head.beat > this.beat ? 'new' : 'same';
    this.beat = head.beat;
    return headKind;
  }

  /** A head that is ahead without the entries in between: they may still be on their way, for a while. */
  private noteProgress(isProgress: boolean, appliedSeq: number): void {
    this.emptyCount = isProgress ? 0 : this.emptyCount + 1;
    if (this.emptyCount >= ODD_ANSWERS_MAX) {
      this.emptyCount = 0;
      throw new GateError('sync.gap', `nothing after ${appliedSeq}`);
    }
  }
}

function checkOrder({ head, entries }: Frame): void {
  const firstSeq = entries[0]?.seq ?? 0;
  const isDense = entries.every(({ seq }, index) => seq === firstSeq + index);
  if (!isDense || firstSeq + entries.length - 1 > head.seq) throw new GateError('sync.protocol', 'order of entries');
}
