/**
 * Keeps a client connected, and every call settled once: answered, refused, or unavailable within its deadline.
 *
 * While there is no connection and the next attempt is not due, calls are unavailable at once: at bid time an answer that
 * cannot come is not worth waiting for. While a connection is being made they wait, as long as they have time.
 * @module
 */
import { Backoff } from '../backoff.js';
import { type Call, Deadlines, type UnavailableCause } from './call.js';
import { ClientError } from './errors.js';
import { Link, type LinkCause, type ServerLimits } from './link.js';
import type { ClientState, ClientTerms } from './options.js';

const BACKOFF_BASE_MS = 20;
/** A connection that was open for less is no proof that the next one will be. */
const WORKED_MS = 1_000;
/** The server could not do it now, or failed: not the caller's fault. */
const NOT_NOW = /^(?:busy\.|internal$)/;

export class Dispatcher {
  state: ClientState = 'connecting';
  reconnectCount = 0;
  limits: ServerLimits | null = null;
  readonly unavailableCounts: Record<UnavailableCause, number> = {
    deadline: 0,
    disconnected: 0,
    queue_full: 0,
    busy: 0,
    closed: 0,
    answer: 0,
  };
  private link: Link | null = null;
  private openedAtMs = 0;
  /** Connections of servers that said goodbye, and still owe answers. */
  private readonly leaving = new Set<Link>();
  private readonly sent = new Map<Link, Map<number, Call>>();
  private queue: Call[] = [];
  private readonly backoff: Backoff;
  private readonly deadlines = new Deadlines((nowMs) => this.expire(nowMs));
  private retryTimer: NodeJS.Timeout | null = null;
  private readonly watchers = new Set<() => void>();

  constructor(private readonly terms: ClientTerms) {
    const { backoffCapMs: capMs, random } = terms;
    this.backoff = new Backoff({ baseMs: Math.min(BACKOFF_BASE_MS, capMs), capMs, random });
    this.connect();
  }

  get queuedCount(): number {
    return this.queue.length;
  }

  get inFlightCount(): number {
    let count = 0;
    for (const calls of this.sent.values()) count += calls.size;
    return count;
  }

  /** HOT. */
  run(call: Call): void {
    const { link, terms } = this;
    if (this.state === 'open' && link !== null && this.queue.length === 0 && link.pendingCount < terms.inFlightMax) {
      this.send(link, call);
    } else if (this.state === 'closed') {
      this.give(call.unavailable, 'closed');
      return;
    } else if (this.state === 'waiting') {
      this.give(call.unavailable, 'disconnected');
      return;
    } else if (this.queue.length >= terms.queueMax) {
      this.give(call.unavailable, 'queue_full');
      return;
    } else {
      this.queue.push(call);
    }
    this.deadlines.note(call.expiresAtMs, performance.now());
  }

  /** Calls back at the next change of state or settled call; returns what takes that back. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Nothing more is taken. Whoever still waits is answered now. */
  close(): void {
    if (this.state === 'closed') return;
    this.enter('closed', null);
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    for (const call of this.queue.splice(0)) this.give(call.unavailable, 'closed');
    for (const link of [...this.sent.keys()]) link.end('link.closed');
    this.deadlines.stop();
  }

  private connect(): void {
    this.retryTimer = null;
    this.enter('connecting', null);
    const link: Link = new Link(this.terms, {
      opened: (limits) => this.opened(link, limits),
      answered: (id, value) => this.take(link, id)?.answered(value),
      failed: (id, error) => this.failed(link, id, error),
      leaving: () => this.left(link),
      ended: (cause) => this.ended(link, cause),
    });
    this.link = link;
    this.sent.set(link, new Map());
  }

  private opened(link: Link, limits: ServerLimits): void {
    if (link !== this.link) return;
    this.limits = limits;
    this.openedAtMs = performance.now();
    this.enter('open', null);
    this.sendQueued();
  }

