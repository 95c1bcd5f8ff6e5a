/**
 * Asks a sidecar over its socket, as the library would be asked: `check`, `filter`, `checkBatch`, `lookup`.
 *
 * While the server cannot be asked, or does not answer in time, a decision comes all the same, and says so: its reason
 * is `client.unavailable`, its action what `onUnavailable` says.
 * @module
 */
import type { Identifier, Right } from '../core/vocabulary.js';
import type { MsgpackWriter } from '../wire/msgpack-writer.js';
import type { Call, UnavailableCause } from './call.js';
import { asDecision, type ClientDecision, unavailableDecision } from './decision.js';
import { Dispatcher } from './dispatcher.js';
import { ClientError } from './errors.js';
import { type ClientOptions, type ClientState, type ClientTerms, clientTerms } from './options.js';

/** A bid request: an object, or the bytes of its JSON. */
export type ClientRequest = object | Uint8Array;

export interface ClientContext {
  /** Id in the policy's data inventory. */
  readonly destination?: string | null;
  /** The value or values of the HTTP header `Sec-GPC`. */
  readonly secGpc?: string | readonly string[] | null;
  readonly state?: string | null;
  readonly country?: string | null;
  readonly identifiers?: readonly Identifier[] | null;
  /** `epoch.seq` that a write returned: the server's table must have reached it. */
  readonly minSeq?: string | null;
  /** How long the server waits for that; the deadline of the call is as much later. */
  readonly waitMs?: number;
  /** Ask for the reasons in full. */
  readonly explain?: boolean;
}

export interface CallOptions {
  /** Instead of the client's. */
  readonly deadlineMs?: number;
}

export interface Filtered<T> {
  readonly decision: ClientDecision;
  /** What may be sent: the request itself where allowed, a new one where restricted; `null`: send nothing. */
  readonly request: T | null;
}

export interface BatchItem {
  readonly request: ClientRequest;
  /** Instead of the batch's. */
  readonly context?: ClientContext;
}

/** A refused item of a batch or a lookup. */
export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string };
}

export interface LookupResult {
  readonly seq: number;
  /** The table is older than the policy allows: an empty list of rights proves nothing. */
  readonly stale: boolean;
  /** In the order of the identifiers. */
  readonly results: readonly ({ readonly rights: readonly Right[] } | Refusal)[];
}

export interface ClientStats {
  readonly state: ClientState;
  readonly inFlight: number;
  readonly queued: number;
  readonly reconnects: number;
  /** Calls that got no answer, by why. */
  readonly unavailable: Readonly<Record<UnavailableCause, number>>;
}

/** Items of one frame, whatever more a server takes: an answer should not hold up the others. */
const BATCH_ITEMS_PER_FRAME = 256;
/** Until a server has said what it takes. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of a frame for its id, operation and shared context; and of an item for its own context. */
const FRAME_SPARE_BYTES = 64 * 1024;
const ITEM_SPARE_BYTES = 1024;

/**
 * A client; it connects at once and for as long as it is not closed.
 *
 * @throws {TypeError} {RangeError} for an option that is none.
 * @example
 * const client = connect({ path: '/run/optgate/optgate.sock', deadlineMs: 20 });
 * const { decision, request } = await client.filter(bidRequest, { destination: 'acme-dsp' });
 * if (request !== null) send(request);
 */
export function connect(options: ClientOptions): Client {
  return new Client(options);
}

export class Client {
  private readonly terms: ClientTerms;
  private readonly dispatcher: Dispatcher;
  private readonly standIn: ClientDecision;

  /** @internal Made by {@link connect}. */
  constructor(options: ClientOptions) {
    this.terms = clientTerms(options);
    this.standIn = unavailableDecision(this.terms.onUnavailable);
    this.dispatcher = new Dispatcher(this.terms);
  }

  /**
   * Whether `request` may go to one destination.
   * @throws {ClientError} with the server's code where the request or its context cannot be judged.
   * @throws {TypeError} where the request cannot be written as JSON.
   */
  async check(request: ClientRequest, context?: ClientContext, options?: CallOptions): Promise<ClientDecision> {
    const body = bodyOf(request);
    return this.ask('check', this.standIn, asDecision, context, options, (out) => writeBody(out, body));
  }

