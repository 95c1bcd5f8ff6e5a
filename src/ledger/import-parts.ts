/**
 * Which identifiers of an import are in the ledger already.
 *
 * An import is cut into parts, each of which was committed in one transaction and says where it begins. An import that was
 * broken off goes on by reading its source again from the start: what is covered is compared and left out, what is not is
 * entered. It does not matter how it is cut the second time.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { Session } from './database.js';
import { IDENTITY_BYTES } from './identity.js';

interface Part {
  readonly part: number;
  readonly firstOrdinal: number;
  readonly endOrdinal: number;
}

/** Answers for identifiers in the order of their ordinals. */
export class ImportParts {
  #at = 0;
  #identities: Buffer | null = null;

  private constructor(
    private readonly session: Session,
    private readonly requestRow: string,
    /** In the order of their ordinals. */
    private readonly parts: readonly Part[],
    /** Number of the next new part. */
    readonly nextPart: number,
  ) {}

  static async read(session: Session, requestRow: string): Promise<ImportParts> {
    const rows = await session.query(
      `select part, first_row::float8 as first, octet_length(identities) as bytes
       from optgate.import_part where request_id = $1::int8 order by first_row`,
      [requestRow],
    );
    const parts = rows.map(({ part, first, bytes }) => ({
      part: Number(part),
      firstOrdinal: Number(first),
      endOrdinal: Number(first) + Number(bytes) / IDENTITY_BYTES,
    }));
    const nextPart = parts.reduce((next, { part }) => Math.max(next, part + 1), 0);
    return new ImportParts(session, requestRow, parts, nextPart);
  }

  /** True if a part covers the identifier with this ordinal. Ask for each ordinal once, in ascending order. */
  covers(ordinal: number): boolean {
    let part = this.parts[this.#at];
    while (part !== undefined && ordinal >= part.endOrdinal) {
      this.#identities = null;
      part = this.parts[++this.#at];
    }
    return part !== undefined && ordinal >= part.firstOrdinal;
  }

  /**
   * Compares a covered identifier with what was entered in its place.
   * @throws {GateError} `ledger.idempotency_conflict`: it is another one, so this is another import.
   */
  async compare(ordinal: number, identity: Buffer): Promise<void> {
    const part = this.parts[this.#at];
    if (part === undefined) throw new Error('unreachable: asked only of what is covered');
    this.#identities ??= await this.readIdentities(part);
    const at = (ordinal - part.firstOrdinal) * IDENTITY_BYTES;
    if (this.#identities.compare(identity, 0, IDENTITY_BYTES, at, at + IDENTITY_BYTES) === 0) return;
    throw otherRows();
  }

  /** One more than the last ordinal that a part covers. */
  get endOrdinal(): number {
    return this.parts.at(-1)?.endOrdinal ?? 0;
  }

  private async readIdentities({ part }: Part): Promise<Buffer> {
    const [row] = await this.session.query(
      'select identities from optgate.import_part where request_id = $1::int8 and part = $2',
      [this.requestRow, part],
    );
    return Buffer.from(row?.identities as Uint8Array);
  }
}

/** The source says something else than it did the first time. */
export function otherRows(): GateError {
  return new GateError('ledger.idempotency_conflict', 'the rows are not those of the first time');
}
