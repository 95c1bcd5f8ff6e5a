/**
 * Publishes a ledger to NATS, for fleets: changes into a stream, heartbeats beside it, snapshots into the object store,
 * and what enforcers report back into the ledger.
 *
 * Any number may run for one set; one leads and the others stand by. Whatever is interrupted goes on from what the server
 * holds: no entry is left out, none is there twice, and the stream never begins after the end of the newest snapshot.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { Backoff } from '../backoff.js';
import type { GateError } from '../core/errors.js';
import type { Frame, Signer } from '../core/suppression/index.js';
import { type Clock, sleep, systemClock } from './clock.js';
import { asFailure } from './failures.js';
import { GuardedFeed } from './guarded-feed.js';
import { answerReports } from './nats-acks.js';
import { type NatsLink, NatsLinks, type NatsOptions } from './nats-connect.js';
import { Rivals, SIGN_MS, TAKEOVER_MS } from './nats-rivals.js';
import { SnapshotUploads } from './nats-uploads.js';
import { ChangeWriter, Fenced, StreamFull } from './nats-writer.js';
import type { LedgerFeed, Position } from './source.js';

export const PUBLISHER_LIMITS = {
  /** How often a heartbeat is sent if there is nothing else to say. */
  beatEveryMs: 1000,
  /** How often the snapshot is made anew if there were changes. */
  snapshotEveryMs: 600_000,
  /** Bytes of changes after which it is made anew. */
  snapshotEveryBytes: 256 * 2 ** 20,
  /** The stream takes no more; it is cut back before. */
  streamBytesMax: 2 ** 30,
  /** Age from which changes are removed that a snapshot holds. */
  streamAgeMsMax: 86_400_000,
  /** How often stream and snapshot are looked after. */
  maintainEveryMs: 10_000,
  /** Silence of the leader after which another takes over. */
  takeoverMs: TAKEOVER_MS,
} as const;
export type PublisherLimits = { readonly [Name in keyof typeof PUBLISHER_LIMITS]: number };

export interface NatsPublisherOptions extends Omit<NatsOptions, 'limits'>, Partial<PublisherLimits> {
  /** The publisher owns the feed and closes it. */
  readonly feed: LedgerFeed;
  /** For snapshots on their way. */
  readonly folder: string;
  readonly signer?: Signer | undefined;
  /** Copies of stream and bucket in a NATS cluster. */
  readonly replicas?: number | undefined;
  /** Called with every failure; the publisher goes on trying. */
  readonly onFailure?: ((error: GateError) => void) | undefined;
  readonly limits?: NatsOptions['limits'];
  readonly clock?: Clock | undefined;
}

export interface PublisherStatus {
  readonly state: 'connecting' | 'standby' | 'leading' | 'closed';
  /** What the stream holds. */
  readonly position: Position | null;
  readonly snapshot: Position | null;
  /** Messages and heartbeats since the start. */
  readonly messageCount: number;
  readonly beatCount: number;
  readonly snapshotCount: number;
  readonly reportCount: number;
  readonly failureCount: number;
  readonly lastFailure: GateError | null;
}

/** At most 20 MB of changes. */
const ENTRIES_PER_READ = 256;
const BACKOFF_CAP_MS = 5000;
/** Snapshots that the size of the stream asks for come no faster than this. */
const SNAPSHOT_PAUSE_MS = 1000;
const STANDBY_LOOK_MS = 200;
const LEAVE_MS = 500;

/** Leading goes on from the beginning: the stream is not what it was taken for, or the ledger began another history. */
class Restart extends Error {}
/** Another publisher leads. */
class Yield extends Error {}

/**
 * @example
 * const publisher = new NatsPublisher({ url: 'nats://nats.internal/default', feed: await openFeed(location), folder });
 * publisher.start();
 */
export class NatsPublisher {
  private readonly id = randomUUID();
  private readonly clock: Clock;
  private readonly feed: LedgerFeed;
  private readonly limits: PublisherLimits;
  private readonly links: NatsLinks;
  private readonly rivals: Rivals;
  private readonly closing = new AbortController();
  private readonly counts = { messageCount: 0, beatCount: 0, snapshotCount: 0, reportCount: 0, failureCount: 0 };
  private running: Promise<void> | null = null;
  private state: PublisherStatus['state'] = 'connecting';
  private lastFailure: GateError | null = null;
  private writer: ChangeWriter | null = null;
  private uploads: SnapshotUploads | null = null;
  private renewing: Promise<void> | null = null;
  private snapshotAtMs = 0;
  private bytesSinceSnapshot = 0;

