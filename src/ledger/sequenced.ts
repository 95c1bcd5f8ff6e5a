/**
 * Waits until entries have their place in the log.
 *
 * Whoever waits at the same time looks together: with 64 clients one statement every few milliseconds instead of two or
 * three for each opt-out.
 * @module
 */
import type { Position } from '../sync/source.js';
import type { Session } from './database.js';
import { int8Column } from './packed-column.js';

/** Pauses of one entry between two looks: each twice the one before, up to the last. */
const LOOK_MS_MIN = 2;
const LOOK_MS_MAX = 25;
/** Shortest time from one look of all to the next. */
const LOOKS_APART_MS = 4;

interface Waiting {
  readonly entryId: bigint;
  readonly endMs: number;
  lookAtMs: number;
  pauseMs: number;
  readonly resolve: (place: Position | null) => void;
  readonly reject: (error: unknown) => void;
}

export class PlaceWatch {
  readonly #session: Session;
  readonly #now: () => number;
  readonly #waiting = new Set<Waiting>();
  #isLooking = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(session: Session, now: () => number = () => performance.now()) {
    this.#session = session;
    this.#now = now;
  }

  /** The place of an entry, as soon as it has one; `null` if it has none after `waitMs`. */
  placeOf(entryId: bigint | number | string, waitMs: number): Promise<Position | null> {
    return new Promise((resolve, reject) => {
      const lookAtMs = this.#now();
      const endMs = lookAtMs + waitMs;
      this.#waiting.add({ entryId: BigInt(entryId), endMs, lookAtMs, pauseMs: LOOK_MS_MIN, resolve, reject });
      if (!this.#isLooking) this.#lookAt(lookAtMs);
    });
  }

  #lookAt(atMs: number): void {
    this.#cancel();
    const pauseMs = Math.max(atMs, this.#lookedMs + LOOKS_APART_MS) - this.#now();
    const look = () => void this.#look();
    if (pauseMs <= 0) {
      const immediate = setImmediate(look); // whoever calls in the same turn looks along
      this.#cancel = () => clearImmediate(immediate);
    } else {
      const timer = setTimeout(look, pauseMs);
      this.#cancel = () => clearTimeout(timer);
    }
  }

  /** Never throws. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#lookedMs = this.#now();
    const waiting = [...this.#waiting];
    try {
      const places = await this.#placesOf(waiting);
      for (const one of waiting) this.#done(one, places.get(one.entryId) ?? null);
    } catch (error) {
      for (const one of waiting) {
        this.#waiting.delete(one);
        one.reject(error);
      }
    }
    this.#isLooking = false;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { lookAtMs } of this.#waiting) nextMs = Math.min(nextMs, lookAtMs);
    if (this.#waiting.size > 0) this.#lookAt(nextMs);
  }

  /** What a look has found of one. */
  #done(one: Waiting, place: Position | null): void {
    const nowMs = this.#now();
    if (place !== null || nowMs >= one.endMs) {
      this.#waiting.delete(one);
      one.resolve(place);
    } else if (one.lookAtMs <= this.#lookedMs) {
      one.lookAtMs = Math.min(one.endMs, nowMs + one.pauseMs);
      one.pauseMs = Math.min(LOOK_MS_MAX, one.pauseMs * 2);
    }
  }

  async #placesOf(waiting: readonly Waiting[]): Promise<ReadonlyMap<bigint, Position>> {
    const rows = await this.#session.query<{ epoch: string; id: string; seq: string }>(
      `select head.epoch, entry.id, entry.seq from optgate.head, optgate.change_log as entry
       where entry.id = any($1::int8[]) and entry.seq is not null`,
      [int8Column(waiting.map(({ entryId }) => entryId)).bytes],
    );
    return new Map(rows.map(({ epoch, id, seq }) => [BigInt(id), { epoch, seq: Number(seq) }]));
  }
}

/** One look out for one entry; see {@link PlaceWatch.placeOf}. */
export function waitSequenced(
  session: Session,
  entryId: bigint | number | string,
  waitMs: number,
  now?: () => number,
): Promise<Position | null> {
  return new PlaceWatch(session, now).placeOf(entryId, waitMs);
}
