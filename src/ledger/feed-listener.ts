/**
 * Listens to the sequencer, over a connection of its own that is made again whenever it breaks.
 * @module
 */
import { Backoff } from '../backoff.js';
import type { Database, DedicatedSession } from './database.js';
import { NOTIFY_CHANNEL } from './sequence-step.js';

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;
/** News that were missed while the connection seemed to be there, before it is taken to be dead. */
const MISSED_MAX = 2;

export class FeedListener {
  /** Counts up with everything that may be news, also when the connection breaks or is there again. */
  newsCount = 0;
  isListening = false;
  private missedCount = 0;
  private running: Promise<void> | null = null;
  private session: DedicatedSession | null = null;
  private readonly waiters = new Set<() => void>();
  private readonly closing = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    this.running ??= this.run();
  }

  /** Resolves with the next news, after `waitMs`, or when the signal says so. */
  news(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.waiters.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.waiters.add(end);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted || this.closing.signal.aborted) end();
    });
  }

  /** There were news, and nobody told of them. If that goes on the connection is not what it seems. */
  missed(): void {
    if (this.isListening && ++this.missedCount >= MISSED_MAX) void this.session?.close();
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.tell();
    await this.session?.close();
    await this.running;
  }

  private async run(): Promise<void> {
    const backoff = new Backoff({ baseMs: RECONNECT_MS_MIN, capMs: RECONNECT_MS_MAX, random: this.random });
    while (!this.closing.signal.aborted) {
      try {
        const session = await this.database.dedicated();
        this.session = session;
        try {
          await session.listen(NOTIFY_CHANNEL, () => this.tell());
          if (this.closing.signal.aborted) return;
          backoff.reset();
          this.isListening = true;
          this.tell();
          await session.lost;
        } finally {
          this.isListening = false;
          this.session = null;
          await session.close();
        }
        this.tell();
      } catch {
        // no connection: those who wait look for themselves meanwhile
      }
      if (!this.closing.signal.aborted) await this.news(backoff.nextDelayMs(), this.closing.signal);
    }
  }

  private tell(): void {
    this.newsCount++;
    this.missedCount = 0;
    for (const waiter of [...this.waiters]) waiter();
  }
}
