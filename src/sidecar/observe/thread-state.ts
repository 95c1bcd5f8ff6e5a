/**
 * All that one serving thread says of itself, and what all threads say together, those that have ended included.
 * @module
 */
import type { GateStats } from '../../core/gate.js';
import { type DoorCounts, mergeDoorCounts } from './door-counts.js';
import { type EventLoopState, worstEventLoop } from './event-loop.js';
import type { ShedderState } from './shedder.js';

export type MemoCounts = GateStats['memo'];

/** Plain, to be posted. */
export interface ThreadState {
  readonly doors: DoorCounts;
  readonly eventLoop: EventLoopState;
  readonly shedding: ShedderState;
  /** Of the thread's GPP memo, over every gate it had; see {@link MemoTally}. */
  readonly memo: MemoCounts;
  /** Records of the decision log that never left the thread; see DecisionBuffer. */
  readonly logDroppedCount: number;
}

export function mergeThreadStates(states: readonly ThreadState[]): ThreadState {
  const sum = (of: (state: ThreadState) => number) => states.reduce((total, state) => total + of(state), 0);
  return {
    doors: mergeDoorCounts(states.map(({ doors }) => doors)),
    eventLoop: worstEventLoop(states.map(({ eventLoop }) => eventLoop)),
    shedding: {
      isShedding: states.some(({ shedding }) => shedding.isShedding),
      onsetCount: sum(({ shedding }) => shedding.onsetCount),
    },
    memo: {
      hits: sum(({ memo }) => memo.hits),
      misses: sum(({ memo }) => memo.misses),
      entryCount: sum(({ memo }) => memo.entryCount),
    },
    logDroppedCount: sum(({ logDroppedCount }) => logDroppedCount),
  };
}

/**
 * The last state of every thread. What an ended thread had counted stays in the sums: a counter that falls looks like a
 * restart to Prometheus, which would count everything twice.
 */
export class ThreadStates {
  readonly #byThread = new Map<number, ThreadState>();
  #ended: ThreadState = mergeThreadStates([]);

  set(threadId: number, state: ThreadState): void {
    this.#byThread.set(threadId, state);
  }

  ended(threadId: number): void {
    const last = this.#byThread.get(threadId);
    if (last === undefined) return;
    this.#byThread.delete(threadId);
    const { doors, shedding, memo, logDroppedCount } = mergeThreadStates([this.#ended, last]);
    this.#ended = {
      doors,
      eventLoop: worstEventLoop([]),
      shedding: { ...shedding, isShedding: false },
      memo: { ...memo, entryCount: 0 },
      logDroppedCount,
    };
  }

  total(): ThreadState {
    return mergeThreadStates([this.#ended, ...this.#byThread.values()]);
  }
}

/** Goes on counting where a new policy brings a new gate, whose counts begin at 0. */
export class MemoTally {
  #before = { hits: 0, misses: 0 };

  /** Call it with the counts of the gate that is replaced. */
  replaced({ hits, misses }: MemoCounts): void {
    this.#before = { hits: this.#before.hits + hits, misses: this.#before.misses + misses };
  }

  total({ hits, misses, entryCount }: MemoCounts): MemoCounts {
    return { hits: this.#before.hits + hits, misses: this.#before.misses + misses, entryCount };
  }
}
