/**
 * What a control plane is made with, and every limit it has.
 * @module
 */
import type { IncomingMessage, ServerOptions } from 'node:http';
import type { RequestHandler } from 'express';
import type { Ledger } from '../../ledger/index.js';
import { RELAY_SERVER_OPTIONS, type RelayHandler } from '../../sync/index.js';
import type { UnknownDestination } from '../observe/index.js';
import type { ExportBasis } from './export-route.js';
import type { Principal, TokenRole, TokenSet } from './tokens.js';

export const CONTROL_LIMITS = {
  jsonBytesMax: 262_144,
  discardBytesMax: 1_048_576,
  jsonBodyMs: 10_000,
  stallMs: 30_000,
  importBytesMax: 4 * 2 ** 30,
  importRowBytesMax: 65_536,
  importsInFlightMax: 2,
  exportBytesMax: 64 * 2 ** 30,
  exportsInFlightMax: 2,
  /** Requests that are being worked on; waits for changes, snapshots and imports have limits of their own. */
  requestsInFlightMax: 256,
  /** Of intake and look-ups, for each token and address. */
  intakePerSecond: 100,
  intakeBurst: 200,
  /** Tokens and addresses that are told apart. */
  intakeKeysMax: 10_000,
} as const;
export type ControlLimits = { readonly [Name in keyof typeof CONTROL_LIMITS]: number };

/**
 * How the server should be set up that the control plane is mounted on. Bodies have deadlines of their own, because an
 * import may take longer than any other request; there is none for the whole of a request.
 */
export const CONTROL_SERVER_OPTIONS = { ...RELAY_SERVER_OPTIONS, requestTimeout: 0 } as const satisfies ServerOptions;

/** What the control plane tells without being asked. Nothing in it names anyone. */
export type ControlEvent =
  | {
      readonly kind: 'answered';
      /** `null`: no route is there. */
      readonly operationId: string | null;
      readonly method: string;
      /** `null`: the client went before there was an answer. */
      readonly status: number | null;
      readonly durationMs: number;
      /** `null`: nobody who is known here. */
      readonly role: TokenRole | null;
      readonly tokenName: string | null;
    }
  /** A request failed for a reason nobody expected: the name of the error and where it was thrown, without its message. */
  | { readonly kind: 'failed'; readonly operationId: string | null; readonly error: string; readonly frames: string }
  /** The data inventory in the ledger is another one. */
  | { readonly kind: 'destinations_changed' };

/** Something else on the same port, such as probes or pages. It looks after its own access. */
export interface Mount {
  /** Path below which it answers. */
  readonly path: string;
  readonly handler: RequestHandler;
  /**
   * Looks at every request first, and may hand one on to the API: by giving it another URL, and saying who asks. `null`: it
   * has nothing to do with this one. Throws a ProblemError.
   */
  readonly forward?: (request: IncomingMessage) => Principal | null;
}

export interface ControlPlaneOptions {
  /**
   * `null`: this process follows somebody else's set; intake is refused with `ledger.none`. `unavailable`: it cannot be
   * reached yet, and intake is refused with `ledger.unavailable`. The caller closes it.
   */
  readonly ledger: Ledger | 'unavailable' | null;
  /** What `POST /v1/export` goes by; none: exports are refused with `table.not_loaded`. */
  readonly exports?: ExportBasis;
  /** Without tokens of its own; `null`: the set is not passed on. The caller closes it. */
  readonly relay: RelayHandler | null;
  readonly tokens: TokenSet;
  /** Where the server will listen: without tokens only loopback is allowed. `null`: a Unix socket. */
  readonly host: string | null;
  /** What `GET /v1/status` answers. */
  readonly status: () => object | Promise<object>;
  /** Destinations in the traffic of this process that the policy did not list. Default: none. */
  readonly unknownDestinations?: () => readonly UnknownDestination[];
  readonly limits?: Partial<ControlLimits>;
  readonly mounts?: readonly Mount[];
  readonly onEvent?: (event: ControlEvent) => void;
  /** Monotonic ms. */
  readonly now?: () => number;
}

/** The limits, complete. Throws a RangeError for one that makes no sense. */
export function readLimits(limits: Partial<ControlLimits> = {}): ControlLimits {
  const complete: Record<string, number> = { ...CONTROL_LIMITS };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(CONTROL_LIMITS, name)) throw new RangeError(`limits: there is no ${name}`);
    const isWhole = Number.isSafeInteger(value) && value >= (name === 'discardBytesMax' ? 0 : 1);
    if (!isWhole) throw new RangeError(`limits.${name}: expected a whole number above 0, got ${value}`);
    complete[name] = value;
  }
  return complete as ControlLimits;
}