  /**
   * What of `request` may go to one destination. Where the server could not be asked, only `onUnavailable: 'allow'` gives
   * a request: a client cannot restrict one itself.
   * @throws as {@link check}.
   */
  async filter<T extends ClientRequest>(
    request: T,
    context?: ClientContext,
    options?: CallOptions,
  ): Promise<Filtered<T>> {
    const body = bodyOf(request);
    const standIn: Filtered<T> = { decision: this.standIn, request: this.standIn.action === 'allow' ? request : null };
    const read = (value: unknown) => asFiltered(value, request);
    return this.ask('filter', standIn, read, context, options, (out) => writeBody(out, body));
  }

  /** One decision each, in their order; a refusal in the place of one that cannot be judged. */
  async checkBatch(
    items: readonly BatchItem[],
    context?: ClientContext,
    options?: CallOptions,
  ): Promise<(ClientDecision | Refusal)[]> {
    // all before the first is asked: what cannot be written must not leave answers behind that nobody waits for
    const written = items.map((item) => ({ ...item, body: bodyOf(item.request) }));
    const parts: Promise<readonly (ClientDecision | Refusal)[]>[] = [];
    const perFrame = Math.min(BATCH_ITEMS_PER_FRAME, this.dispatcher.limits?.batchItemsMax ?? BATCH_ITEMS_PER_FRAME);
    const bytesMax = (this.dispatcher.limits?.frameBytesMax ?? FRAME_BYTES_MAX) - FRAME_SPARE_BYTES;
    for (const part of inFrames(written, perFrame, bytesMax)) {
      const standIn = part.map(() => this.standIn);
      const read = (value: unknown) => asResults(value, part.length, asDecision);
      parts.push(this.ask('check_batch', standIn, read, context, options, (out) => writeItems(out, part)));
    }
    return (await Promise.all(parts)).flat();
  }

  /**
   * The rights that identifiers have opted out of.
   * @throws {ClientError} `client.unavailable`: no rights is an answer, and nobody gave it.
   */
  async lookup(identifiers: readonly Identifier[], options?: CallOptions): Promise<LookupResult> {
    const read = (value: unknown) => asLookup(value, identifiers.length);
    return this.ask('lookup', null, read, undefined, options, (out) => out.value(identifiers));
  }

  /** What the server says of itself. @throws {ClientError} `client.unavailable`. */
  async status(options?: CallOptions): Promise<Readonly<Record<string, unknown>>> {
    const read = (value: unknown) => (typeof value === 'object' ? (value as Record<string, unknown> | null) : null);
    return this.ask('status', null, read, undefined, options, (out) => out.nil());
  }

  /** Resolves true once there is a connection, false after `waitMs` or when the client is closed. */
  ready(waitMs: number): Promise<boolean> {
    return this.until(() => this.dispatcher.state === 'open', waitMs);
  }

  stats(): ClientStats {
    const { state, inFlightCount, queuedCount, reconnectCount, unavailableCounts } = this.dispatcher;
    const unavailable = { ...unavailableCounts };
    return { state, inFlight: inFlightCount, queued: queuedCount, reconnects: reconnectCount, unavailable };
  }

  /** Waits for what is asked already, at most `waitMs`, and ends. Later calls are unavailable. */
  async close(waitMs = this.terms.deadlineMs): Promise<void> {
    await this.until(() => this.dispatcher.inFlightCount + this.dispatcher.queuedCount === 0, waitMs);
    this.dispatcher.close();
  }

  /** HOT. @param read What the answer says; `null`: it is no answer. */
  private ask<T>(
    op: Call['op'],
    standIn: T | null,
    read: (value: unknown) => T | null,
    context: ClientContext | undefined,
    options: CallOptions | undefined,
    write: (out: MsgpackWriter) => void,
  ): Promise<T> {
    const deadlineMs = (options?.deadlineMs ?? this.terms.deadlineMs) + (context?.waitMs ?? 0);
    return new Promise((resolve, reject) => {
      const unavailable = (): void => {
        if (standIn === null) reject(new ClientError('client.unavailable'));
        else resolve(standIn);
      };
      this.dispatcher.run({
        op,
        elementCount: context === undefined ? 3 : 4,
        expiresAtMs: performance.now() + deadlineMs,
        write: (out) => {
          write(out);
          if (context !== undefined) out.value(context);
        },
        answered: (value) => {
          const said = read(value);
          if (said !== null) resolve(said);
          else this.dispatcher.give(unavailable, 'answer');
        },
        refused: reject,
        unavailable,
      });
    });
  }

