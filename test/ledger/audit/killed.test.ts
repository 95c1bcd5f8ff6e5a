/**
 * A process that is killed while it chains leaves a valid trail, and another goes on where it stopped.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { headerLine, TrailVerifier } from '../../../src/ledger/audit/verify-trail.js';
import { openLedger } from '../../../src/ledger/index.js';
import { createDatabase, POSTGRES_URL, withService } from '../../services.js';

const KILLS = 6;

(await withService('PostgreSQL', POSTGRES_URL))('killed', () => {
  test('again and again, at any point of a step: dense, valid, nothing lost', async () => {
    const place = await createDatabase();
    const ledger = await openLedger(place.url, { sequence: false });
    try {
      let written = 0;
      let isWriting = true;
      const writing = (async () => {
        while (isWriting) {
          await Promise.all(
            Array.from({ length: 8 }, () => ledger.audit.append({ kind: 'a.b', subject: null, body: { of: 'test' } })),
          );
          written += 8;
        }
      })();
      for (let kill = 0; kill < KILLS; kill++) {
        const child = spawn(process.execPath, ['test/ledger/audit/chainer-process.mjs', place.url]);
        const ended = once(child, 'exit');
        for (let points = 0; points < 5 + kill * 3; ) points += String((await once(child.stdout, 'data'))[0]).length;
        child.kill('SIGKILL');
        await ended;
        const { n, hash, ledgerId } = await ledger.audit.head();
        expect(n).toBeGreaterThan(0);
        const trail = new TrailVerifier();
        trail.write(Buffer.from(`${headerLine({ entries: n, head: hash, ledger: ledgerId })}\n`));
        for await (const lines of ledger.audit.lines(n)) trail.write(Buffer.from(`${lines.join('\n')}\n`));
        expect(trail.end()).toMatchObject({ fault: null, entryCount: n });
      }
      isWriting = false;
      await writing;
      await ledger.audit.chain();
      const { n, unchainedCount } = await ledger.audit.head();
      const [made] = await ledger.audit.entries({ kind: 'ledger.migrated', limit: 1 });
      expect(made?.n).toBe(1);
      const migrations = (await ledger.audit.entries({ kind: 'ledger.migrated' })).length;
      expect({ n, unchainedCount }).toEqual({ n: written + migrations, unchainedCount: 0 });
    } finally {
      await ledger.close();
      await place.drop();
    }
  });
});
