/**
 * What an import is told, read into a form that cannot hold nonsense.
 * @module
 */
import { InputError, type InputErrorCode } from '../core/errors.js';
import { RIGHTS_ALL, type Right } from '../core/vocabulary.js';
import {
  contentDigestOf,
  readFields,
  readIdempotencyKey,
  readReceivedAt,
  readRights,
  readText,
  readWord,
} from './input.js';
import { IMPORT_BATCH_ROWS, OPERATOR_LENGTH_MAX } from './limits.js';
import { CHANNELS, type Channel, type Receipt } from './request.js';

/** A row of an import. Kind and value are checked here; whatever they are, nothing throws. */
export interface ImportRow {
  /** Where it stands in its source; default: its number, from 1. */
  readonly line?: number;
  readonly kind: unknown;
  readonly value: unknown;
  /** Names, or a mask. Default: all rights. */
  readonly rights?: readonly Right[] | number | undefined;
}

/** A row that was not entered, and why. */
export interface RefusedRow {
  readonly line: number;
  readonly field: 'kind' | 'value' | 'rights';
  readonly code: InputErrorCode;
  /** Holds no value. */
  readonly message: string;
}

/** How far an import is. */
export interface ImportProgress {
  readonly rowCount: number;
  /** Identifiers that are committed; more may be under way. */
  readonly identifierCount: number;
  readonly refusedCount: number;
}

export interface ImportOptions {
  /** Default: `import`. */
  readonly channel?: Channel;
  /** An import that broke off goes on under the same key; one that ended is not done again. */
  readonly idempotencyKey?: string;
  /** SHA-256 of the source. With it, an import that has ended is recognised without being read again. */
  readonly sourceDigest?: Uint8Array;
  readonly receivedAtMs?: number;
  readonly operator?: string;
  /** Called after each batch. */
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Called for each row that is not entered. */
  readonly onRefused?: (row: RefusedRow) => void;
  /** Ends the import after the batches under way; it can be taken up again. */
  readonly signal?: AbortSignal;
  /** Identifiers in one transaction at most; 4,096 unless told, and never more. */
  readonly batchRows?: number;
}

export interface ImportReceipt extends Receipt {
  readonly rowCount: number;
  readonly refusedCount: number;
}

/** The part of the options that is about the request. */
export interface ImportFields {
  readonly channel: Channel;
  readonly idempotencyKey: string | null;
  readonly sourceDigest: Buffer | null;
  readonly receivedAtMs: number;
  readonly operator: string | null;
  readonly contentDigest: Buffer;
  readonly batchRows: number;
}

const FIELDS = [
  'channel',
  'idempotencyKey',
  'sourceDigest',
  'receivedAtMs',
  'operator',
  'onProgress',
  'onRefused',
  'signal',
  'batchRows',
] as const satisfies readonly (keyof ImportOptions)[];

/** Reads the options. Throws an InputError. */
export function readImportOptions(options: unknown, nowMs: number): ImportFields {
  const fields = readFields(options, FIELDS);
  const channel = fields.channel === undefined ? 'import' : readWord(fields.channel, 'channel', CHANNELS);
  const sourceDigest = readSourceDigest(fields.sourceDigest);
  const operator = readText(fields.operator, 'operator', OPERATOR_LENGTH_MAX);
  const receivedAtMs = readReceivedAt(fields.receivedAtMs, nowMs);
  const said = fields.receivedAtMs === undefined ? null : receivedAtMs;
  return {
    channel,
    idempotencyKey: readIdempotencyKey(fields.idempotencyKey),
    sourceDigest,
    receivedAtMs,
    operator,
    contentDigest: contentDigestOf(['import', channel, sourceDigest?.toString('hex') ?? null, said, operator]),
    batchRows: readBatchRows(fields.batchRows),
  };
}

function readSourceDigest(value: unknown): Buffer | null {
  if (value === undefined) return null;
  if (!(value instanceof Uint8Array)) throw new InputError('sourceDigest', 'type', 'expected bytes');
  if (value.length !== 32)
    throw new InputError('sourceDigest', 'malformed', 'expected the 32 bytes of a SHA-256 digest');
  return Buffer.from(value);
}

function readBatchRows(value: unknown): number {
  if (value === undefined) return IMPORT_BATCH_ROWS;
  if (typeof value !== 'number') throw new InputError('batchRows', 'type', 'expected a number');
  if (Number.isInteger(value) && value >= 1 && value <= IMPORT_BATCH_ROWS) return value;
  throw new InputError('batchRows', 'out_of_range', `expected 1 to ${IMPORT_BATCH_ROWS}`);
}

/** The rights of a row as a mask, or what is wrong with them. Does not throw. */
export function rightsOfRow(rights: unknown): number | InputError {
  if (rights === undefined) return RIGHTS_ALL;
  if (typeof rights === 'number') {
    if (Number.isInteger(rights) && rights >= 1 && rights <= RIGHTS_ALL) return rights;
    return new InputError('rights', 'out_of_range', `expected a mask from 1 to ${RIGHTS_ALL}`);
  }
  try {
    return readRights(rights, 'rights');
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}
