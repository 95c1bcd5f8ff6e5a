/**
 * What a connection needs of the door it came through.
 * @module
 */
import type { Clock } from '../../sync/clock.js';
import type { ConnectionErrorCode, RequestErrorCode } from '../../wire/errors.js';
import type { SocketLimits } from './limits.js';

export interface ConnectionHost {
  readonly limits: SocketLimits;
  readonly clock: Clock;
  /** Counts bytes as held for a client; false, and nothing counted, if all together would hold too many. */
  hold(byteCount: number): boolean;
  release(byteCount: number): void;
  refused(code: RequestErrorCode | ConnectionErrorCode | (string & {})): void;
  /** Our own code failed. */
  failed(error: unknown): void;
  closed(connection: object): void;
}
