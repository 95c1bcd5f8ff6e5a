/**
 * What every operation of an open ledger shares.
 * @module
 */
import type { CountryCode } from 'libphonenumber-js/min';
import type { Position } from '../sync/source.js';
import type { Actor } from './audit/actor.js';
import type { CheckpointSigner } from './audit/checkpoint-signer.js';
import type { ClearVault } from './clear-values.js';
import type { Database } from './database.js';
import type { IdentifierReader } from './identity.js';
import type { KeyMixer } from './keys.js';
import type { OptOutIntake } from './opt-out-intake.js';

export interface LedgerContext {
  readonly database: Database;
  /** Under whom writes and look-ups are recorded. */
  readonly actor: Actor;
  /** Signs checkpoints of the audit trail. */
  readonly auditSigner: CheckpointSigner | null;
  readonly seed: bigint;
  readonly mixer: KeyMixer;
  /** One for all: reading is synchronous, and what was read is copied before the next is. */
  readonly reader: IdentifierReader;
  /** `null`: clear values are not kept. */
  readonly vault: ClearVault | null;
  /** Where a phone number without a country code is taken to be from. */
  readonly defaultCountry: CountryCode | undefined;
  /** Rows of the imports that this process works on. */
  readonly imports: Set<string>;
  readonly now: () => number;
  readonly random: (byteCount: number) => Uint8Array;
  readonly tokenWaitMs: number;
  readonly identifiersMax: number;
  /** The place of a committed entry in the log, waiting for it at most so long; `null`: it has none yet. */
  readonly placeOf: (entryId: string, waitMs: number) => Promise<Position | null>;
  /** Writes opt-outs that come at the same time together; `null`: each has a transaction of its own. */
  readonly intake: OptOutIntake | null;
  /** Tells the sequencer, if it runs here, that an entry was committed. */
  readonly wake: () => void;
}
