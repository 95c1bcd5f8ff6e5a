/**
 * The socket door: answers msgpack frames over a Unix socket or TCP (docs/wire-protocol.md).
 *
 * One door serves any number of listening sockets of one thread, and counts and limits their clients together.
 * @module
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../sync/clock.js';
import { packageVersion } from '../../version.js';
import { PROTOCOL_VERSION } from '../../wire/protocol.js';
import { addressText, type ListenAddress } from '../config-values.js';
import type { Desk } from '../door.js';
import { listenOn } from '../listen.js';
import { fatalFrame } from './answers.js';
import { SocketConnection } from './connection.js';
import { ContextReader } from './context.js';
import type { ConnectionHost } from './host.js';
import { type SocketLimits, socketLimits } from './limits.js';
import type { OperationTerms } from './operations.js';

export interface SocketDoorOptions {
  readonly desk: Desk;
  readonly limits?: Partial<SocketLimits>;
  readonly clock?: Clock;
  /** Told of faults of our own; the client is told `internal`. */
  readonly onFault?: (error: unknown) => void;
}

/** Where a door listens. Without a host: on loopback. */
export type ListenAt =
  | { readonly path: string /** Default: 0660, owner and group. */; readonly mode?: number }
  | { readonly host?: string; readonly port: number };

export interface SocketListening {
  /** The path, or `host:port` with the port that was given where 0 was asked for. */
  readonly address: string;
  /** Listens no more; those who are connected stay. A socket file is removed. */
  close(): Promise<void>;
}

const SOCKET_MODE = 0o660;
const LOOPBACK = '127.0.0.1';

export interface SocketDoorStatus {
  readonly connections: number;
  /** Requests that wait for the table. */
  readonly waiting: number;
  /** Bytes of unfinished frames and of requests that wait. */
  readonly heldBytes: number;
}

export interface SocketDoor {
  /** For `net.createServer({ allowHalfOpen: true }, door.handle)`. */
  readonly handle: (socket: Socket) => void;
  /** Listens at a path or on a port. @throws {ListenError} */
  listen(at: ListenAt): Promise<SocketListening>;
  /**
   * Stops listening, tells every client, answers what they have sent, and resolves when all are gone; those left after
   * `deadlineMs` are cut off.
   */
  drain(deadlineMs: number): Promise<void>;
  status(): SocketDoorStatus;
}

/** How often deadlines are looked at, as a part of the shortest. */
const SWEEPS_PER_DEADLINE = 4;
const SWEEP_MS_MIN = 5;
const SWEEP_MS_MAX = 1_000;
/** Clients beyond the limit that are being told so at one time; more are cut off without a word. */
export const TURNED_AWAY_MAX = 64;

/**
 * @throws {RangeError} {TypeError} for a limit that is none.
 * @example
 * const door = createSocketDoor({ desk });
 * await door.listen({ path: '/run/optgate/optgate.sock' });
 */
export function createSocketDoor(options: SocketDoorOptions): SocketDoor {
  return new Door(options);
}

class Door implements SocketDoor, ConnectionHost {
  readonly limits: SocketLimits;
  readonly clock: Clock;
  private readonly desk: Desk;
  private readonly onFault: (error: unknown) => void;
  private readonly connections = new Set<SocketConnection>();
  private readonly turnedAway = new Set<Socket>();
  private readonly servers = new Set<Server>();
  private readonly hello: object;
  private readonly startedAtMs: number;
  private heldBytes = 0;
  private cancelSweep: (() => void) | null = null;
  private draining: { readonly resolve: () => void; readonly promise: Promise<void> } | null = null;

  constructor({ desk, limits, clock = systemClock, onFault = () => {} }: SocketDoorOptions) {
    this.desk = desk;
    this.limits = socketLimits(limits);
    this.clock = clock;
    this.onFault = onFault;
    this.startedAtMs = clock.monotonicMs();
    const { frameBytesMax, answerBytesMax, batchItemsMax, inFlightMax, waitMsMax, idleMs } = this.limits;
    this.hello = {
      protocol: PROTOCOL_VERSION,
      server: `optgate/${packageVersion()}`,
      limits: { frameBytesMax, answerBytesMax, batchItemsMax, inFlightMax, waitMsMax, idleMs },
    };
  }

