/**
 * The decision log's end in a serving thread: fills a batch, and hands it over when it is full or old.
 *
 * Whoever takes the batches may be another thread that is busy: at most so many are on their way, then whole batches
 * are dropped and counted. A request never waits for the log.
 * @module
 */
import type { Decision } from '../../core/policy/decision.js';
import { type DecisionBatch, packFlags } from './decision-batch.js';
import type { ReasonSet } from './reason-sets.js';

/** Records in a batch at most. */
export const BATCH_RECORDS_MAX = 1024;
/** How long a record waits in the thread at most. */
export const HAND_OVER_EVERY_MS = 250;
/** Batches on their way to another thread at most. */
export const BATCHES_UNDER_WAY_MAX = 64;

/** Which decisions are logged: all, those other than `allow`, or a share (0 to 1) at random. */
export type DecisionSampling = 'all' | 'non_allow' | number;

export interface DecisionBufferOptions {
  /**
   * Takes a batch. `'taken'`: it has it. `'posted'`: it is on its way, and `acknowledge` will be called for it.
   */
  readonly deliver: (batch: DecisionBatch) => 'taken' | 'posted';
  /** The epoch decisions are made in now. */
  readonly epoch: () => string | null;
  readonly sampling?: DecisionSampling | undefined;
  readonly now?: (() => number) | undefined;
  /** 0 to 1, for a share. */
  readonly random?: (() => number) | undefined;
  readonly batchesUnderWayMax?: number | undefined;
}

export class DecisionBuffer {
  readonly #deliver: (batch: DecisionBatch) => 'taken' | 'posted';
  readonly #epochNow: () => string | null;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #skipsAllow: boolean;
  readonly #share: number;
  readonly #batchesUnderWayMax: number;
  readonly #timer: NodeJS.Timeout;
  readonly #timesMs = new Float64Array(BATCH_RECORDS_MAX);
  readonly #seqs = new Float64Array(BATCH_RECORDS_MAX);
  readonly #flags = new Uint32Array(BATCH_RECORDS_MAX);
  readonly #reasons = new Uint16Array(BATCH_RECORDS_MAX);
  readonly #destinations = new Uint16Array(BATCH_RECORDS_MAX);
  #reasonSets: (readonly string[])[] = [];
  #destinationIds: string[] = [];
  readonly #destinationIndex = new Map<string, number>();
  #count = 0;
  #serial = 0;
  #epoch: string | null = null;
  #policyVersion = '';
  #underWayCount = 0;
  #droppedCount = 0;

  constructor(options: DecisionBufferOptions) {
    const { sampling = 'all', now = Date.now, random = Math.random } = options;
    if (typeof sampling === 'number' && !(sampling >= 0 && sampling <= 1)) {
      throw new RangeError(`sampling: expected a share from 0 to 1, got ${sampling}`);
    }
    this.#deliver = options.deliver;
    this.#epochNow = options.epoch;
    this.#now = now;
    this.#random = random;
    this.#skipsAllow = sampling === 'non_allow';
    this.#share = typeof sampling === 'number' ? sampling : 1;
    this.#batchesUnderWayMax = options.batchesUnderWayMax ?? BATCHES_UNDER_WAY_MAX;
    this.#timer = setInterval(() => this.handOver(), HAND_OVER_EVERY_MS).unref();
  }

  /** Records that were dropped because too many batches were on their way. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** HOT. Notes a decision. `destination` is one the policy lists. */
  add(
    doorIndex: number,
    operationIndex: number,
    actionIndex: number,
    decision: Decision,
    set: ReasonSet,
    destination: string | null,
  ): void {
    if (this.#skipsAllow && actionIndex === 0) return;
    if (this.#share < 1 && this.#random() >= this.#share) return;
    const epoch = this.#epochNow();
    if (epoch !== this.#epoch || decision.policyVersion !== this.#policyVersion) {
      this.handOver();
      this.#epoch = epoch;
      this.#policyVersion = decision.policyVersion;
    }
    if (set.batchSerial !== this.#serial) {
      set.batchSerial = this.#serial;
      set.batchIndex = this.#reasonSets.length;
      this.#reasonSets.push(set.codes);
    }
    const at = this.#count++;
    this.#timesMs[at] = this.#now();
    this.#seqs[at] = decision.seq ?? Number.NaN;
    this.#flags[at] = packFlags(
      doorIndex,
      operationIndex,
      actionIndex,
      decision.stale,
      decision.stripMask,
      decision.jurisdiction,
    );
    this.#reasons[at] = set.batchIndex;
    this.#destinations[at] = destination === null ? 0 : this.#indexOf(destination);
    if (this.#count === BATCH_RECORDS_MAX) this.handOver();
  }

  /** Hands over what there is. */
  handOver(): void {
    const count = this.#count;
    if (count === 0) return;
    if (this.#underWayCount >= this.#batchesUnderWayMax) {
      this.#droppedCount += count;
    } else {
      const batch: DecisionBatch = {
        epoch: this.#epoch,
        policyVersion: this.#policyVersion,
        count,
        timesMs: this.#timesMs.slice(0, count),
        seqs: this.#seqs.slice(0, count),
        flags: this.#flags.slice(0, count),
        reasons: this.#reasons.slice(0, count),
        destinations: this.#destinations.slice(0, count),
        reasonSets: this.#reasonSets,
        destinationIds: this.#destinationIds,
      };
      if (this.#deliver(batch) === 'posted') this.#underWayCount++;
    }
    this.#reasonSets = [];
    this.#destinationIds = [];
    this.#destinationIndex.clear();
    this.#count = 0;
    this.#serial++;
  }

  /** A batch that was posted has arrived. */
  acknowledge(): void {
    if (this.#underWayCount > 0) this.#underWayCount--;
  }

  /** Hands over the rest. */
  close(): void {
    clearInterval(this.#timer);
    this.handOver();
  }

  #indexOf(destination: string): number {
    const known = this.#destinationIndex.get(destination);
    if (known !== undefined) return known;
    const index = this.#destinationIds.push(destination);
    this.#destinationIndex.set(destination, index);
    return index;
  }
}
