/**
 * What one thread serves: the HTTP data plane and the socket protocol, over a table and a policy, with what it counts.
 *
 * Runs on the main thread, or on each of several worker threads; it knows only its own desk.
 * @module
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSocketServer, type Server as SocketServer } from 'node:net';
import type { Policy } from '../core/policy/policy.js';
import { limitsOf, type SidecarConfig } from './config-settings.js';
import type { ListenAddress } from './config-values.js';
import { createDataPlane, createDataServer, type DataPlane } from './data-plane/index.js';
import { GateDesk, type TableView } from './desk.js';
import { HttpDrain } from './http-drain.js';
import { joinListening, type Listening, listenOn, removeSocket } from './listen.js';
import type { DecisionBatch } from './observe/decision-batch.js';
import { DecisionBuffer, DoorRecorder, EventLoopMonitor, Shedder, type ThreadState } from './observe/index.js';
import { createSocketDoor, type SocketDoor } from './socket/index.js';

/** What the data plane and the socket protocol listen on. */
export interface Sockets {
  readonly data: readonly Listening[];
  readonly socket: readonly Listening[];
}

export interface ThreadOptions {
  readonly config: SidecarConfig;
  readonly table: TableView;
  readonly policy: Policy;
  /** Answers probes on the data port; false: the path is none of its own. */
  readonly probe: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Takes a batch of the decision log; see DecisionBuffer. */
  readonly deliver: (batch: DecisionBatch) => 'taken' | 'posted';
  /** A fault of our own. */
  readonly onFault: (error: unknown) => void;
}

export class ServingThread {
  readonly desk: GateDesk;
  readonly #config: SidecarConfig;
  readonly #buffer: DecisionBuffer | null;
  readonly #recorder: DoorRecorder;
  readonly #shedder: Shedder;
  readonly #eventLoop: EventLoopMonitor;
  readonly #data: DataPlane;
  readonly #door: SocketDoor;
  readonly #http: { readonly server: Server; readonly drain: HttpDrain }[] = [];
  readonly #servers: SocketServer[] = [];
  readonly #probe: ThreadOptions['probe'];
  #own: readonly ListenAddress[] = [];

  constructor({ config, table, policy, probe, deliver, onFault }: ThreadOptions) {
    this.#config = config;
    this.#probe = probe;
    const sampling = config['decisionLog.sample'];
    this.#buffer =
      sampling === null ? null : new DecisionBuffer({ deliver, epoch: () => table.holder.epoch, sampling });
    this.#recorder = new DoorRecorder({ log: this.#buffer });
    this.#shedder = new Shedder({
      delayMsMax: config['shed.eventLoopDelay'],
    });
    this.#eventLoop = new EventLoopMonitor({ onDelay: (delayMs) => this.#shedder.observe(delayMs) });
    this.desk = new GateDesk(table, policy, this.#recorder, this.#shedder);
    this.#data = createDataPlane({ desk: this.desk, limits: limitsOf(config, 'http'), onFault });
    this.#door = createSocketDoor({ desk: this.desk, limits: limitsOf(config, 'socket'), onFault });
  }

  /** Listens where the configuration says. @throws {ListenError} */
  async listen(): Promise<Sockets> {
    const mode = this.#config.socketMode;
    const data: Listening[] = [];
    const socket: Listening[] = [];
    try {
      for (const address of this.#config['data.listen']) data.push(await listenOn(this.#httpServer(), address, mode));
      for (const address of this.#config['socket.listen']) {
        socket.push(await listenOn(this.#socketServer(), address, mode));
      }
    } catch (error) {
      this.#closeServers();
      throw error;
    }
    this.#own = [...data, ...socket].map(({ address }) => address);
    return { data, socket };
  }

  /** Accepts, too, on what another thread of this process listens on. */
  async join({ data, socket }: Sockets): Promise<void> {
    for (const listening of data) await joinListening(this.#httpServer(), listening);
    for (const listening of socket) await joinListening(this.#socketServer(), listening);
  }

  state(): ThreadState {
    return {
      doors: this.#recorder.snapshot(),
      eventLoop: this.#eventLoop.state(),
      shedding: this.#shedder.state(),
      memo: this.desk.memo,
      logDroppedCount: this.#buffer?.droppedCount ?? 0,
    };
  }

  /** A batch that was posted has arrived. */
  acknowledge(): void {
    this.#buffer?.acknowledge();
  }

  /** Clients are told to look for another server; nobody is refused yet. */
  announceEnd(): void {
    for (const { drain } of this.#http) drain.announce();
  }

  /**
   * Answers what has come in, takes nothing more, and hands over the rest of the decision log. Who is not done by the
   * deadline is cut off. `closes`: also closes the listening sockets, which no other thread may be using.
   */
  async drain(deadlineMs: number, { closes }: { readonly closes: boolean }): Promise<void> {
    if (closes) this.closeListening();
    const http = this.#http.map(({ drain }) => drain.drain(deadlineMs));
    await Promise.all([...http, this.#door.drain(deadlineMs)]);
    this.#buffer?.close();
    this.#eventLoop.close();
  }

  /** Closes the listening sockets, for all threads that accept on them. */
  closeListening(): void {
    this.#closeServers();
    for (const address of this.#own) removeSocket(address);
  }

  #closeServers(): void {
    for (const { server, drain } of this.#http) {
      server.on('error', () => {});
      drain.stopListening();
    }
    for (const server of this.#servers) {
      server.on('error', () => {});
      if (server.listening) server.close();
    }
  }

  #httpServer(): Server {
    const server = createDataServer(this.#data, {}, (request, response) => {
      if (!this.#probe(request, response)) this.#data(request, response);
    });
    this.#http.push({ server, drain: new HttpDrain(server) });
    return server;
  }

  #socketServer(): SocketServer {
    const server = createSocketServer({ allowHalfOpen: true, noDelay: true }, this.#door.handle);
    this.#servers.push(server);
    return server;
  }
}
