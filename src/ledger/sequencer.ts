/**
 * The sequencer: gives every entry of the change log its seq, and says every second that it is there.
 *
 * Any number of processes may run one; the one that holds an advisory lock leads, the others ask for it about every
 * second. The lock lives and dies with its connection, and every step is made on that connection: who has lost it cannot
 * do a step, and who has it is alone. There is no last attempt: whatever fails is tried again.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Backoff } from '../backoff.js';
import type { Database, DedicatedSession } from './database.js';
import { takeOver } from './epoch.js';
import { type HorizonAlarm, horizonAlarm } from './horizon.js';
import { hasWork, type Step, sequenceStep, serverAwaitsWork } from './sequence-step.js';
import { StepClock } from './step-clock.js';

/** Advisory lock, within the database: whoever leads. */
const SEQUENCER_LOCK = 0x6f67_0002;
/** How soon the log is looked at again, with or without work. On PostgreSQL the server itself looks (schema.ts). */
export const POLL_MS = 5;
/** How long the server is asked to look at a time; a sequencer that is closed waits that out. */
export const SERVER_WAIT_MS = 200;
/** How soon it is looked at again where nobody but this process can write, and says so by {@link Sequencer.wake}. */
export const EMBEDDED_POLL_MS = 250;
/** Longest time between two heartbeats of a leader that works. */
export const HEARTBEAT_MS = 1_000;
/** How often others ask whether they may lead, give or take a quarter. */
export const CONTEND_MS = 1_000;
/** Rows of one step at most. */
export const STEP_ROWS_MAX = 2_000;
/** From this age of an entry that cannot be sequenced on, somebody should know. */
export const HORIZON_ALARM_MS = 10_000;
/** A leader's connection that does nothing for so long is ended by the server, and its lock is free. */
export const LEADER_SILENCE_MS_MAX = 10_000;
const FAILURE_PAUSE_MS_MIN = 100;
const FAILURE_PAUSE_MS_MAX = 5_000;

export interface SequencerOptions {
  readonly pollMs?: number;
  readonly serverWaitMs?: number;
  readonly embeddedPollMs?: number;
  readonly heartbeatMs?: number;
  readonly contendMs?: number;
  readonly stepRowsMax?: number;
  readonly horizonAlarmMs?: number;
  /** Monotonic, in ms. */
  readonly now?: () => number;
  /** From 0 up to, and without, 1. */
  readonly random?: () => number;
  /** The next epoch, 1 to 36 printable characters. */
  readonly newEpoch?: () => string;
}

export interface SequencerState {
  readonly isLeader: boolean;
  /** When that began, by the sequencer's own clock. */
  readonly sinceMs: number;
  /** The last failure, until the next success. */
  readonly lastError: Error | null;
  /** The last step made here. */
  readonly step: Step | null;
  /** Age of the oldest entry that is committed and has no seq. */
  readonly horizonLagMs: number;
  /** Why that is too much; `null`: it is not. */
  readonly alarm: HorizonAlarm | null;
}

interface SequencerEvents {
  /** Leads from now on. */
  lead: [{ readonly epoch: string; readonly isNewEpoch: boolean }];
  /** Leads no more. */
  lost: [];
  /** A step that gave a seq to something. */
  step: [Step];
  /** Tried again by itself. */
  failure: [Error];
  alarm: [HorizonAlarm];
  /** The alarm is over. */
  calm: [];
}

/**
 * @example
 * const sequencer = new Sequencer(database).on('alarm', ({ cause }) => log.warn(cause)).start();
 */
export class Sequencer extends EventEmitter<SequencerEvents> {
  private readonly options: Required<SequencerOptions>;
  private readonly backoff: Backoff;
  private running: Promise<void> | null = null;
  private isClosed = false;
  private isWoken = false;
  private wakeWaiter: () => void = () => {};
  private isLeader = false;
  private sinceMs: number;
  private lastError: Error | null = null;
  private lastStep: Step | null = null;
  private lastBeatMs = Number.NEGATIVE_INFINITY;
  private waitingSince: string | null = null;
  private alarm: HorizonAlarm | null = null;

  constructor(
    private readonly database: Database,
    options: SequencerOptions = {},
  ) {
    super();
    this.options = {
      pollMs: POLL_MS,
      serverWaitMs: SERVER_WAIT_MS,
      embeddedPollMs: EMBEDDED_POLL_MS,
      heartbeatMs: HEARTBEAT_MS,
      contendMs: CONTEND_MS,
      stepRowsMax: STEP_ROWS_MAX,
      horizonAlarmMs: HORIZON_ALARM_MS,
      now: () => performance.now(),
      random: Math.random,
      newEpoch: randomUUID,
      ...options,
    };
    this.sinceMs = this.options.now();
    this.backoff = new Backoff({
      baseMs: FAILURE_PAUSE_MS_MIN,
      capMs: FAILURE_PAUSE_MS_MAX,
      random: this.options.random,
    });
  }

