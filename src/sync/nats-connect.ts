/**
 * Connections to NATS: opened when they are needed, mended by the client library, opened anew when that gives up.
 *
 * The packages are optional, so they are loaded here and nowhere else, and only when a NATS address is used.
 * @module
 */
import { readFileSync } from 'node:fs';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { ObjectStore, Objm } from '@nats-io/obj';
import type { MsgHdrs, NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import { GateError, InputError } from '../core/errors.js';
import { type NatsAddress, type NatsNames, natsNames, parseNatsUrl } from './nats-names.js';

export const NATS_LIMITS = {
  connectMs: 5000,
  /** For every single question to the server. */
  requestMs: 4000,
  /** A server that answers none of {@link NATS_LIMITS.pingsMax} pings in a row is given up. */
  pingMs: 5000,
  pingsMax: 2,
  /** How long a piece of a snapshot is asked for again and again. */
  pieceMs: 15_000,
} as const;
export type NatsLimits = { readonly [Name in keyof typeof NATS_LIMITS]: number };

export interface NatsOptions {
  /** `nats://host:port/set` or `tls://…`; may hold user and password, or a token as the user alone. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** File with the token; read for every connection, so that it can be changed. */
  readonly tokenFile?: string | undefined;
  /** File with a user's JWT and key, as `nsc` writes it; read for every connection. */
  readonly credsFile?: string | undefined;
  /** With this, or a `tls:` address, nothing is sent in the clear. All in PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  /** What the server's monitoring calls the connection. */
  readonly connectionName?: string | undefined;
  readonly limits?: Partial<NatsLimits> | undefined;
}

const PACKAGES = '@nats-io/transport-node @nats-io/jetstream @nats-io/obj';
/** What the client library calls refusals. */
const REFUSALS = ['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError'];
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 1000;

/** One connection, and what is spoken over it. */
export class NatsLink {
  /** False while the library is reconnecting. */
  isUp = true;

  constructor(
    readonly connection: NatsConnection,
    readonly manager: JetStreamManager,
    readonly jetstream: JetStreamClient,
    private readonly objects: Objm,
    /** Makes empty headers. */
    readonly headers: () => MsgHdrs,
    readonly limits: NatsLimits,
  ) {
    void this.watch();
  }

  get isClosed(): boolean {
    return this.connection.isClosed();
  }

  /** The largest message the server takes, headers included. */
  get payloadBytesMax(): number {
    return this.connection.info?.max_payload ?? 0;
  }

  /** The bucket, which need not be there. */
  openBucket(name: string): Promise<ObjectStore> {
    return this.objects.open(name, false);
  }

  /** The bucket, made if it is not there. */
  createBucket(name: string, replicas: number): Promise<ObjectStore> {
    return this.objects.create(name, { replicas, description: 'optgate snapshots' });
  }

  /** What failed, as a GateError. */
  asError(error: unknown): GateError {
    if (error instanceof GateError) return error;
    const names = [error, (error as { readonly cause?: unknown } | null)?.cause].map(nameOf);
    if (names.some((name) => REFUSALS.includes(name)))
      return new GateError('sync.refused', undefined, { cause: error });
    if (names.includes('TimeoutError') && this.isUp) return new GateError('sync.deadline', undefined, { cause: error });
    return new GateError('sync.unavailable', undefined, { cause: error });
  }

  private async watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection' || type === 'close') this.isUp = false;
      if (type === 'reconnect') this.isUp = true;
    }
  }
}

/** The one connection of a source or publisher. */
export class NatsLinks {
  readonly names: NatsNames;
  private readonly address: NatsAddress;
  private readonly limits: NatsLimits;
  private opening: Promise<NatsLink> | null = null;
  private isClosed = false;

  /** Connects nothing yet. Throws an InputError for options that make no sense. */
  constructor(
    private readonly options: NatsOptions,
    /** Called with each new connection, before anything else is done with it. */
    private readonly onOpen: (link: NatsLink) => void = () => {},
  ) {
    this.address = parseNatsUrl(options.url);
    this.names = natsNames(this.address.set);
    this.limits = { ...NATS_LIMITS, ...options.limits };
    const ways = [options.user ?? this.address.user, options.token ?? options.tokenFile, options.credsFile];
    if (ways.filter((way) => way !== undefined).length > 1) {
      throw new InputError('user', 'out_of_range', 'expected one way to log in: a user, a token or a credentials file');
    }
  }

