/**
 * Remembers which version each recently changed key has, so that the last version wins in whatever order they come.
 *
 * The log is not in the order of commits, so two changes of one key may come the wrong way round; but never across a
 * settled seq. Only keys changed after the last settled seq are kept, until {@link VersionMemory.prune}. Open addressing
 * over typed arrays, 24 bytes a slot; keys are mixed with a secret seed, so their own words are hash enough. In many small
 * parts, each of which grows by itself: one large one would stop everything for 50 ms at half a million keys.
 * @module
 */

/** Keys remembered at most: a follower that is further behind than this starts anew from a snapshot. */
export const VERSION_KEYS_MAX = 2 ** 21;
const PARTS = 256;
/** Bits of `high` to the right of those that choose the part. */
const PART_SHIFT = 24;
const SLOTS_MIN = 16;
/** Parts up to this size are emptied and used again; larger ones are given back. */
const SLOTS_KEPT_MAX = 256;
/** Share of the slots that may be taken. */
const LOAD_MAX = 0.6;

/** Some of the keys. */
interface Part {
  /** `high` and `low` of each slot; a `low` of 0 is an empty one. */
  readonly keys: Int32Array;
  readonly versions: Float64Array;
  readonly seqs: Float64Array;
  used: number;
}

/** The memory as it travels between threads. */
export interface VersionState {
  readonly parts: readonly Part[];
  readonly lastSeq: number;
}

export class VersionMemory {
  private parts: Part[] = Array.from({ length: PARTS }, () => emptyPart(SLOTS_MIN));
  private used = 0;
  /** The newest seq in here. */
  private lastSeq = 0;
  private settledSeq = 0;

  constructor(private readonly keysMax: number = VERSION_KEYS_MAX) {}

  /** What {@link state} gave, in another thread. */
  static from({ parts, lastSeq }: VersionState, keysMax?: number): VersionMemory {
    const memory = new VersionMemory(keysMax);
    memory.parts = [...parts];
    memory.used = parts.reduce((sum, { used }) => sum + used, 0);
    memory.lastSeq = lastSeq;
    return memory;
  }

  /** Keys in memory. */
  get count(): number {
    return this.used;
  }

  /**
   * HOT. True if no later version of the key is known; then this one is the latest from now on. An equal version is the
   * same change named again. Ask {@link hasRoom} before.
   */
  advance(high: number, low: number, version: number, seq: number): boolean {
    const part = this.parts[high >>> PART_SHIFT]!; // there are 256
    const { keys } = part;
    const slotMask = part.seqs.length - 1;
    this.lastSeq = seq;
    for (let slot = low & slotMask; ; slot = (slot + 1) & slotMask) {
      const slotLow = keys[2 * slot + 1]!; // in bounds: slot <= slotMask; ends as there is always an empty slot
      if (slotLow === 0) {
        keys[2 * slot] = high;
        keys[2 * slot + 1] = low;
        part.versions[slot] = version;
        part.seqs[slot] = seq;
        this.used++;
        if (++part.used > LOAD_MAX * part.seqs.length) this.rebuild(high >>> PART_SHIFT);
        return true;
      }
      if (slotLow !== low || keys[2 * slot]! !== high) continue;
      if (version < part.versions[slot]!) return false;
      part.versions[slot] = version;
      part.seqs[slot] = seq;
      return true;
    }
  }

  /** Whether so many more keys can be remembered; what is settled makes room. */
  hasRoom(keyCount: number): boolean {
    if (this.used + keyCount <= this.keysMax) return true;
    for (let index = 0; index < PARTS; index++) this.rebuild(index);
    return this.used + keyCount <= Math.max(this.keysMax, keyCount);
  }

  /** Forgets keys last changed at or before a settled seq, sooner or later. */
  prune(settledSeq: number): void {
    if (settledSeq <= this.settledSeq) return;
    this.settledSeq = settledSeq;
    if (this.used === 0 || this.lastSeq > settledSeq) return;
    this.used = 0;
    for (const [index, part] of this.parts.entries()) {
      if (part.used === 0) continue;
      if (part.seqs.length > SLOTS_KEPT_MAX) this.parts[index] = emptyPart(SLOTS_MIN);
      else part.keys.fill(0);
      part.used = 0;
    }
  }

  /** Everything, to be sent to another thread. */
  state(): VersionState {
    return { parts: this.parts, lastSeq: this.lastSeq };
  }

  /** Copies what is not settled of a part into one of the size it needs. */
  private rebuild(index: number): void {
    const { settledSeq } = this;
    const part = this.parts[index] ?? emptyPart(SLOTS_MIN);
    const kept = countAfter(part, settledSeq);
    if (kept === part.used && part.used <= LOAD_MAX * part.seqs.length) return;
    const next = emptyPart(2 ** Math.ceil(Math.log2(Math.max(SLOTS_MIN, (2 * kept) / LOAD_MAX))));
    const slotMask = next.seqs.length - 1;
    for (let from = 0; from < part.seqs.length; from++) {
      const low = part.keys[2 * from + 1] ?? 0;
      const seq = part.seqs[from] ?? 0;
      if (low === 0 || seq <= settledSeq) continue;
      let slot = low & slotMask;
      while (next.keys[2 * slot + 1] !== 0) slot = (slot + 1) & slotMask;
      next.keys[2 * slot] = part.keys[2 * from] ?? 0;
      next.keys[2 * slot + 1] = low;
      next.versions[slot] = part.versions[from] ?? 0;
      next.seqs[slot] = seq;
    }
    next.used = kept;
    this.used += kept - part.used;
    this.parts[index] = next;
  }
}

function emptyPart(slotCount: number): Part {
  const numbers = () => new Float64Array(slotCount);
  return { keys: new Int32Array(2 * slotCount), versions: numbers(), seqs: numbers(), used: 0 };
}

/** Keys of a part that were last changed after `settledSeq`. */
function countAfter({ keys, seqs }: Part, settledSeq: number): number {
  let count = 0;
  for (let slot = 0; slot < seqs.length; slot++) {
    if (keys[2 * slot + 1] !== 0 && (seqs[slot] ?? 0) > settledSeq) count++;
  }
  return count;
}
