/**
 * Some identifiers of an import on their way into one transaction: keys, identities, digests, clear values, packed.
 *
 * Used over and over; nothing is allocated per identifier, except where clear values are kept.
 * @module
 */

import { ENTRY_CHANGES_MAX } from '../core/suppression/index.js';
import { type ClearPosition, type ClearVault, packClear } from './clear-values.js';
import { DIGEST_HEAD_BYTES, IDENTITY_BYTES, type IdentifierReader } from './identity.js';
import { KeyBatch } from './keys.js';
import { IMPORT_BATCH_ROWS } from './limits.js';
import { MARK_BYTES_MAX, writeMark, writeOwnKey } from './packed-identifiers.js';

/** Bytes that the digests of a full batch take at most: every key is a digest, or the own key of an identifier. */
const DIGESTS_BYTES_MAX = ENTRY_CHANGES_MAX * (DIGEST_HEAD_BYTES + 32 + MARK_BYTES_MAX);

/** An identifier whose keys also depend on how it is spelt, so that they cannot be found from another spelling. */
export interface SpeltIdentifier {
  /** Its place among the identifiers of the import. */
  readonly ordinal: number;
  readonly kind: string;
  readonly identity: Buffer;
  readonly digests: Buffer;
}

export class ImportBatch {
  readonly keys: KeyBatch;
  /** Place of the first identifier in the import; the others follow it. */
  firstOrdinal = 0;
  /** Identifiers that need a row of their own. */
  readonly spelt: SpeltIdentifier[] = [];
  readonly #digests = Buffer.alloc(DIGESTS_BYTES_MAX);
  #digestsBytes = 0;
  readonly #clear: Buffer[] = [];
  readonly #vault: ClearVault | null;

  constructor(seed: bigint, vault: ClearVault | null) {
    this.keys = new KeyBatch(seed);
    this.#vault = vault;
  }

  get identifierCount(): number {
    return this.keys.identifierCount;
  }

  reset(firstOrdinal: number): void {
    this.firstOrdinal = firstOrdinal;
    this.keys.reset();
    this.#digestsBytes = 0;
    this.#clear.length = 0;
    this.spelt.length = 0;
  }

  hasRoomFor(keyCount: number, batchRows: number): boolean {
    return this.identifierCount < Math.min(batchRows, IMPORT_BATCH_ROWS) && this.keys.hasRoomFor(keyCount);
  }

  /** Adds what the reader has just read. */
  add(reader: IdentifierReader, tag: number, rights: number): void {
    const { keys } = this;
    const start = this.#digestsBytes;
    keys.add(reader.keys, reader.identity, rights);
    const at = reader.isClear
      ? writeOwnKey(this.#digests, start, tag, keys.ownHigh, keys.ownLow)
      : writeMark(this.#digests, start, tag);
    reader.digests.copy(this.#digests, at, 0, reader.digestsBytes);
    this.#digestsBytes = at + reader.digestsBytes;
    if (reader.isSpelt) {
      this.spelt.push({
        ordinal: this.firstOrdinal + this.identifierCount - 1,
        kind: reader.kind,
        identity: Buffer.from(reader.identity),
        digests: Buffer.from(this.#digests.subarray(start, this.#digestsBytes)),
      });
    }
    if (this.#vault !== null && reader.isClear) this.#clear.push(packClear(reader.kind, reader.value));
  }

  /** The identities, 16 bytes each. */
  get identities(): Buffer {
    return this.keys.identities.subarray(0, this.identifierCount * IDENTITY_BYTES);
  }

  get digests(): Buffer {
    return this.#digests.subarray(0, this.#digestsBytes);
  }

  /** The clear values, sealed; `null`: none are kept. */
  sealed(position: ClearPosition): Buffer | null {
    return this.#vault === null || this.#clear.length === 0
      ? null
      : this.#vault.seal(Buffer.concat(this.#clear), position);
  }
}
