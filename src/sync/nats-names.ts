/**
 * What a set is called on NATS, and how its address is written: `nats://host:4222/<set>`.
 *
 *     stream  OPTGATE_<set>          subject optgate.<set>.changes: a message is one delta frame with entries
 *     subject optgate.<set>.beat     heartbeats, frames without entries; not stored, as a stored one says nothing of now
 *     subject optgate.<set>.acks     what enforcers report, as JSON, each with an answer
 *     subject optgate.<set>.publishers  signs of life of the publisher that leads, for those that stand by
 *     bucket  optgate-<set>          object `snapshot` of the object store
 * @module
 */
import { InputError } from '../core/errors.js';

export const SET_DEFAULT = 'default';
export const SNAPSHOT_OBJECT = 'snapshot';
const PORT_DEFAULT = '4222';

/** Headers of messages. */
export const NATS_HEADERS = {
  epoch: 'Optgate-Epoch',
  first: 'Optgate-First',
  last: 'Optgate-Last',
  /** With a heartbeat or a sign of life: who sent it. */
  publisher: 'Optgate-Publisher',
  /** With a heartbeat: the publisher's monotonic clock, in ms. It says nothing but how late this one is beside others. */
  clock: 'Optgate-Clock',
  /** With a sign of life: it is the last. */
  leaving: 'Optgate-Leaving',
  /** With the answer to a report: the code of what went wrong. */
  error: 'Optgate-Error',
} as const;

export interface NatsNames {
  readonly set: string;
  readonly stream: string;
  readonly changes: string;
  readonly beat: string;
  readonly acks: string;
  readonly publishers: string;
  readonly bucket: string;
  /** The stream that the object store keeps the bucket in (ADR-20), and its subject for the pieces of an object. */
  readonly objectStream: string;
  chunks(objectId: string): string;
}

/** Throws an InputError for a name that is none. */
export function natsNames(set: string): NatsNames {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(set)) throw new InputError('set', 'malformed', 'expected 1 to 32 of A-Za-z0-9_-');
  const bucket = `optgate-${set}`;
  return {
    set,
    stream: `OPTGATE_${set}`,
    changes: `optgate.${set}.changes`,
    beat: `optgate.${set}.beat`,
    acks: `optgate.${set}.acks`,
    publishers: `optgate.${set}.publishers`,
    bucket,
    objectStream: `OBJ_${bucket}`,
    chunks: (objectId) => `$O.${bucket}.C.${objectId}`,
  };
}

export interface NatsAddress {
  /** `host:port`. */
  readonly server: string;
  readonly set: string;
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Throws an InputError, without what was given: it may hold a password. */
export function parseNatsUrl(text: string): NatsAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^(?:nats|tls):$/.test(url.protocol) || url.hostname === '') {
    throw new InputError('url', 'malformed', 'expected nats://host:port/set');
  }
  if (url.search !== '' || url.hash !== '') throw new InputError('url', 'malformed', 'expected no query or fragment');
  const set = url.pathname.replace(/^\//, '');
  return {
    server: `${url.hostname}:${url.port === '' ? PORT_DEFAULT : url.port}`,
    set: set === '' ? SET_DEFAULT : natsNames(set).set,
    isSecure: url.protocol === 'tls:',
    user: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  };
}
