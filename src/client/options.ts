/**
 * How a client finds its server, how long it waits, and what it says while there is none.
 * @module
 */
import type { Action } from '../core/vocabulary.js';

/** What a decision is while the server cannot be asked. `allow` sends what nobody has looked at. */
export type OnUnavailable = Action;

export type ClientState = 'connecting' | 'open' | 'waiting' | 'closed';

export interface ClientOptions {
  /** Path of a Unix socket; or `host` and `port`. */
  readonly path?: string;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  readonly port?: number;
  /** Longest wait for an answer. Default: 50. */
  readonly deadlineMs?: number;
  /** Default: `restrict`. */
  readonly onUnavailable?: OnUnavailable;
  /** Requests sent and not answered. Default: 1024. */
  readonly inFlightMax?: number;
  /** Requests that wait to be sent. Default: 1024. */
  readonly queueMax?: number;
  /** Longest wait for a connection and the server's hello. Default: 2000. */
  readonly connectMs?: number;
  /** A server that owes an answer and says nothing for this long is left. Default: 5000. */
  readonly silenceMs?: number;
  /** A connection without traffic for this long is tried with a ping. Default: 60,000. */
  readonly keepAliveMs?: number;
  /** Longest wait before the next attempt to connect, of a random part of it. Default: 5000. */
  readonly backoffCapMs?: number;
  /** Longest answer that is read. Default: 16 MiB. */
  readonly answerBytesMax?: number;
  /** From 0 up to, and without, 1. Default: Math.random. */
  readonly random?: () => number;
  /** Told of every change of state, with the code of what caused it. */
  readonly onState?: (state: ClientState, cause: string | null) => void;
}

export interface ClientTerms extends Required<Omit<ClientOptions, 'path' | 'host' | 'port'>> {
  readonly target: { readonly path: string } | { readonly host: string; readonly port: number };
}

export const CLIENT_DEFAULTS = {
  deadlineMs: 50,
  inFlightMax: 1_024,
  queueMax: 1_024,
  connectMs: 2_000,
  silenceMs: 5_000,
  keepAliveMs: 60_000,
  backoffCapMs: 5_000,
  answerBytesMax: 16 * 1024 * 1024,
} as const;

const ON_UNAVAILABLE: readonly OnUnavailable[] = ['restrict', 'block', 'allow'];

/** @throws {TypeError} {RangeError} for an option that is none. */
export function clientTerms(options: ClientOptions): ClientTerms {
  const { path, host = '127.0.0.1', port, onUnavailable = 'restrict' } = options;
  if ((path === undefined) === (port === undefined)) throw new TypeError('expected either path or port');
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port <= 0xffff)) {
    throw new RangeError('port: expected a whole number from 1 to 65535');
  }
  if (!ON_UNAVAILABLE.includes(onUnavailable)) {
    throw new TypeError("onUnavailable: expected 'restrict', 'block' or 'allow'");
  }
  const numbers: Record<keyof typeof CLIENT_DEFAULTS, number> = { ...CLIENT_DEFAULTS };
  for (const name of Object.keys(CLIENT_DEFAULTS) as (keyof typeof CLIENT_DEFAULTS)[]) {
    const value = options[name] ?? CLIENT_DEFAULTS[name];
    if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${name}: expected a number above 0`);
    numbers[name] = value;
  }
  return {
    ...numbers,
    target: path === undefined ? { host, port: port ?? 0 } : { path },
    onUnavailable,
    random: options.random ?? Math.random,
    onState: options.onState ?? (() => {}),
  };
}