  private until(holds: () => boolean, waitMs: number): Promise<boolean> {
    if (holds() || this.dispatcher.state === 'closed') return Promise.resolve(holds());
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        unwatch();
        resolve(holds());
      };
      const timer = setTimeout(settle, waitMs);
      const unwatch = this.dispatcher.watch(() => {
        if (holds() || this.dispatcher.state === 'closed') settle();
      });
    });
  }
}

/** Text is faster to write into a frame than to turn into bytes first. */
/** Cuts a batch where a frame would hold too many items or too many bytes. What is too long alone goes alone. */
function inFrames<T extends { readonly body: string | Uint8Array }>(
  items: readonly T[],
  countMax: number,
  bytesMax: number,
): T[][] {
  const frames: T[][] = [];
  let byteCount = 0;
  for (const item of items) {
    const bytes = Buffer.byteLength(item.body) + ITEM_SPARE_BYTES;
    const frame = frames.at(-1);
    byteCount += bytes;
    if (frame !== undefined && frame.length < countMax && byteCount <= bytesMax) frame.push(item);
    else {
      frames.push([item]);
      byteCount = bytes;
    }
  }
  return frames;
}

function bodyOf(request: ClientRequest): string | Uint8Array {
  if (request instanceof Uint8Array) return request;
  const text = JSON.stringify(request) as string | undefined;
  if (typeof request !== 'object' || text === undefined) throw new TypeError('request: expected an object or bytes');
  return text;
}

function writeBody(out: MsgpackWriter, body: string | Uint8Array): void {
  if (typeof body === 'string') out.binaryText(body);
  else out.binary(body);
}

function writeItems(
  out: MsgpackWriter,
  items: readonly { readonly body: string | Uint8Array; readonly context?: ClientContext }[],
): void {
  out.arrayHeader(items.length);
  for (const { body, context } of items) {
    if (context !== undefined) out.arrayHeader(2);
    writeBody(out, body);
    if (context !== undefined) out.value(context);
  }
}

function asFiltered<T extends ClientRequest>(value: unknown, request: T): Filtered<T> | null {
  const decision = asDecision(value);
  if (decision === null) return null;
  if (decision.action === 'block') return { decision, request: null };
  if (decision.action === 'allow' && !(request instanceof Uint8Array)) return { decision, request };
  const outgoing = (value as { request?: unknown }).request;
  if (!(outgoing instanceof Uint8Array)) return null;
  if (request instanceof Uint8Array) return { decision, request: Uint8Array.from(outgoing) as unknown as T };
  try {
    return { decision, request: JSON.parse(Buffer.from(outgoing).toString('utf8')) as T };
  } catch {
    return null;
  }
}

function asResults<T>(
  value: unknown,
  count: number,
  read: (value: unknown) => T | null,
): readonly (T | Refusal)[] | null {
  if (!Array.isArray(value) || value.length !== count) return null;
  const results = value.map((item) => asRefusal(item) ?? read(item));
  return results.includes(null) ? null : (results as (T | Refusal)[]);
}

function asRefusal(value: unknown): Refusal | null {
  const { error } = (value ?? {}) as Partial<Refusal>;
  return typeof error?.code === 'string' ? { error } : null;
}

function asLookup(value: unknown, count: number): LookupResult | null {
  const { seq, stale, results } = (value ?? {}) as { seq?: unknown; stale?: unknown; results?: unknown };
  const read = (item: unknown) => (Array.isArray((item as { rights?: unknown } | null)?.rights) ? item : null);
  const found = asResults(results, count, read);
  if (typeof seq !== 'number' || typeof stale !== 'boolean' || found === null) return null;
  return { seq, stale, results: found as LookupResult['results'] };
}
