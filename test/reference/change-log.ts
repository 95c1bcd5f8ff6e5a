/**
 * The slow, obvious version of what a consumer of the change log does: Maps, one change at a time.
 * @module
 */
import { type Change, digestWord, type Entry, readChanges } from '../../src/core/suppression/index.js';

/** The mixed key of a change as text. */
export const keyOf = ({ high, low }: Pick<Change, 'high' | 'low'>): string => `${high >>> 0}/${low >>> 0}`;

/** Rights of every key that has any. */
export type State = ReadonlyMap<string, number>;

/** 16 hex digits over a state, as tables have them. */
export function digestOf(state: State): string {
  let digestHigh = 0;
  let digestLow = 0;
  for (const [key, rights] of state) {
    const [high = 0, low = 0] = key.split('/').map(Number);
    digestHigh = (digestHigh + digestWord(high | 0, rights)) | 0;
    digestLow = (digestLow + digestWord(low | 0, rights)) | 0;
  }
  return [digestHigh, digestLow].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/**
 * Applies entries in order. The version of a key is remembered only until the log is settled up to the entry that changed
 * it; without `lastVersionWins` the last change wins, whatever its version.
 */
export class LogConsumer {
  readonly state: Map<string, number>;
  private readonly memory = new Map<string, { readonly version: number; readonly seq: number }>();
  /** Changes that came after a later version of their key. */
  inversionCount = 0;

  constructor(
    /** The seq that has been applied. */
    public seq: number,
    state: State = new Map(),
    private readonly lastVersionWins = true,
  ) {
    this.state = new Map(state);
  }

  get rememberedCount(): number {
    return this.memory.size;
  }

  apply(entry: Pick<Entry, 'seq' | 'changes'>): void {
    if (entry.seq !== this.seq + 1) throw new Error(`seq ${entry.seq} came after ${this.seq}`);
    this.seq = entry.seq;
    for (const change of readChanges(entry.changes)) {
      const key = keyOf(change);
      const isOld = change.version < (this.memory.get(key)?.version ?? 0);
      if (isOld) this.inversionCount++;
      if (isOld && this.lastVersionWins) continue;
      this.memory.set(key, { version: change.version, seq: entry.seq });
      if (change.rights === 0) this.state.delete(key);
      else this.state.set(key, change.rights);
    }
  }

  /** The log is settled up to `settledSeq`. */
  settle(settledSeq: number): void {
    for (const [key, { seq }] of this.memory) if (seq <= settledSeq) this.memory.delete(key);
  }
}

/** The state after all entries up to `seq`: of each key the highest version that any of them has. */
export function stateAt(log: readonly Pick<Entry, 'seq' | 'changes'>[], seq: number): State {
  const latest = new Map<string, Change>();
  for (const entry of log) {
    if (entry.seq > seq) break;
    for (const change of readChanges(entry.changes)) {
      if (change.version >= (latest.get(keyOf(change))?.version ?? 0)) latest.set(keyOf(change), change);
    }
  }
  return new Map([...latest].filter(([, { rights }]) => rights !== 0).map(([key, { rights }]) => [key, rights]));
}