  /** Connects nothing yet. Throws an InputError for options that make no sense. */
  constructor(private readonly options: NatsPublisherOptions) {
    this.clock = options.clock ?? systemClock;
    this.feed = new GuardedFeed(options.feed, this.clock, this.closing.signal);
    const given = Object.entries(PUBLISHER_LIMITS).map(([name, value]) => {
      return [name, options[name as keyof PublisherLimits] ?? value];
    });
    this.limits = Object.fromEntries(given) as unknown as PublisherLimits;
    this.links = new NatsLinks(options, (link) => this.rivals.listen(link));
    this.rivals = new Rivals(this.id, this.links.names, this.clock, this.limits.takeoverMs);
  }

  /** Begins, and goes on until it is closed. */
  start(): void {
    this.running ??= this.run();
  }

  status(): PublisherStatus {
    const { state, lastFailure, writer, uploads } = this;
    const snapshot = uploads?.current?.position ?? null;
    return { state, position: writer?.position ?? null, snapshot, ...this.counts, lastFailure };
  }

  /** Stops, and tells those that stand by. Never throws. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.feed.close().catch(() => {});
    await this.running;
    await this.renewing;
    await this.links.close();
    this.state = 'closed';
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    const backoff = new Backoff({ capMs: BACKOFF_CAP_MS });
    let isLeader = false;
    while (!signal.aborted) {
      try {
        const link = await this.links.get();
        if (!isLeader) await this.standBy(signal);
        if (!signal.aborted) await this.lead(link, () => backoff.reset());
      } catch (error) {
        isLeader = error instanceof Restart || error instanceof Fenced || error instanceof StreamFull;
        if (!isLeader) this.state = 'connecting';
        if (!isLeader && !(error instanceof Yield)) this.fail(error);
        await sleep(this.clock, backoff.nextDelayMs(), signal);
      }
    }
  }

  /** Until no other one leads. */
  private async standBy(signal: AbortSignal): Promise<void> {
    this.state = 'standby';
    const sinceMs = this.clock.monotonicMs();
    // one that leads has given a sign by then; ids that differ keep two from beginning at the same moment
    const listenMs = SIGN_MS + STANDBY_LOOK_MS + (Number.parseInt(this.id.slice(0, 4), 16) / 0xffff) * SIGN_MS;
    const isQuiet = () => this.clock.monotonicMs() - sinceMs >= Math.min(listenMs, this.limits.takeoverMs);
    while (!signal.aborted && (this.rivals.isAnotherLeading || !isQuiet())) {
      await sleep(this.clock, STANDBY_LOOK_MS, signal);
    }
  }

  private async lead(link: NatsLink, onProgress: () => void): Promise<void> {
    const { options, limits, clock, feed } = this;
    const { folder, signer, replicas = 1 } = options;
    const { signal } = this.closing;
    const { names } = this.links;
    const { streamBytesMax, streamAgeMsMax } = limits;
    const writer = new ChangeWriter(link, names, { signer, streamBytesMax, replicas, publisherId: this.id, clock });
    const uploadOptions = { feed, folder, signer, replicas, streamBytesMax, streamAgeMsMax, clock, signal };
    const uploads = new SnapshotUploads(link, names, writer, uploadOptions);
    this.snapshotAtMs = clock.monotonicMs();
    this.rivals.sign(link);
    const signs = setInterval(() => this.rivals.sign(link), SIGN_MS);
    const acks = answerReports(link, names.acks, feed, () => this.counts.reportCount++);
    try {
      await this.begin(writer, uploads);
      [this.writer, this.uploads, this.state] = [writer, uploads, 'leading'];
      await this.follow(writer, uploads, onProgress, signal);
    } finally {
      clearInterval(signs);
      acks.unsubscribe();
      if (signal.aborted) await this.leave(link);
      await this.renewing;
    }
  }

  /** Tells those that stand by, if the server can be reached. */
  private async leave(link: NatsLink): Promise<void> {
    this.rivals.sign(link, true);
    const waiting = new AbortController();
    const isOver = sleep(this.clock, LEAVE_MS, waiting.signal);
    await Promise.race([link.connection.flush().catch(() => {}), isOver]);
    waiting.abort();
  }

