/**
 * What a relay and those who follow it must agree on: paths, headers, types.
 * @module
 */
import type { ServerOptions } from 'node:http';

export const SNAPSHOT_PATH = '/v1/snapshot';
export const CHANGES_PATH = '/v1/changes';
export const ACKS_PATH = '/v1/acks';

/** Delta frames, one after the other. */
export const DELTA_TYPE = 'application/vnd.optgate.delta';
export const SNAPSHOT_TYPE = 'application/octet-stream';

export const HEADERS = {
  epoch: 'optgate-epoch',
  seq: 'optgate-seq',
  entries: 'optgate-entries',
  /**
   * With changes: at which moment the content was as old as the last frame's head says, in whole ms after the request
   * arrived. Negative: before it did. So freshness travels as an age, and a relay that may not sign need not touch a frame.
   */
  asOfMs: 'optgate-as-of-ms',
  /** RFC 9530. */
  digest: 'repr-digest',
} as const;

/** How an HTTP server should be set up that a relay is mounted on: it must not wait for slow clients for ever. */
export const RELAY_SERVER_OPTIONS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 1000,
} as const satisfies ServerOptions;

/** Value of `repr-digest`. */
export function digestField(sha256: Uint8Array): string {
  return `sha-256=:${Buffer.from(sha256).toString('base64')}:`;
}

/** The SHA-256 in a `repr-digest`, in hex; `null` if there is none. */
export function digestOfField(field: string | undefined): string | null {
  const base64 = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(field ?? '')?.[1];
  return base64 === undefined ? null : Buffer.from(base64, 'base64').toString('hex');
}
