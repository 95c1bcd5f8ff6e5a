/**
 * A ledger with enforcers that say what they have applied, and exports that say who was in them.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { appendIdentifier } from '../../../src/core/identity/dialects.js';
import { createKeyList } from '../../../src/core/identity/index.js';
import { KEYS_PER_IDENTIFIER_MAX } from '../../../src/core/identity/limits.js';
import type { Identifier } from '../../../src/core/vocabulary.js';
import { type ExportRecord, exportRunIdOf, type Ledger, openLedger } from '../../../src/ledger/index.js';
import { KeyMixer } from '../../../src/ledger/keys.js';
import type { LedgerOptions } from '../../../src/ledger/ledger-options.js';
import type { Backend } from '../both-databases.js';

export const DAY_MS = 86_400_000;
export const someMaid = (): Identifier => ({ kind: 'maid', value: randomBytes(16).toString('hex') });
export const seqOf = (token: string | null) => Number(token?.split('.').at(-1));

/** All that comes. */
export async function all<T>(rows: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const row of rows) list.push(row);
  return list;
}

export interface Stand {
  readonly location: string;
  readonly ledger: Ledger;
  /** An enforcer says that it has applied the log up to a seq. */
  report(id: string, seq: number | null, isLeaving?: boolean): Promise<void>;
  /** The same, up to the end. */
  applyAll(id: string): Promise<void>;
  /** Records an export that held some people; says its id. */
  sent(people: readonly Identifier[], more?: Partial<ExportRecord>): Promise<string>;
  close(): Promise<void>;
}

export async function openStand(backend: Backend, options: LedgerOptions = {}): Promise<Stand> {
  const { location, remove } = await backend.create();
  const ledger = await openLedger(location, options);
  const mixer = new KeyMixer((await ledger.head()).seed);
  const report: Stand['report'] = async (id, seq, isLeaving = false) => {
    const { epoch } = await ledger.head();
    await ledger.ack({
      ...{ id, name: id, role: 'sidecar', version: '1', leaseMs: 60_000, state: 'live', isLeaving, appliedAgeMs: 0 },
      position: seq === null ? null : { epoch, seq },
    });
  };
  return {
    location,
    ledger,
    report,
    applyAll: async (id) => report(id, (await ledger.head()).seq),
    async sent(people, more = {}) {
      const runId = exportRunIdOf(randomBytes(16));
      const keys = people.map((identifier) => {
        const list = createKeyList(KEYS_PER_IDENTIFIER_MAX);
        appendIdentifier(list, identifier);
        return mixer.keysOf({ words: list.words, count: 1 })[0] ?? 0n;
      });
      const finishedAtMs = more.finishedAtMs ?? Date.now();
      await ledger.recordExport(
        {
          ...{ runId, destination: 'acme', purpose: 'audience', rights: ['sale', 'share'], manifest: {} },
          ...{ startedAtMs: finishedAtMs, finishedAtMs },
          ...more,
        },
        [BigInt64Array.from(keys).sort()],
      );
      return runId;
    },
    async close() {
      await ledger.close();
      await remove();
    },
  };
}
