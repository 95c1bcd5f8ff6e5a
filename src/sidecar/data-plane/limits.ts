/**
 * Every limit of the HTTP data plane, by name, and how an HTTP server must be set up under it.
 * @module
 */
import type { ServerOptions } from 'node:http';
import { DataRequest } from './data-request.js';

export interface DataLimits {
  /** Longest body of a check, a filter or a lookup, and longest line of a batch. */
  readonly bodyBytesMax: number;
  /** Longest body of a batch of lines. It is answered as it comes, and never held as a whole. */
  readonly batchBytesMax: number;
  /** Longest body of a batch in msgpack, which is held until it is whole. */
  readonly packedBatchBytesMax: number;
  /** Bid requests in one batch. */
  readonly batchItemsMax: number;
  /** Identifiers in one lookup. */
  readonly lookupItemsMax: number;
  /** Longest wait for the table that a request may ask for. */
  readonly waitMsMax: number;
  /** Requests that wait for the table at the same time. */
  readonly waitingMax: number;
  /** Bytes that all requests together may hold of bodies that are not whole yet or wait for the table. */
  readonly heldBytesMax: number;
  /** Answers to a batch its client has not taken yet, beyond which no more of it is read. */
  readonly unreadBytesMax: number;
  /** Longest value of a header or query parameter that belongs to the context. */
  readonly contextTextLengthMax: number;
  /** How long the body of a request that was refused is still taken in and thrown away, so that the refusal arrives. */
  readonly lingerMs: number;
}

const MIB = 1024 * 1024;

export const DATA_LIMITS: DataLimits = {
  bodyBytesMax: MIB,
  batchBytesMax: 64 * MIB,
  packedBatchBytesMax: 16 * MIB,
  batchItemsMax: 100_000,
  lookupItemsMax: 1_000,
  waitMsMax: 1_000,
  waitingMax: 1_024,
  heldBytesMax: 256 * MIB,
  unreadBytesMax: 16 * MIB,
  contextTextLengthMax: 256,
  lingerMs: 2_000,
};

/** @throws {RangeError} for a limit that is not a whole number above 0; {TypeError} for one there is not. */
export function dataLimits(given: Partial<DataLimits> = {}): DataLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DATA_LIMITS, name)) throw new TypeError(`limits.${name}: there is no such limit`);
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`limits.${name}: expected a whole number above 0`);
    }
  }
  return { ...DATA_LIMITS, ...given };
}

/** How the server under a data plane is set up: it must not wait for slow clients for ever. */
export const DATA_SERVER_OPTIONS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  /** From the first byte of a request to the last of its body; a batch has to be taken in by then. */
  requestTimeout: 60_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  noDelay: true,
  IncomingMessage: DataRequest,
} as const satisfies ServerOptions;

/** A connection on which nothing moved for so long is closed; longer than any wait for the next request. */
export const SOCKET_IDLE_MS = 90_000;
