/**
 * Checkpoints on a trail that somebody with all rights on the database has written anew: they are not signed.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSigner } from '../../../src/core/suppression/index.js';
import { canonicalJson } from '../../../src/ledger/audit/canonical-json.js';
import { type ChainOptions, chainAll, chainStep, hasChainWork } from '../../../src/ledger/audit/chain-step.js';
import type { TrailPoint } from '../../../src/ledger/audit/checkpoint.js';
import { CheckpointSigner } from '../../../src/ledger/audit/checkpoint-signer.js';
import { genesisOf, hashOfParts } from '../../../src/ledger/audit/entry.js';
import { hexOf, PART_COLUMNS, partsOf } from '../../../src/ledger/audit/entry-row.js';
import { auditHead } from '../../../src/ledger/audit/query.js';
import { type Database, openDatabase } from '../../../src/ledger/database.js';
import { openLedger } from '../../../src/ledger/index.js';
import { migrate } from '../../../src/ledger/migrations.js';
import { BACKENDS, type TestPlace } from '../backends.js';
import { SIGNER } from './trail-maker.js';

interface ChainedRow {
  readonly kind: string;
  readonly body: string;
  readonly n: number;
}

const refused = { code: 'ledger.trail_forked' };

describe.each(BACKENDS)('checkpoints on $name', ({ make }) => {
  let place: TestPlace;
  let database: Database;
  let signed: TrailPoint[];
  let signer: CheckpointSigner;
  beforeEach(async () => {
    place = await make();
    database = await openDatabase(place.location);
    await migrate(database);
    signed = [];
    signer = new CheckpointSigner(SIGNER, (point) => signed.push(point));
  });
  afterEach(async () => {
    await database?.close();
    await place?.remove();
  });

  async function write(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      await database.query(
        `insert into optgate.audit_entry (kind, actor_role, actor_via, body) values ('a.b', 'system', 'library', $1)`,
        [canonicalJson({ index })],
      );
    }
  }
  const chainAndSign = (own: CheckpointSigner = signer) => chainAll(database, { signer: own });
  const due: ChainOptions = { checkpointEveryMs: 0 };

  /** Writes the trail anew: each chained row may become another or go, and all that follow are chained again. */
  async function forge(change: (row: ChainedRow, previous: string) => object | null): Promise<void> {
    await database.transaction(async (session) => {
      await session.query('alter table optgate.audit_entry disable trigger user');
      const rows = await session.query(
        `select id::text, n::float8, ${PART_COLUMNS} from optgate.audit_entry where n is not null order by audit_entry.n`,
      );
      await session.query('delete from optgate.audit_entry where n is not null');
      const { ledgerId } = await auditHead(session);
      let [n, hash] = [0, genesisOf(ledgerId)];
      for (const row of rows) {
        const other = change(row as never, hash);
        if (other === null) continue;
        const { kind, body } = { ...row, ...other } as unknown as ChainedRow;
        const parts = { ...partsOf({ ...row, ...other }, ++n, hash), kind, body };
        const own = hashOfParts(parts);
        await session.query(
          `insert into optgate.audit_entry (id, at, kind, actor_role, actor_name, actor_via, subject, body, n, previous, hash)
           values ($1, to_timestamp($2::float8 / 1000), $3, $4, $5, $6, $7, $8, $9, decode($10, 'hex'), decode($11, 'hex'))`,
          [
            ...[row.id, parts.atMs, parts.kind, row.actor_role, row.actor_name, row.actor_via, parts.subject],
            ...[parts.body, n, hash, own],
          ],
        );
        hash = own;
      }
      await session.query(
        `update optgate.audit_head set n = $1, hash = decode($2, 'hex'),
        checkpoint_n = coalesce((select max(n) from optgate.audit_entry where kind = 'checkpoint'), 0)`,
        [n, hash],
      );
      await session.query('alter table optgate.audit_entry enable trigger user');
    });
  }
  const forgeEntry = ({ n }: ChainedRow) => (n === 2 ? { body: '{"index":99}' } : {});

  test('each says what is committed, goes on from the one before, and is told', async () => {
    await write(3);
    await chainAndSign();
    await write(2);
    await chainAndSign();
    expect(signed).toHaveLength(2);
    const rows = await database.query('select n::float8, hash from optgate.audit_entry where n is not null');
    const hashes = new Map(rows.map(({ n, hash }) => [Number(n), hexOf(hash)]));
    for (const { n, head } of signed) expect(hashes.get(n)).toBe(head);
    const { n, checkpointN } = await auditHead(database);
    expect([signed[1]?.n, checkpointN]).toEqual([n - 1, n]);
  });

  test('many entries are reason enough for one, however short the time', async () => {
    await write(3);
    await chainStep(database);
    expect(await hasChainWork(database, { signer, checkpointEntries: 3 })).toBe(true);
    expect(await hasChainWork(database, { signer, checkpointEntries: 300 })).toBe(false);
    expect(await chainStep(database, { signer, checkpointEntries: 3 })).toMatchObject({
      count: 0,
      hasCheckpoint: true,
    });
  });

  test('a trail that was changed and chained anew, with or without its checkpoints: refused, and chained on', async () => {
    await write(3);
    await chainAndSign();
    await forge(forgeEntry);
    await write(1);
    await chainStep(database);
    await expect(chainStep(database, { ...due, signer })).rejects.toMatchObject(refused);
    await forge(({ kind }) => (kind === 'checkpoint' ? null : {}));
    await write(1);
    await expect(chainStep(database, { ...due, signer })).rejects.toMatchObject(refused);
    expect(signed).toHaveLength(1);
    expect((await auditHead(database)).unchainedCount).toBe(0);
  });

  test('a trail that lost its end, as from a backup: refused while it is remembered', async () => {
    await write(3);
    await chainAndSign();
    await write(3);
    await chainAndSign();
    const { n } = signed[0] ?? { n: 0 };
    await forge((row) => (row.n <= n ? {} : null));
    await write(9);
    await chainStep(database);
    await expect(chainStep(database, { ...due, signer })).rejects.toMatchObject(refused);
    // whoever has compared starts the process again
    await chainAndSign(new CheckpointSigner(SIGNER));
    expect((await auditHead(database)).checkpointN).not.toBe(null);
  });

  test('after a restart: entries before the newest checkpoint were changed, or its signature was', async () => {
    await write(3);
    await chainAndSign();
    await write(1);
    await chainStep(database);
    await forge(forgeEntry); // the checkpoint names the old head
    await expect(chainStep(database, { ...due, signer: new CheckpointSigner(SIGNER) })).rejects.toMatchObject(refused);
    await forge(({ kind, body }, previous) =>
      kind === 'checkpoint' ? { body: canonicalJson({ ...JSON.parse(body), head: previous }) } : {},
    );
    await expect(chainStep(database, { ...due, signer: new CheckpointSigner(SIGNER) })).rejects.toMatchObject(refused);
  });

  test('the head alone was changed, or says that nothing was signed: refused', async () => {
    await write(2);
    await chainAndSign();
    await write(2);
    await chainStep(database);
    const other = () => chainStep(database, { ...due, signer: new CheckpointSigner(SIGNER) });
    const [before] = await database.query('select hash, checkpoint_n from optgate.audit_head');
    await database.query(`update optgate.audit_head set hash = decode($1, 'hex')`, ['ab'.repeat(32)]);
    await expect(other()).rejects.toMatchObject(refused);
    await database.query('update optgate.audit_head set hash = $1, checkpoint_n = 0', [before?.hash]);
    await expect(other()).rejects.toMatchObject(refused);
    await database.query('update optgate.audit_head set checkpoint_n = $1', [before?.checkpoint_n]);
    expect(await other()).toMatchObject({ hasCheckpoint: true });
  });

  test('another key goes on from what the one before has signed', async () => {
    await write(2);
    await chainAndSign();
    const { privateKey } = generateKeyPairSync('ed25519');
    const next = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
    await write(2);
    await chainAndSign(new CheckpointSigner(next));
    const bodies = await database.query<{ body: string }>(
      `select body from optgate.audit_entry where kind = 'checkpoint' order by n`,
    );
    expect(new Set(bodies.map(({ body }) => JSON.parse(body).keyId)).size).toBe(2);
  });
});

test('a ledger tells of its checkpoints', async () => {
  const place = await BACKENDS[0]?.make();
  if (place === undefined) throw new Error('there is a backend');
  const ledger = await openLedger(place.location, { auditSigner: SIGNER, sequence: false });
  const told: TrailPoint[] = [];
  ledger.on('checkpoint', (point) => told.push(point));
  await ledger.audit.append({ kind: 'a.b', subject: null, body: {} });
  await ledger.audit.chain();
  const [checkpoint] = await ledger.audit.entries({ kind: 'checkpoint' });
  expect(told).toEqual([{ ledgerId: (await ledger.audit.head()).ledgerId, ...pointOf(checkpoint?.body) }]);
  await ledger.close();
  await place.remove();
});

function pointOf(body: object | undefined) {
  const { n, head } = Object(body) as TrailPoint;
  return { n, head };
}