  /** The connection; the library may be mending it. Throws a GateError. */
  async get(): Promise<NatsLink> {
    if (this.isClosed) throw new GateError('sync.closed');
    this.opening ??= this.open();
    const { opening } = this;
    try {
      const link = await opening;
      if (!link.isClosed) return link;
    } catch (error) {
      if (this.opening === opening) this.opening = null;
      throw error;
    }
    if (this.opening === opening) this.opening = null;
    return this.get();
  }

  /** Breaks the connection off. Never throws. */
  async close(): Promise<void> {
    this.isClosed = true;
    const link = await this.opening?.catch(() => null);
    await link?.connection.close().catch(() => {});
  }

  private async open(): Promise<NatsLink> {
    const { transport, jetstream, objects } = await loadPackages();
    const connectionOptions = this.connectionOptions(transport);
    let connection: NatsConnection;
    try {
      connection = await transport.connect(connectionOptions);
    } catch (cause) {
      const isRefused = REFUSALS.includes(nameOf(cause));
      throw new GateError(isRefused ? 'sync.refused' : 'sync.unavailable', undefined, { cause });
    }
    const timeout = this.limits.requestMs;
    // asking for the account's limits takes a right that enforcers need for nothing else
    const client = jetstream.jetstream(connection, { timeout, checkAPI: false });
    const manager = await jetstream.jetstreamManager(connection, { timeout, checkAPI: false });
    const link = new NatsLink(connection, manager, client, new objects.Objm(client), transport.headers, this.limits);
    if (this.isClosed) {
      await connection.close();
      throw new GateError('sync.closed');
    }
    this.onOpen(link);
    return link;
  }

  private connectionOptions({ tokenAuthenticator, credsAuthenticator }: TransportPackage): NodeConnectionOptions {
    const { address, options, limits } = this;
    const { tokenFile, credsFile, tls } = options;
    const user = options.user ?? address.user;
    const password = options.password ?? address.password;
    // a user without a password is a token, as everywhere with NATS
    const token = options.token ?? (password === undefined && options.user === undefined ? address.user : undefined);
    return {
      servers: [address.server],
      name: options.connectionName ?? 'optgate',
      timeout: limits.connectMs,
      pingInterval: limits.pingMs,
      maxPingOut: limits.pingsMax,
      maxReconnectAttempts: -1,
      reconnectDelayHandler: () => RECONNECT_MS_MIN + Math.random() * (RECONNECT_MS_MAX - RECONNECT_MS_MIN),
      ...(user === undefined || token !== undefined
        ? {}
        : { user, ...(password === undefined ? {} : { pass: password }) }),
      ...(token === undefined ? {} : { token }),
      ...(tokenFile === undefined ? {} : { authenticator: tokenAuthenticator(secretOf(tokenFile)) }),
      ...(credsFile === undefined ? {} : { authenticator: credsAuthenticator(secretBytesOf(credsFile)) }),
      ...(tls === undefined && !address.isSecure ? {} : { tls: { ...tls } }),
    };
  }
}

type TransportPackage = typeof import('@nats-io/transport-node');

async function loadPackages() {
  try {
    const [transport, jetstream, objects] = await Promise.all([
      import('@nats-io/transport-node'),
      import('@nats-io/jetstream'),
      import('@nats-io/obj'),
    ]);
    return { transport, jetstream, objects };
  } catch (cause) {
    throw new GateError('sync.driver', `npm install ${PACKAGES}`, { cause });
  }
}

/**
 * Reads a file now, and again whenever the library connects, which cannot wait for it; what was in it last is used while
 * it cannot be read. Throws a GateError `sync.refused` if it cannot be read now.
 */
function secretOf(path: string): () => string {
  let last: string;
  try {
    last = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new GateError('sync.refused', 'the file with the credentials cannot be read', { cause });
  }
  return () => {
    try {
      last = readFileSync(path, 'utf8').trim();
    } catch {} // on its way to be replaced, perhaps
    return last;
  };
}

function secretBytesOf(path: string): () => Uint8Array {
  const secret = secretOf(path);
  return () => Buffer.from(secret());
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
