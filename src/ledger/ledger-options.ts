/**
 * How a ledger is opened.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min';
import type { Signer } from '../core/suppression/index.js';
import { type Actor, readActor, SYSTEM_ACTOR } from './audit/actor.js';
import { ClearVault } from './clear-values.js';
import {
  CANARY_EVERY_MS_MIN,
  IDENTIFIERS_PER_REQUEST_LIMIT,
  IDENTIFIERS_PER_REQUEST_MAX,
  TOKEN_WAIT_MS,
  TOKEN_WAIT_MS_MAX,
} from './limits.js';

export interface LedgerOptions {
  /** Make the schema, or bring it up to date. Default: true. */
  readonly migrate?: boolean;
  /** Contend for being the sequencer. Without any process that does, nothing comes into force. Default: true. */
  readonly sequence?: boolean;
  /** Interval of canaries, in ms; `null`: none. Default: none. */
  readonly canaryEveryMs?: number | null;
  /** Keep clear values, encrypted with this key of 32 bytes; `null`: keep digests only. Default: `null`. */
  readonly keepClear?: { readonly key: Uint8Array } | null;
  /** Where a phone number without a country code is taken to be from (ISO 3166-1 alpha-2). Default: `US`. */
  readonly defaultCountry?: CountryCode;
  /** How long a write waits for its place in the change log. Default: 5,000 ms. */
  readonly tokenWaitMs?: number;
  /** Identifiers in one request at most, up to 256. Default: 64. */
  readonly identifiersPerRequestMax?: number;
  /** Under whom writes and look-ups are recorded. Default: the system itself, through the library. */
  readonly actor?: Actor;
  /** Signs checkpoints of the audit trail; `null`: there are none. Default: `null`. */
  readonly auditSigner?: Signer | null;
  /** Wall clock, ms since 1970. */
  readonly now?: () => number;
  /** Random bytes. */
  readonly random?: (byteCount: number) => Uint8Array;
}

/** Options, complete. */
export interface LedgerSettings {
  readonly migrate: boolean;
  readonly sequence: boolean;
  readonly canaryEveryMs: number | null;
  readonly vault: ClearVault | null;
  readonly defaultCountry: CountryCode | undefined;
  readonly tokenWaitMs: number;
  readonly identifiersMax: number;
  readonly actor: Actor;
  readonly auditSigner: Signer | null;
  readonly now: () => number;
  readonly random: (byteCount: number) => Uint8Array;
}

/** Throws a RangeError or TypeError for options that make no sense, a GateError `ledger.clear_key`. */
export function readLedgerOptions(options: LedgerOptions): LedgerSettings {
  const { migrate = true, sequence = true, canaryEveryMs = null, keepClear = null, defaultCountry } = options;
  const { tokenWaitMs = TOKEN_WAIT_MS, identifiersPerRequestMax = IDENTIFIERS_PER_REQUEST_MAX } = options;
  const { actor = SYSTEM_ACTOR, auditSigner = null, now = Date.now, random = randomBytes } = options;
  checkRange('tokenWaitMs', tokenWaitMs, 0, TOKEN_WAIT_MS_MAX);
  checkRange('identifiersPerRequestMax', identifiersPerRequestMax, 1, IDENTIFIERS_PER_REQUEST_LIMIT);
  if (canaryEveryMs !== null) checkRange('canaryEveryMs', canaryEveryMs, CANARY_EVERY_MS_MIN, 2 ** 31 - 1);
  if (defaultCountry !== undefined && !isSupportedCountry(defaultCountry)) {
    throw new TypeError('defaultCountry: expected a country of two capital letters');
  }
  return {
    migrate,
    sequence,
    canaryEveryMs,
    vault: keepClear === null ? null : new ClearVault(keepClear.key, random),
    defaultCountry,
    tokenWaitMs,
    identifiersMax: identifiersPerRequestMax,
    actor: readActor(actor),
    auditSigner,
    now,
    random,
  };
}

function checkRange(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name}: expected a whole number from ${min} to ${max}, got ${value}`);
}
