/**
 * The heartbeats of a set as they come in over NATS: the newest, and how old it was when it came.
 *
 * One that was heard before, that is older than another, or that belongs to a history that has ended, is nothing.
 * @module
 */
import { GateError } from '../core/errors.js';
import { decodeFrame, type Frame, type Verifier } from '../core/suppression/index.js';
import { type Clock, sleep } from './clock.js';
import { linkSignals } from './linked-signal.js';
import type { NatsLink } from './nats-connect.js';
import { NATS_HEADERS } from './nats-names.js';
import { Transit } from './transit.js';

/** Histories that are remembered to have ended. */
const ENDED_EPOCHS_MAX = 16;

export interface Beat {
  readonly frame: Frame;
  readonly bytes: Uint8Array;
  /** Monotonic ms at which the content was as old as the frame says. */
  readonly asOfMs: number;
  readonly heardAtMs: number;
}

export interface BeatMessage {
  readonly data: Uint8Array;
  readonly sender: string;
  readonly sentAtMs: number;
}

export class Beats {
  private newestBeat: Beat | null = null;
  private readonly endedEpochs: string[] = [];
  private readonly transit = new Transit();
  private waking = new AbortController();
  /** Why the last message was no heartbeat; `null`: it was one. */
  failure: GateError | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly verifier: Verifier | undefined,
  ) {}

  get newest(): Beat | null {
    return this.newestBeat;
  }

  /** Listens on a connection, for as long as that lives. */
  listen({ connection }: NatsLink, subject: string): void {
    connection.subscribe(subject, {
      callback: (error, { data, headers }) => {
        if (error !== null) return;
        const sender = headers?.get(NATS_HEADERS.publisher) ?? '';
        this.hear({ data: new Uint8Array(data), sender, sentAtMs: Number(headers?.get(NATS_HEADERS.clock)) });
      },
    });
  }

  /** Takes a message for what it is. */
  hear({ data, sender, sentAtMs }: BeatMessage): void {
    const heardAtMs = this.clock.monotonicMs();
    let frame: Frame;
    try {
      frame = decodeFrame(data, this.verifier);
      if (frame.entries.length > 0) throw new GateError('sync.protocol', 'a heartbeat with entries');
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      this.failure = error;
      return;
    }
    this.failure = null;
    const delayMs = Number.isFinite(sentAtMs) ? this.transit.delayMs(sender, sentAtMs, heardAtMs) : 0;
    if (!this.isNews(frame)) return;
    this.newestBeat = { frame, bytes: data, asOfMs: heardAtMs - delayMs, heardAtMs };
    this.waking.abort();
    this.waking = new AbortController();
  }

  /** Resolves with the next news, after `waitMs`, or when the signal is given. */
  async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const either = linkSignals(signal, this.waking.signal);
    await sleep(this.clock, waitMs, either.signal);
    either.unlink();
  }

  private isNews({ head }: Frame): boolean {
    const before = this.newestBeat?.frame.head;
    if (before === undefined) return true;
    if (before.epoch === head.epoch) return head.beat > before.beat;
    if (this.endedEpochs.includes(head.epoch)) return false;
    this.endedEpochs.push(before.epoch);
    if (this.endedEpochs.length > ENDED_EPOCHS_MAX) this.endedEpochs.shift();
    return true;
  }
}
