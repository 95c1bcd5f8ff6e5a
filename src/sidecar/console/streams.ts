/**
 * Server-sent events: every page that is open hears of the state, as long as it keeps up.
 *
 * One look at the state serves all pages. A page that has not taken what it was sent is passed over until it has, and let go
 * if it takes nothing for too long; so a slow reader costs a bounded amount of memory. All end when the process does.
 * @module
 */
import type { ServerResponse } from 'node:http';
import { ProblemError } from '../control-plane/index.js';
import type { ConsoleLimits } from './limits.js';

/** How long a browser waits before it connects again. */
const RETRY_MS = 3000;
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  /** For proxies that would collect events before they pass them on. */
  'x-accel-buffering': 'no',
};

interface Stream {
  readonly response: ServerResponse;
  /** Whoever listens is still signed in. */
  readonly isAllowed: () => boolean;
  takenMs: number;
}

export class Streams {
  readonly #streams = new Set<Stream>();
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;
  #isClosed = false;

  /** @param look The state, as it is sent. @param now Monotonic ms. */
  constructor(
    private readonly look: () => Promise<object>,
    private readonly limits: ConsoleLimits,
    private readonly now: () => number,
  ) {}

  get count(): number {
    return this.#streams.size;
  }

  /** Sends events to a page from now on. Throws a ProblemError `http.busy` where there are too many, or `http.closing`. */
  open(response: ServerResponse, isAllowed: () => boolean): void {
    if (this.#isClosed) throw new ProblemError('http.closing');
    if (this.#streams.size >= this.limits.streamsMax) throw new ProblemError('http.busy');
    const stream: Stream = { response, isAllowed, takenMs: this.now() };
    this.#streams.add(stream);
    response.once('close', () => this.#drop(stream));
    response.writeHead(200, HEADERS);
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#timer ??= setInterval(() => void this.#send(), this.limits.streamEveryMs).unref();
    void this.#send();
  }

  /** Ends all streams, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const { response } of this.#streams) response.end('event: closing\ndata: {}\n\n');
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #send(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const text = `event: state\ndata: ${JSON.stringify(await this.look())}\n\n`;
      for (const stream of this.#streams) this.#sendOne(stream, text);
    } catch {
      // the next look is soon
    } finally {
      this.#isLooking = false;
    }
  }

  #sendOne(stream: Stream, text: string): void {
    const { response, isAllowed } = stream;
    if (this.#isClosed) return;
    if (!isAllowed()) {
      response.end('event: signed_out\ndata: {}\n\n');
      return;
    }
    if (response.writableLength <= this.limits.streamBacklogBytesMax) {
      stream.takenMs = this.now();
      response.write(text);
    } else if (this.now() - stream.takenMs >= this.limits.streamStallMs) response.destroy();
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
