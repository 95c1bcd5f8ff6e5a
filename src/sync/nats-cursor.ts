/**
 * Reads the stream of changes from one position to the next, a few messages ahead while there is much to catch up with.
 * @module
 */
import type { NatsLink } from './nats-connect.js';
import type { NatsNames } from './nats-names.js';
import { ChangeStream, type StoredFrame } from './nats-stream.js';
import type { Position } from './source.js';

/** Messages asked for at the same time while catching up. */
const MESSAGES_AHEAD = 8;

interface Place {
  readonly position: Position;
  /** What comes after the position is behind this place. */
  readonly streamSeq: number;
}

export class StreamCursor {
  private place: Place | null = null;
  private hinted: Place | null = null;
  private readonly ahead = new Map<number, Promise<StoredFrame | null>>();

  constructor(private readonly names: NatsNames) {}

  /** Where the changes after a snapshot are said to be. */
  hint(position: Position, streamSeq: number): void {
    this.hinted = { position, streamSeq };
  }

  /** What comes after a position is behind this place. */
  moveTo(position: Position, streamSeq: number): void {
    this.place = { position, streamSeq };
  }

  /** Something is not as it should be: the place is to be found anew. */
  forget(): void {
    this.place = null;
    this.ahead.clear();
  }

  /**
   * The message with what comes after a position; `null`: there is none yet.
   * @param headSeq How far the ledger is known to be; `null`: not known.
   */
  async next(
    link: NatsLink,
    after: Position,
    headSeq: number | null,
  ): Promise<StoredFrame | 'trimmed' | 'epoch' | null> {
    const stream = new ChangeStream(link, this.names);
    const isKnown = this.place !== null && isSame(this.place.position, after);
    if (!isKnown) {
      this.forget();
      const hint = this.hinted !== null && isSame(this.hinted.position, after) ? this.hinted.streamSeq : null;
      const found = await stream.locate(after, hint);
      if (found.kind !== 'found') return found.kind;
      this.moveTo(after, found.streamSeq);
    }
    const streamSeq = (this.place?.streamSeq ?? 0) + 1;
    const asked = this.ahead.get(streamSeq) ?? stream.at(streamSeq);
    this.ahead.delete(streamSeq);
    // a hole is where something was removed; what comes after it shows whether it mattered
    const found = (await asked) ?? (await stream.from(streamSeq));
    if (found === null) {
      this.forget(); // also if the stream was made anew, and has not come this far again
      return null;
    }
    if (found.epoch !== after.epoch) return 'epoch';
    if (found.firstSeq > after.seq + 1) return 'trimmed';
    if (headSeq !== null && found.lastSeq < headSeq) this.readAhead(stream, found.streamSeq);
    else this.ahead.clear();
    return found;
  }

  private readAhead(stream: ChangeStream, afterStreamSeq: number): void {
    for (let seq = afterStreamSeq + 1; seq <= afterStreamSeq + MESSAGES_AHEAD; seq++) {
      if (this.ahead.has(seq)) continue;
      const asked = stream.at(seq);
      asked.catch(() => {}); // it is looked at when its turn comes
      this.ahead.set(seq, asked);
    }
  }
}

function isSame(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.seq === b.seq;
}
