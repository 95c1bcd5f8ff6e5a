/**
 * Which of several publishers of one set leads. Each that leads gives signs of life; who hears one of another stands by.
 *
 * This keeps two from doing the same work. It is not what keeps the stream right: that is the fence on every message
 * (nats-writer.ts), which holds whoever believes to lead.
 * @module
 */
import type { Clock } from './clock.js';
import type { NatsLink } from './nats-connect.js';
import { NATS_HEADERS, type NatsNames } from './nats-names.js';

/** How often a sign of life is given. */
export const SIGN_MS = 1000;
/** Silence of the other after which one that stands by takes over. */
export const TAKEOVER_MS = 3500;

export class Rivals {
  private heardAtMs = Number.NEGATIVE_INFINITY;
  private heardId = '';
  private givenAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    /** Random, one for each publisher. */
    readonly ownId: string,
    private readonly names: NatsNames,
    private readonly clock: Clock,
    private readonly takeoverMs: number = TAKEOVER_MS,
  ) {}

  /** Listens on a connection, for as long as that lives. */
  listen({ connection }: NatsLink): void {
    connection.subscribe(this.names.publishers, {
      callback: (error, { headers }) => {
        const id = headers?.get(NATS_HEADERS.publisher) ?? '';
        if (error !== null || id === '' || id === this.ownId) return;
        const isLeaving = headers?.has(NATS_HEADERS.leaving) === true;
        this.heardId = id;
        this.heardAtMs = isLeaving ? Number.NEGATIVE_INFINITY : this.clock.monotonicMs();
      },
    });
  }

  /** Another one leads, as far as is known. */
  get isAnotherLeading(): boolean {
    return this.clock.monotonicMs() - this.heardAtMs < this.takeoverMs;
  }

  /**
   * While leading: true if another one does as well, and it is the one to go on. That is the one that did not fall silent;
   * if neither did, the one with the lesser id.
   */
  get mustYield(): boolean {
    if (!this.isAnotherLeading) return false;
    return this.heardId < this.ownId || this.clock.monotonicMs() - this.givenAtMs >= this.takeoverMs;
  }

  /** Gives a sign of life; the last one says so. */
  sign({ connection, headers, isUp }: NatsLink, isLast = false): void {
    if (!isUp || connection.isClosed()) return; // it would come later, and then say something else
    this.givenAtMs = this.clock.monotonicMs();
    const fields = headers();
    fields.set(NATS_HEADERS.publisher, this.ownId);
    if (isLast) fields.set(NATS_HEADERS.leaving, '1');
    connection.publish(this.names.publishers, undefined, { headers: fields });
  }
}
