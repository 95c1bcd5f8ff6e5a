/**
 * Canaries: synthetic opt-outs, made at an interval by whoever is the sequencer, so that every enforcer can measure how
 * long a real one takes (11 CCR 7025: an opt-out that no longer works must be noticed).
 *
 * One fixed identifier on a reserved kind, whose rights change to and fro between two masks: the table does not grow, and
 * every canary is a change. No request stands behind them.
 * @module
 */
import { rightsMask } from '../core/vocabulary.js';
import { EntryWriter, type KeyUpdate } from './changes.js';
import type { LedgerContext } from './context.js';
import type { Session } from './database.js';
import { keyTransaction, NEXT_ENTRY_ID, writeEntry, writeOptOutEntry } from './entry.js';
import { CANARY_KIND, IdentifierReader } from './identity.js';
import { lockKeys, updateKeys } from './key-rows.js';
import { KeyBatch } from './keys.js';
import { entriesAhead } from './order.js';

/** The one canary of every ledger; its key is mixed with the ledger's seed. */
const CANARY_VALUE = 'canary';
/** Rights of one canary, and of the next. */
const CANARY_RIGHTS = [rightsMask(['sale']), rightsMask(['share'])] as const;

/** Writes one canary; resolves with the id of its entry. */
export async function writeCanary(context: LedgerContext): Promise<string> {
  const reader = new IdentifierReader({ allowReserved: true });
  if (reader.read(CANARY_KIND, CANARY_VALUE) !== null) throw new Error('unreachable: the canary is an identifier');
  const batch = new KeyBatch(context.seed, reader.keys.count);
  batch.add(reader.keys, reader.identity, CANARY_RIGHTS[0]);
  batch.sort();
  const entryId = await keyTransaction(context.database, async (session) => {
    const [row] = await session.query(`select ${NEXT_ENTRY_ID} as id`);
    const origin = { entryId: String(row?.id), requestRow: null, isCanary: true } as const;
    if (!(await toggle(session, batch, origin))) await writeOptOutEntry(session, batch, origin);
    return origin.entryId;
  });
  context.wake();
  return entryId;
}

interface CanaryOrigin {
  readonly entryId: string;
  readonly requestRow: null;
  readonly isCanary: true;
}

/** Gives the key the other rights; false if it has no row yet. */
async function toggle(session: Session, batch: KeyBatch, origin: CanaryOrigin): Promise<boolean> {
  const [row] = await lockKeys(session, batch.sqlKeys());
  if (row === undefined) return false;
  const ahead = await entriesAhead(session, [row.lastEntry]);
  const rights = row.rights === CANARY_RIGHTS[0] ? CANARY_RIGHTS[1] : CANARY_RIGHTS[0];
  const update: KeyUpdate = {
    ...row,
    version: row.version + 1,
    rights,
    rightsBefore: row.rights,
    identityRights: rights,
    isHolderNew: false,
  };
  const entry = new EntryWriter(1);
  entry.add(update);
  await updateKeys(session, [update], origin);
  const { records, totals } = entry;
  await writeEntry(session, { ...origin, records, totals, behind: ahead.at(-1) ?? null });
  return true;
}

/** Writes canaries at an interval while `isDue` says so. What fails is passed on, and tried again the next time. */
export class Canary {
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<void> | null = null;

  constructor(
    private readonly context: LedgerContext,
    everyMs: number,
    private readonly isDue: () => boolean,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.#timer = setInterval(() => this.#write(), everyMs);
    this.#timer.unref();
  }

  /** Lets one that is being written come to its end. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
  }

  #write(): void {
    if (this.#writing !== null || !this.isDue()) return;
    this.#writing = writeCanary(this.context)
      .then(() => {})
      .catch(this.onFailure)
      .finally(() => {
        this.#writing = null;
      });
  }
}
