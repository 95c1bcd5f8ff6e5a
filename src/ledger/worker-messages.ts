/**
 * What the threads of a ledger say to each other: the one of a PGlite database, and the one that builds a table.
 * @module
 */
import type { GateErrorCode } from '../core/errors.js';
import type { LoadedTable } from '../sync/source.js';
import type { DatabaseOptions } from './database.js';

export interface PgliteWorkerData {
  readonly folder: string;
}

export type PgliteOrder =
  | { readonly kind: 'query'; readonly id: number; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly kind: 'listen'; readonly id: number; readonly channel: string }
  | { readonly kind: 'build'; readonly id: number /** Not 0: stop. */; readonly stop: Int32Array }
  | { readonly kind: 'close'; readonly id: number };

/** An error that can be posted. */
export type PostedError =
  | {
      readonly kind: 'gate';
      readonly code: GateErrorCode;
      readonly detail: string | undefined;
      readonly cause: string | null;
    }
  | { readonly kind: 'sql'; readonly sqlState: string; readonly constraint: string | null; readonly text: string }
  | { readonly kind: 'other'; readonly text: string };

export type PgliteAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'rows'; readonly id: number; readonly rows: readonly unknown[]; readonly isRolledBack?: boolean }
  | { readonly kind: 'table'; readonly id: number; readonly table: LoadedTable }
  | { readonly kind: 'error'; readonly id: number; readonly error: PostedError }
  | { readonly kind: 'notify'; readonly channel: string; readonly payload: string };

export interface BuildWorkerData {
  readonly url: string;
  readonly options: DatabaseOptions;
  /** Not 0: stop. */
  readonly stop: Int32Array;
}

export type BuildAnswer =
  | { readonly kind: 'progress' }
  | { readonly kind: 'table'; readonly table: LoadedTable }
  | { readonly kind: 'error'; readonly error: PostedError };
