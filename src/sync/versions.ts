/**
 * Remembers which version each recently changed key has, so that the last version wins in whatever order they come.
 *
 * The log is not in the order of commits, so two changes of one key may come the wrong way round; but never across a
 * settled seq. Only keys changed after the last settled seq are kept, until {@link VersionMemory.prune}. An open-addressed
 * table over typed arrays, 24 bytes a slot; keys are mixed with a secret seed, so their low word is hash enough.
 * @module
 */

/** Keys remembered at most: a follower that is further behind than this starts anew from a snapshot. */
export const VERSION_KEYS_MAX = 2 ** 21;
const SLOTS_MIN = 1024;
/** Arrays up to this size are emptied and used again; larger ones are given back. */
const SLOTS_KEPT_MAX = 65_536;
/** Share of the slots that may be taken. */
const LOAD_MAX = 0.6;

/** The memory as it travels between threads; the buffers may be transferred. */
export interface VersionState {
  readonly keys: Int32Array;
  readonly versions: Float64Array;
  readonly seqs: Float64Array;
  readonly count: number;
  readonly lastSeq: number;
}

export class VersionMemory {
  private keys = new Int32Array(2 * SLOTS_MIN);
  private versions = new Float64Array(SLOTS_MIN);
  private seqs = new Float64Array(SLOTS_MIN);
  private slotMask = SLOTS_MIN - 1;
  private used = 0;
  /** The newest seq in here. */
  private lastSeq = 0;
  private settledSeq = 0;

  constructor(private readonly keysMax: number = VERSION_KEYS_MAX) {}

  /** What {@link state} gave, in another thread. */
  static from(state: VersionState, keysMax?: number): VersionMemory {
    const memory = new VersionMemory(keysMax);
    memory.keys = new Int32Array(state.keys);
    memory.versions = new Float64Array(state.versions);
    memory.seqs = new Float64Array(state.seqs);
    memory.slotMask = state.seqs.length - 1;
    memory.used = state.count;
    memory.lastSeq = state.lastSeq;
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
    const { keys, slotMask } = this;
    for (let slot = low & slotMask; ; slot = (slot + 1) & slotMask) {
      const slotLow = keys[2 * slot + 1]!; // in bounds: slot <= slotMask
      if (slotLow === 0) {
        this.insert(slot, high, low, version, seq);
        return true;
      }
      if (slotLow !== low || keys[2 * slot]! !== high) continue;
      if (version < this.versions[slot]!) return false;
      this.versions[slot] = version;
      this.seqs[slot] = seq;
      this.lastSeq = seq;
      return true;
    }
  }

  /** Makes room for so many more keys; false if that would be more than are kept. */
  hasRoom(keyCount: number): boolean {
    if (this.used + keyCount <= LOAD_MAX * this.seqs.length) return true;
    this.rebuild(keyCount);
    return this.used + keyCount <= Math.max(this.keysMax, keyCount);
  }

  /** Forgets keys last changed at or before a settled seq, sooner or later. */
  prune(settledSeq: number): void {
    if (settledSeq <= this.settledSeq) return;
    this.settledSeq = settledSeq;
    if (this.used > 0 && this.lastSeq <= settledSeq) this.rebuild(0);
  }

  /** Everything, to be sent to another thread. */
  state(): VersionState {
    return { keys: this.keys, versions: this.versions, seqs: this.seqs, count: this.used, lastSeq: this.lastSeq };
  }

  private insert(slot: number, high: number, low: number, version: number, seq: number): void {
    this.keys[2 * slot] = high;
    this.keys[2 * slot + 1] = low;
    this.versions[slot] = version;
    this.seqs[slot] = seq;
    this.lastSeq = seq;
    this.used++;
  }

  /** Copies what is not settled into arrays that have room for it and so many more keys. */
  private rebuild(moreKeys: number): void {
    const { keys, versions, seqs, settledSeq, lastSeq } = this;
    const kept = lastSeq > settledSeq ? countAfter(keys, seqs, settledSeq) : 0;
    const slotCount = this.slotCountFor(kept + moreKeys);
    if (kept === 0 && (slotCount === seqs.length || seqs.length <= SLOTS_KEPT_MAX) && slotCount <= seqs.length) {
      keys.fill(0);
      this.used = 0;
      return;
    }
    this.keys = new Int32Array(2 * slotCount);
    this.versions = new Float64Array(slotCount);
    this.seqs = new Float64Array(slotCount);
    this.slotMask = slotCount - 1;
    this.used = 0;
    for (let slot = 0; kept > 0 && slot < seqs.length; slot++) {
      const low = keys[2 * slot + 1] ?? 0;
      const seq = seqs[slot] ?? 0;
      if (low !== 0 && seq > settledSeq) this.advance(keys[2 * slot] ?? 0, low, versions[slot] ?? 0, seq);
    }
    this.lastSeq = lastSeq;
  }

  /** A power of two, large enough for twice the keys, but not for more keys than are kept. */
  private slotCountFor(keyCount: number): number {
    const wanted = powerOfTwo(Math.max(SLOTS_MIN, (2 * keyCount) / LOAD_MAX));
    const most = powerOfTwo(Math.max(SLOTS_MIN, this.keysMax / LOAD_MAX));
    return Math.max(Math.min(wanted, most), powerOfTwo(keyCount / LOAD_MAX));
  }
}

/** Keys in memory that were last changed after `settledSeq`. */
function countAfter(keys: Int32Array, seqs: Float64Array, settledSeq: number): number {
  let count = 0;
  for (let slot = 0; slot < seqs.length; slot++)
    if (keys[2 * slot + 1] !== 0 && (seqs[slot] ?? 0) > settledSeq) count++;
  return count;
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}
