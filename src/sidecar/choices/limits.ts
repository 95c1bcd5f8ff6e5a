/**
 * The limits of the public pages, each with a name.
 * @module
 */
import type { ServerOptions } from 'node:http';

export const PAGES_LIMITS = {
  /** Of a form that is sent. */
  bodyBytesMax: 16_384,
  bodyMs: 10_000,
  /** Forms from one address; whoever fills them in by hand does not get there, nor does an office behind one address. */
  submitsPerMinute: 30,
  submitsBurst: 60,
  /** Ids of browsers with a signal that are new, from one address. */
  signalsPerMinute: 30,
  signalsBurst: 60,
  /** Pages looked at from one address. */
  looksPerMinute: 600,
  looksBurst: 300,
  /** Addresses that are told apart. */
  addressesMax: 10_000,
  /** Pages at work at the same time. */
  requestsInFlightMax: 128,
  /** How long a page may stay open before its form has to be sent twice. */
  formMs: 43_200_000,
  /** Ids of browsers with a signal whose opt-out is known to be in the ledger. */
  knownIdsMax: 10_000,
} as const;
export type PagesLimits = { readonly [Name in keyof typeof PAGES_LIMITS]: number };

/** How many times more a peer may ask that names others in `X-Forwarded-For` and is not trusted: it may stand for a site. */
export const UNTRUSTED_PROXY_FACTOR = 50;
/** Ids of browsers with a signal whose opt-out waits to be recorded. */
export const SIGNALS_WAITING_MAX = 10_000;
/** Of these, under way at the same time. */
export const SIGNALS_UNDER_WAY_MAX = 32;
/** How often those that failed are tried again, and how many times. */
export const SIGNAL_RETRY_MS = 5000;
export const SIGNAL_TRIES_MAX = 120;
/** Of a body that is too large, read and thrown away so that its sender gets to read the answer. */
export const DISCARD_BYTES_MAX = 65_536;
/** A form that comes back sooner was hardly filled in by hand; it counts all the same. */
export const HAND_FILLED_MS = 1500;
/** Addresses of one `X-Forwarded-For` that are looked at. */
export const FORWARDED_COUNT_MAX = 32;
/** Largest stylesheet of a site's own. */
export const STYLESHEET_BYTES_MAX = 262_144;
/** Shortest key that forms are sealed with. */
export const SEAL_KEY_BYTES_MIN = 32;

/** How a server of public pages alone is set up. */
export const PAGES_SERVER_OPTIONS = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 1000,
} as const satisfies ServerOptions;
