/**
 * The control plane on its addresses, with the probes, the metrics and the status beside it.
 *
 * A ledger that could not be reached at the start makes another control plane when it is there: until then intake is
 * refused with `ledger.unavailable`, and everything else is served.
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Ledger } from '../ledger/index.js';
import type { RelayHandler } from '../sync/index.js';
import { PAGES_SERVER_OPTIONS, PublicPages, readChoicesSettings } from './choices/index.js';
import { limitsOf, type SidecarConfig } from './config-settings.js';
import { isLocal } from './config-values.js';
import type { Console } from './console/index.js';
import {
  CONTROL_SERVER_OPTIONS,
  type ControlEvent,
  type ControlPlane,
  createControlPlane,
  type ExportBasis,
  type Mount,
  type TokenSet,
} from './control-plane/index.js';
import { HttpDrain } from './http-drain.js';
import { type Listening, listenOn } from './listen.js';
import type { UnknownDestination } from './observe/index.js';

export interface ControlOptions {
  readonly config: SidecarConfig;
  readonly tokens: TokenSet;
  readonly ledger: () => Ledger | null;
  readonly relay: () => RelayHandler | null;
  readonly exports: () => ExportBasis | null;
  /** Answers probes and metrics; false: the path is none of theirs. */
  readonly operator: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly status: () => object;
  readonly console: Console;
  /** Destinations in traffic that the policy did not list. */
  readonly unknownDestinations: () => readonly UnknownDestination[];
  readonly onEvent: (event: ControlEvent) => void;
  /** A public page failed. */
  readonly onPageFailure: (error: unknown) => void;
  readonly onPageRequest?: (page: string, response: ServerResponse) => void;
  readonly onSignalsDropped?: (count: number) => void;
  readonly onUntrustedProxy?: () => void;
}

export class Control {
  readonly #servers: { readonly server: Server; readonly drain: HttpDrain }[] = [];
  readonly #pages: PublicPages | null;
  #plane: ControlPlane;
  #listening: readonly Listening[] = [];
  #publicListening: readonly Listening[] = [];

  /** @throws {TypeError} for a file of the public pages that cannot be used. */
  constructor(private readonly options: ControlOptions) {
    const { config, ledger, onPageFailure } = options;
    this.#pages = config['publicPages.enabled']
      ? new PublicPages({
          settings: readChoicesSettings(config),
          ledger: () => asPublic(ledger()),
          onFailure: onPageFailure,
          onRequest: (page, response) => options.onPageRequest?.(page, response),
          onSignalsDropped: (count) => options.onSignalsDropped?.(count),
          onUntrustedProxy: () => options.onUntrustedProxy?.(),
        })
      : null;
    this.#plane = this.#make();
  }

  get listening(): readonly Listening[] {
    return this.#listening;
  }

  /** Where the public pages alone are served. */
  get publicListening(): readonly Listening[] {
    return this.#publicListening;
  }

  /** @throws {ListenError} */
  async listen(): Promise<void> {
    const { config } = this.options;
    const listening: Listening[] = [];
    for (const address of config['control.listen']) {
      const server = createServer(CONTROL_SERVER_OPTIONS, (request, response) => {
        if (!this.options.operator(request, response)) this.#plane.app(request, response);
      });
      this.#servers.push({ server, drain: new HttpDrain(server) });
      listening.push(await listenOn(server, address, config.socketMode));
      this.#listening = [...listening];
    }
    await this.#listenPublic();
  }

  async #listenPublic(): Promise<void> {
    const { config } = this.options;
    for (const address of this.#pages === null ? [] : config['publicPages.listen']) {
      const server = createServer(PAGES_SERVER_OPTIONS, (request, response) => {
        if (this.#pages?.handle(request, response) !== true) notFound(request, response);
      });
      this.#servers.push({ server, drain: new HttpDrain(server) });
      this.#publicListening = [...this.#publicListening, await listenOn(server, address, config.socketMode)];
    }
  }

  /** The ledger is there now: from the next request on it is written to. */
  ledgerOpened(): void {
    this.#plane = this.#make();
  }

  /** Ends waits and imports, answers what is under way; who is not done by the deadline is cut off. Never throws. */
  async close(deadlineMs: number): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    for (const { drain } of this.#servers) drain.stopListening();
    this.options.console.close();
    const late = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref());
    await Promise.race([this.#plane.close().catch(() => {}), late]);
    await Promise.race([this.#pages?.close(), late]);
    await Promise.all(this.#servers.map(({ drain }) => drain.drain(Math.max(0, endMs - performance.now()))));
  }

  #make(): ControlPlane {
    const { config, tokens, ledger, relay, status, unknownDestinations, onEvent } = this.options;
    const exports = this.options.exports();
    const open = config['control.listen'].find((address) => !isLocal(address));
    return createControlPlane({
      ledger: ledger() ?? (config.ledger === null ? null : 'unavailable'),
      relay: relay(),
      ...(exports === null ? {} : { exports }),
      tokens,
      host: open?.kind === 'tcp' ? open.host : null,
      status,
      unknownDestinations,
      limits: limitsOf(config, 'control'),
      mounts: [this.options.console, ...this.#mounts()],
      onEvent,
    });
  }

  /** Where no address of their own is set, the public pages are part of the control plane. */
  #mounts(): readonly Mount[] {
    const pages = this.#pages;
    if (pages === null || this.options.config['publicPages.listen'].length > 0) return [];
    return [
      {
        path: '/',
        handler: (request, response, next) => {
          if (!pages.handle(request, response)) next();
        },
      },
    ];
  }
}

/** Beside the pages there is nothing on their addresses. */
function notFound(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(404, { 'content-type': 'text/plain', 'content-length': 10, 'x-content-type-options': 'nosniff' });
  response.end(request.method === 'HEAD' ? undefined : 'not found\n');
}

/** What comes through the pages is recorded under nobody's name. */
function asPublic(ledger: Ledger | null): Ledger | null {
  return ledger?.actingAs({ role: 'public', name: null, via: 'page' }) ?? null;
}