  /** Brings stream and bucket into a state from which the stream can be written on. */
  private async begin(writer: ChangeWriter, uploads: SnapshotUploads): Promise<void> {
    await writer.open();
    const snapshot = await uploads.look();
    const position = writer.position ?? snapshot?.position ?? null;
    const frame = await this.feed.entriesAfter(position?.seq ?? 0, 1);
    if (!goesOn(frame, position)) {
      // the snapshot comes first: who is told of another history must find its beginning
      await this.renew(uploads);
      await writer.restart(uploads.current?.position ?? { epoch: frame.head.epoch, seq: frame.head.seq });
    } else if (writer.position === null) {
      writer.position = position;
    } else if (snapshot === null || (await writer.stream.locate(snapshot.position, null)).kind !== 'found') {
      await this.renew(uploads);
    }
  }

  private async follow(
    writer: ChangeWriter,
    uploads: SnapshotUploads,
    onProgress: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { beatEveryMs, maintainEveryMs } = this.limits;
    let [beatAtMs, maintainedAtMs] = [Number.NEGATIVE_INFINITY, this.clock.monotonicMs()];
    while (!signal.aborted) {
      if (this.rivals.mustYield) throw new Yield();
      const asOfMs = this.clock.monotonicMs();
      const frame = await this.feed.entriesAfter(writer.position?.seq ?? 0, ENTRIES_PER_READ);
      if (!goesOn(frame, writer.position)) throw new Restart();
      const isNews = frame.entries.length > 0;
      if (isNews) await this.append(writer, uploads, frame, asOfMs);
      const isCaughtUp = writer.position?.seq === frame.head.seq;
      if ((isNews && isCaughtUp) || this.clock.monotonicMs() - beatAtMs >= beatEveryMs - 1) {
        writer.beat(frame.head, asOfMs);
        beatAtMs = asOfMs;
        this.counts.beatCount++;
      }
      onProgress();
      if (this.isRenewalDue(writer, uploads)) void this.renew(uploads).catch((error: unknown) => this.fail(error));
      if (this.clock.monotonicMs() - maintainedAtMs >= maintainEveryMs) {
        maintainedAtMs = this.clock.monotonicMs();
        if (!(await uploads.trim())) await this.renew(uploads);
      }
      if (isCaughtUp) await this.feed.wait(Math.max(1, beatAtMs + beatEveryMs - this.clock.monotonicMs()), signal);
    }
  }

  private async append(writer: ChangeWriter, uploads: SnapshotUploads, frame: Frame, asOfMs: number): Promise<void> {
    try {
      this.bytesSinceSnapshot += await writer.append(frame, asOfMs);
      this.counts.messageCount++;
    } catch (error) {
      if (!(error instanceof StreamFull)) throw error;
      await this.renew(uploads);
      await uploads.trim();
      throw error;
    }
  }

  private isRenewalDue({ position }: ChangeWriter, { current }: SnapshotUploads): boolean {
    if (this.renewing !== null || position === null || position.seq <= (current?.position.seq ?? 0)) return false;
    const ageMs = this.clock.monotonicMs() - this.snapshotAtMs;
    const { snapshotEveryMs, snapshotEveryBytes } = this.limits;
    return ageMs >= snapshotEveryMs || (this.bytesSinceSnapshot >= snapshotEveryBytes && ageMs >= SNAPSHOT_PAUSE_MS);
  }

  /** Makes a new snapshot, one at a time. Throws a GateError. */
  private async renew(uploads: SnapshotUploads): Promise<void> {
    await this.renewing;
    this.bytesSinceSnapshot = 0;
    const renewal = uploads.renew().then(() => void this.counts.snapshotCount++);
    this.renewing = renewal
      .catch(() => {})
      .finally(() => {
        this.snapshotAtMs = this.clock.monotonicMs(); // also after a failure: not at every turn
        this.renewing = null;
      });
    await renewal;
  }

  private fail(error: unknown): void {
    if (this.closing.signal.aborted) return;
    const failure = asFailure(error);
    this.lastFailure = failure;
    this.counts.failureCount++;
    this.options.onFailure?.(failure);
  }
}

/** Whether what the ledger gave comes right after what the stream holds. */
function goesOn({ head, entries }: Frame, position: Position | null): boolean {
  if (position === null || head.epoch !== position.epoch || head.seq < position.seq) return false;
  return entries.length === 0 ? head.seq === position.seq : entries[0]?.seq === position.seq + 1;
}
