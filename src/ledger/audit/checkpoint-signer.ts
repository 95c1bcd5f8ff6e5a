/**
 * Signs where the trail stands, if it goes on from what was signed before.
 *
 * What must stay true: of two heads that were signed with one key, the later trail holds the earlier head. Whoever rules the
 * database could otherwise write the trail anew and have that signed. So the last head that was signed is remembered, and
 * signed is only what is committed: a step that breaks off leaves nothing signed that is not in the trail. Across a
 * restart the newest checkpoint in the trail stands in for the memory.
 * @module
 */
import { GateError } from '../../core/errors.js';
import type { Signer } from '../../core/suppression/index.js';
import type { Row, Session } from '../database.js';
import { int8Column } from '../packed-column.js';
import { parseCanonical } from './canonical-json.js';
import type { ChainHead } from './chain-head.js';
import { type CheckpointBody, signCheckpoint, type TrailPoint } from './checkpoint.js';
import { CHECKPOINT_KIND, hashOfParts } from './entry.js';
import { hexOf, PART_COLUMNS, partsOf } from './entry-row.js';

export class CheckpointSigner {
  #last: TrailPoint | null = null;

  /** @param onSigned Told of each head before it is given out. */
  constructor(
    private readonly signer: Signer,
    private readonly onSigned: (point: TrailPoint) => void = () => {},
  ) {}

  /** The body of a checkpoint on a head that is committed and locked. Throws a GateError `ledger.trail_forked`. */
  async sign(session: Session, head: ChainHead): Promise<CheckpointBody> {
    const point = { ledgerId: head.ledgerId, n: head.n, head: head.hash };
    const stored = await this.#storedPoint(session, head);
    const known = [point, ...(stored === null ? [] : [stored]), ...(this.#last === null ? [] : [this.#last])];
    await checkEntries(session, head.ledgerId, known);
    this.#last = point;
    this.onSigned(point);
    return signCheckpoint(point, this.signer);
  }

  /** What the newest checkpoint says; one of another key is taken at its word, as keys are changed. `null`: there is none. */
  async #storedPoint(session: Session, { ledgerId, checkpointN }: ChainHead): Promise<TrailPoint | null> {
    const [row] = await session.query(
      `select n::float8, previous, hash, ${PART_COLUMNS} from optgate.audit_entry
       where n >= $1::float8::int8 and kind = '${CHECKPOINT_KIND}' order by audit_entry.n desc limit 1`,
      [checkpointN],
    );
    if (row === undefined && checkpointN === 0) return null;
    if (row === undefined || Number(row.n) !== checkpointN) throw forked('the last checkpoint is gone');
    const { n, head, keyId, signature } = Object(parseCanonical(String(row.body))) as Partial<CheckpointBody>;
    const isOfPlace = n === checkpointN - 1 && head === hexOf(row.previous);
    if (!isOfPlace || hashOf(row) !== hexOf(row.hash)) throw forked('the last checkpoint is another');
    const point = { ledgerId, n, head };
    // Ed25519 signs the same text with the same bytes, so signing again verifies
    const own = signCheckpoint(point, this.signer);
    if (keyId === own.keyId && signature !== own.signature) throw forked('the last checkpoint is signed wrongly');
    return point;
  }
}

/** True for what {@link CheckpointSigner.sign} refuses with. */
export function isForked(error: unknown): error is GateError {
  return error instanceof GateError && error.code === 'ledger.trail_forked';
}

async function checkEntries(session: Session, ledgerId: string, known: readonly TrailPoint[]): Promise<void> {
  const rows = await session.query(
    `select n::float8, previous, hash, ${PART_COLUMNS} from optgate.audit_entry
     where n = any($1::int8[])`,
    [int8Column(known.map(({ n }) => BigInt(n))).bytes],
  );
  const hashes = new Map(rows.map((row) => [Number(row.n), hashOf(row)]));
  for (const { ledgerId: itsLedger, n, head } of known) {
    if (itsLedger !== ledgerId || hashes.get(n) !== head) throw forked(`entry ${n} is another, or gone`);
  }
}

/** Of what the row says, whatever hash it holds. */
function hashOf(row: Row): string {
  return hashOfParts(partsOf(row, Number(row.n), hexOf(row.previous)));
}

function forked(what: string): GateError {
  return new GateError('ledger.trail_forked', what);
}