  private send(link: Link, call: Call): void {
    let id: number | null;
    try {
      id = link.send(call.op, call.elementCount, this.limits?.frameBytesMax ?? 0, call.write);
    } catch (error) {
      call.refused(error);
      return;
    }
    if (id === null) call.refused(new ClientError('client.too_large'));
    else this.sent.get(link)?.set(id, call);
  }

  private sendQueued(): void {
    const { link } = this;
    if (link === null || this.state !== 'open') return;
    let count = 0;
    while (count < this.queue.length && link.pendingCount < this.terms.inFlightMax) {
      const call = this.queue[count++];
      if (call !== undefined) this.send(link, call);
    }
    if (count > 0) this.queue.splice(0, count);
  }

  /** The call that an answer is for, which is settled now. */
  private take(link: Link, id: number): Call | undefined {
    const calls = this.sent.get(link);
    const call = calls?.get(id);
    calls?.delete(id);
    if (this.queue.length > 0) this.sendQueued();
    if (this.leaving.size > 0 && calls?.size === 0 && this.leaving.has(link)) link.end('link.closed');
    if (this.watchers.size > 0) this.tell();
    return call;
  }

  private failed(link: Link, id: number, error: unknown): void {
    const call = this.take(link, id);
    if (call === undefined) return;
    const { code, message, field } = (error ?? {}) as { code?: string; message?: string; field?: string };
    if (typeof code !== 'string') this.give(call.unavailable, 'answer');
    else if (NOT_NOW.test(code)) this.give(call.unavailable, 'busy');
    else call.refused(new ClientError(code, message, field));
  }

  /** The server will end: the next is connected to at once, and what it owes is waited for meanwhile. */
  private left(link: Link): void {
    if (this.sent.get(link)?.size === 0) {
      link.end('link.closed');
    } else {
      this.leaving.add(link);
    }
    if (link === this.link) this.lost('link.goodbye');
  }

  private ended(link: Link, cause: LinkCause): void {
    const calls = this.sent.get(link);
    this.sent.delete(link);
    this.leaving.delete(link);
    for (const call of calls?.values() ?? [])
      this.give(call.unavailable, this.state === 'closed' ? 'closed' : 'disconnected');
    if (link === this.link) this.lost(cause);
  }

  private lost(cause: LinkCause): void {
    this.link = null;
    if (this.state === 'closed') return;
    this.reconnectCount++;
    // A connection that had worked for a while is made anew at once; any other with growing patience.
    const hadWorked = this.state === 'open' && performance.now() - this.openedAtMs > WORKED_MS;
    if (hadWorked) this.backoff.reset();
    this.retryTimer = setTimeout(() => this.connect(), hadWorked ? 0 : this.backoff.nextDelayMs());
    if (hadWorked) {
      this.enter('connecting', cause);
      return;
    }
    this.enter('waiting', cause);
    for (const call of this.queue.splice(0)) this.give(call.unavailable, 'disconnected');
    this.retryTimer.unref();
  }

  private expire(nowMs: number): number {
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const [link, calls] of this.sent) {
      for (const [id, call] of calls) {
        if (call.expiresAtMs > nowMs) {
          nextAtMs = Math.min(nextAtMs, call.expiresAtMs);
          continue;
        }
        calls.delete(id);
        link.forget(id);
        this.give(call.unavailable, 'deadline');
      }
    }
    const late = this.queue.filter((call) => call.expiresAtMs <= nowMs);
    if (late.length > 0) this.queue = this.queue.filter((call) => call.expiresAtMs > nowMs);
    for (const call of late) this.give(call.unavailable, 'deadline');
    for (const call of this.queue) nextAtMs = Math.min(nextAtMs, call.expiresAtMs);
    this.sendQueued();
    return nextAtMs;
  }

  /** Settles a call without an answer. */
  give(unavailable: () => void, cause: UnavailableCause): void {
    this.unavailableCounts[cause]++;
    unavailable();
    if (this.watchers.size > 0) this.tell();
  }

  private enter(state: ClientState, cause: string | null): void {
    if (this.state === state && cause === null) return;
    this.state = state;
    this.terms.onState(state, cause);
    this.tell();
  }

  private tell(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}