  get state(): SequencerState {
    return {
      isLeader: this.isLeader,
      sinceMs: this.sinceMs,
      lastError: this.lastError,
      step: this.lastStep,
      horizonLagMs: this.lastStep?.waitingMs ?? 0,
      alarm: this.alarm,
    };
  }

  /** Begins to contend, and to lead when it can. */
  start(): this {
    this.running ??= this.run();
    return this;
  }

  /** There is an entry: look now. Needed where this process is the only one to write; elsewhere the server looks. */
  wake(): void {
    if (this.isLeader) this.interrupt();
  }

  /** Stops after the step at work; another process can lead at once. Never throws. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.interrupt();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.isClosed) {
      try {
        await this.contend();
      } catch (error) {
        this.lastError = error instanceof Error ? error : new Error('the sequencer failed');
        this.emit('failure', this.lastError);
        if (!this.isClosed) await this.pause(this.backoff.nextDelayMs());
      }
    }
  }

  /** One connection: first to ask for the lock, then to lead on, until it breaks. */
  private async contend(): Promise<void> {
    this.isWoken = false;
    const session = await this.database.dedicated();
    let isLost = false;
    void session.lost.then(() => {
      isLost = true;
      this.interrupt();
    });
    try {
      while (!this.isClosed && !isLost && !(await tryLock(session))) {
        this.succeed();
        await this.pause(this.options.contendMs * (0.75 + this.options.random() / 2));
      }
      if (!this.isClosed && !isLost) await this.lead(session, () => isLost);
    } finally {
      this.setLeader(false);
      if (!isLost) await session.query('select pg_advisory_unlock($1)', [SEQUENCER_LOCK]).catch(() => {});
      await session.close();
    }
  }

  private async lead(session: DedicatedSession, isLost: () => boolean): Promise<void> {
    if (this.database.name === 'postgres') {
      await session.query(`select set_config('idle_session_timeout', $1, false)`, [String(LEADER_SILENCE_MS_MAX)]);
    }
    const takeover = await takeOver(session, this.options.newEpoch);
    this.setLeader(true);
    this.emit('lead', takeover);
    this.lastBeatMs = Number.NEGATIVE_INFINITY;
    const clock = new StepClock(this.options.now);
    while (!this.isClosed && !isLost()) {
      const isBeat = this.untilBeatMs() <= 0;
      if (!isBeat && !(await this.awaitWork(session))) continue;
      const count = await this.step(session, clock, isBeat);
      if (count > 0 && count < this.options.stepRowsMax) await this.pause(this.options.pollMs); // for more to come together
    }
  }

  private untilBeatMs(): number {
    return this.lastBeatMs + this.options.heartbeatMs - this.options.now();
  }

  /** True as soon as there is something to number; false after a while, or when it is time for a heartbeat. */
  private async awaitWork(session: DedicatedSession): Promise<boolean> {
    const { pollMs, serverWaitMs, embeddedPollMs } = this.options;
    if (this.database.name === 'postgres') {
      return serverAwaitsWork(session, pollMs, Math.min(serverWaitMs, this.untilBeatMs()));
    }
    this.isWoken = false;
    if (await hasWork(session)) return true;
    await this.pause(Math.min(embeddedPollMs, this.untilBeatMs()));
    return false;
  }

  /** How many rows were numbered. */
  private async step(session: DedicatedSession, clock: StepClock, isBeat: boolean): Promise<number> {
    const beatMs = this.options.now();
    const step = await sequenceStep(session, this.options.stepRowsMax, clock);
    this.lastBeatMs = beatMs;
    this.lastStep = step;
    this.succeed();
    if (step.count > 0) this.emit('step', step);
    if (isBeat) await this.watchHorizon(session, step);
    return step.count;
  }

  /** An alarm takes two heartbeats with the same entry waiting: the transaction of the entry itself may have been long. */
  private async watchHorizon(session: DedicatedSession, { waitingMs, waitingId }: Step): Promise<void> {
    const isStuck = waitingId !== null && waitingId === this.waitingSince && waitingMs >= this.options.horizonAlarmMs;
    this.waitingSince = waitingId;
    if (isStuck) {
      this.alarm = await horizonAlarm(session, waitingMs);
      this.emit('alarm', this.alarm);
    } else if (this.alarm !== null && waitingMs < this.options.horizonAlarmMs) {
      this.alarm = null;
      this.emit('calm');
    }
  }

  private interrupt(): void {
    this.isWoken = true;
    this.wakeWaiter();
  }

  private succeed(): void {
    this.lastError = null;
    this.backoff.reset();
  }

  private setLeader(isLeader: boolean): void {
    if (this.isLeader === isLeader) return;
    this.isLeader = isLeader;
    this.sinceMs = this.options.now();
    if (!isLeader) this.emit('lost');
  }

  private pause(waitMs: number): Promise<void> {
    if (this.isClosed || this.isWoken || waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.wakeWaiter = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function tryLock(session: DedicatedSession): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [SEQUENCER_LOCK]);
  return row?.locked === true;
}
