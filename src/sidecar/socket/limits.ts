/**
 * Every limit of the socket door, by name. A client learns those that concern it from the answer to `hello`.
 * @module
 */

export interface SocketLimits {
  /** Longest frame a client may send. */
  readonly frameBytesMax: number;
  /** Longest frame a client is sent; what would be longer is an error instead. */
  readonly answerBytesMax: number;
  /** Bid requests or identifiers in one message. */
  readonly batchItemsMax: number;
  /** Requests of one connection that wait for the table at the same time. */
  readonly inFlightMax: number;
  /** Longest wait for the table that a request may ask for. */
  readonly waitMsMax: number;
  readonly connectionsMax: number;
  /** Bytes that all connections together may hold of unfinished frames and of requests that wait. */
  readonly heldBytesMax: number;
  /** Answers a client has not taken yet, beyond which nothing more is read from it; at least what Node buffers (64 KiB). */
  readonly outputBytesMax: number;
  /** From the beginning of a connection to the end of its hello. */
  readonly handshakeMs: number;
  /** From the first byte of a frame to its last. */
  readonly frameMs: number;
  /** Nothing came from a client; it can send a ping. */
  readonly idleMs: number;
  /** From the moment nothing more is read from a client to the moment it has taken its answers. */
  readonly outputMs: number;
  /** How long a connection that was refused stays open, so that the reason arrives. */
  readonly lingerMs: number;
  /** While draining: a client that sent nothing for this long is hung up on. */
  readonly drainQuietMs: number;
}

const MIB = 1024 * 1024;

export const SOCKET_LIMITS: SocketLimits = {
  frameBytesMax: 4 * MIB,
  answerBytesMax: 16 * MIB,
  batchItemsMax: 1024,
  inFlightMax: 256,
  waitMsMax: 1_000,
  connectionsMax: 1_024,
  heldBytesMax: 64 * MIB,
  outputBytesMax: MIB,
  handshakeMs: 10_000,
  frameMs: 10_000,
  idleMs: 300_000,
  outputMs: 10_000,
  lingerMs: 1_000,
  drainQuietMs: 250,
};

/** @throws {RangeError} for a limit that is not a whole number above 0; {TypeError} for one there is not. */
export function socketLimits(given: Partial<SocketLimits> = {}): SocketLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(SOCKET_LIMITS, name)) throw new TypeError(`limits.${name}: there is no such limit`);
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`limits.${name}: expected a whole number above 0`);
    }
  }
  return { ...SOCKET_LIMITS, ...given };
}