  readonly handle = (socket: Socket): void => {
    if (this.draining !== null) {
      socket.destroy();
      return;
    }
    if (this.connections.size >= this.limits.connectionsMax) {
      this.turnAway(socket);
      return;
    }
    const terms: OperationTerms = {
      desk: this.desk,
      contexts: new ContextReader(this.limits.waitMsMax),
      batchItemsMax: this.limits.batchItemsMax,
      hello: () => this.hello,
      status: () => this.fullStatus(),
      wallMs: () => this.clock.wallMs(),
    };
    this.connections.add(new SocketConnection(socket, this, terms));
    this.sweepLater();
  };

  async listen(at: ListenAt): Promise<SocketListening> {
    const server = createServer({ allowHalfOpen: true }, this.handle);
    const wanted: ListenAddress =
      'path' in at ? { kind: 'unix', path: at.path } : { kind: 'tcp', host: LOOPBACK, ...at };
    const { address } = await listenOn(server, wanted, 'path' in at ? (at.mode ?? SOCKET_MODE) : 0);
    this.servers.add(server);
    server.on('close', () => this.servers.delete(server));
    return {
      address: address.kind === 'unix' ? address.path : addressText(address),
      close: () => new Promise((resolve) => server.close(() => resolve())),
    };
  }

  drain(deadlineMs: number): Promise<void> {
    if (this.draining !== null) return this.draining.promise;
    const { promise, resolve } = withResolver();
    this.draining = { promise, resolve };
    for (const server of this.servers) server.close();
    const nowMs = this.clock.monotonicMs();
    for (const connection of this.connections) connection.drain(nowMs);
    const cancel = this.clock.after(deadlineMs, () => {
      for (const connection of [...this.connections]) connection.destroy();
      for (const socket of this.turnedAway) socket.destroy();
    });
    void promise.then(cancel);
    this.sweepLater();
    this.settleDrain();
    return promise;
  }

  status(): SocketDoorStatus {
    let waiting = 0;
    for (const connection of this.connections) waiting += connection.waitingCount;
    return { connections: this.connections.size, waiting, heldBytes: this.heldBytes };
  }

  hold(byteCount: number): boolean {
    if (this.heldBytes + byteCount > this.limits.heldBytesMax) return false;
    this.heldBytes += byteCount;
    return true;
  }

  release(byteCount: number): void {
    this.heldBytes -= byteCount;
  }

  refused(code: string): void {
    this.desk.refused('socket', code);
  }

  failed(error: unknown): void {
    this.desk.refused('socket', 'internal');
    this.onFault(error);
  }

  closed(connection: object): void {
    this.connections.delete(connection as SocketConnection);
    this.settleDrain();
  }

  private fullStatus(): object {
    const { gate, table, isShedding } = this.desk;
    const { actions } = gate.stats();
    const position =
      table === null
        ? null
        : { epoch: table.epoch, seq: table.seq, freshAtMs: table.freshAtMs, entryCount: table.entryCount };
    return {
      server: `optgate/${packageVersion()}`,
      protocol: PROTOCOL_VERSION,
      uptimeMs: Math.round(this.clock.monotonicMs() - this.startedAtMs),
      policyVersion: gate.policy.version,
      table: position,
      shedding: isShedding,
      draining: this.draining !== null,
      actions,
      socket: this.status(),
    };
  }

  private turnAway(socket: Socket): void {
    this.refused('connections.too_many');
    socket.on('error', () => {});
    if (this.turnedAway.size >= TURNED_AWAY_MAX) {
      socket.destroy();
      return;
    }
    this.turnedAway.add(socket);
    const cancel = this.clock.after(this.limits.lingerMs, () => socket.destroy());
    socket.on('close', () => {
      cancel();
      this.turnedAway.delete(socket);
    });
    socket.on('end', () => socket.destroySoon());
    socket.end(fatalFrame('connections.too_many'));
    socket.resume();
  }

  /** Looks at deadlines for as long as there is somebody to look at. */
  private sweepLater(): void {
    if (this.cancelSweep !== null) return;
    const { handshakeMs, frameMs, idleMs, outputMs, lingerMs, drainQuietMs } = this.limits;
    const shortestMs = Math.min(handshakeMs, frameMs, idleMs, outputMs, lingerMs, drainQuietMs) / SWEEPS_PER_DEADLINE;
    const delayMs = Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, shortestMs));
    this.cancelSweep = this.clock.after(delayMs, () => {
      this.cancelSweep = null;
      const nowMs = this.clock.monotonicMs();
      for (const connection of [...this.connections]) connection.sweep(nowMs);
      if (this.connections.size > 0) this.sweepLater();
    });
  }

  private settleDrain(): void {
    if (this.draining === null || this.connections.size > 0) return;
    this.cancelSweep?.();
    this.cancelSweep = null;
    this.draining.resolve();
  }
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
