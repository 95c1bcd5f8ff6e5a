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

/**
 * Content from so long after the newest heartbeat was heard, under a lower number than that one's: the ledger was put back
 * to an earlier state, and counts from there.
 */
const BACK_AFTER_MS = 2000;
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
  /** The highest number of those that may say that the ledger was put back; `null`: none did since the newest. */
  private backBeat: number | null = null;
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
    const asOfMs = heardAtMs - delayMs;
    if (!this.isNews(frame, asOfMs)) return;
    this.backBeat = null;
    this.newestBeat = { frame, bytes: data, asOfMs, heardAtMs };
    this.waking.abort();
    this.waking = new AbortController();
  }

  /** Resolves with the next news, after `waitMs`, or when the signal is given. */
  async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    const either = linkSignals(signal, this.waking.signal);
    await sleep(this.clock, waitMs, either.signal);
    either.unlink();
  }

  private isNews({ head }: Frame, asOfMs: number): boolean {
    const before = this.newestBeat?.frame.head;
    if (before === undefined) return true;
    if (before.epoch === head.epoch) return head.beat > before.beat || this.isBack(head, asOfMs);
    if (this.endedEpochs.includes(head.epoch)) return false;
    this.endedEpochs.push(before.epoch);
    if (this.endedEpochs.length > ENDED_EPOCHS_MAX) this.endedEpochs.shift();
    return true;
  }

  /**
   * The second of two that go up from a lower number, and whose content is newer than the newest. Only of a server that is
   * trusted: another could send old ones again, signed as they are, and say that they are from now.
   */
  private isBack({ beat, lagMs }: Frame['head'], asOfMs: number): boolean {
    const { newestBeat, backBeat } = this;
    if (newestBeat === null || this.verifier !== undefined || asOfMs - lagMs <= newestBeat.heardAtMs + BACK_AFTER_MS)
      return false;
    this.backBeat = Math.max(beat, backBeat ?? 0);
    return backBeat !== null && beat > backBeat;
  }
}
