/**
 * `audit`, `retention` and `erase` on a ledger in PostgreSQL, as an operator uses them.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSigner } from '../../src/core/suppression/index.js';
import { openLedger } from '../../src/ledger/index.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { optgate } from './run.js';

const EMAIL = 'jane@example.com';

(await withService('PostgreSQL', POSTGRES_URL))('the commands about the audit trail', () => {
  let place: TestDatabase;
  let folder: string;
  let trail: string;
  let publicKey: string;
  let requestId = '';
  const run = (...args: readonly string[]) => optgate(args, '', { env: { ...process.env, OPTGATE_LEDGER: place.url } });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-audit-'));
    trail = join(folder, 'trail.ndjson');
    place = await createDatabase();
    expect((await run('ledger', 'migrate')).status).toBe(0);
    expect((await optgate(['ledger', 'keygen', '--out', folder])).status).toBe(0);
    publicKey = join(folder, 'optgate-signing.pub.pem');
    const auditSigner = createSigner(readFileSync(join(folder, 'optgate-signing.pem'), 'utf8'));
    const ledger = await openLedger(place.url, { auditSigner });
    ({ requestId } = await ledger.recordOptOut({
      identifiers: [{ kind: 'email', value: EMAIL }],
      channel: 'web_form',
    }));
    await ledger.close();
  });
  afterAll(async () => {
    await place?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('look-ups are entries, under the user of the system', async () => {
    expect((await run('status', '--kind', 'email', EMAIL)).status).toBe(0);
    expect((await run('lineage', '--kind', 'email', EMAIL)).status).toBe(0);
    const found = await run('audit', 'search', '--kind', 'person.looked_up');
    const actor = { role: 'operator', name: userInfo().username, via: 'cli' };
    expect(found.json()).toMatchObject([
      { actor, body: { asked: 'status' } },
      { actor, body: { asked: 'exports' } },
    ]);
    expect(found.stdout).not.toContain(EMAIL);
    expect((await run('audit', 'search', '--actor', `operator:${actor.name}`, '--limit', '1')).lines).toHaveLength(1);
    expect((await run('audit', 'search', '--subject', requestId)).json()).toMatchObject([{ kind: 'request.opt_out' }]);
    expect((await run('audit', 'search', '--since', '2999-01-01T00:00:00Z')).lines).toEqual([]);
  });

  test('export, and verify offline: all of it, with the key, with a head', async () => {
    const exported = await run('audit', 'export', '--out', trail);
    expect(exported.status, exported.stderr).toBe(0);
    const [{ entries, head }] = exported.json();
    expect(readFileSync(trail, 'utf8').split('\n')).toHaveLength(entries + 2);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    const verified = await optgate(['audit', 'verify', trail, '--public-key', publicKey, '--head', head]);
    expect(verified.status, verified.stderr).toBe(0);
    expect(verified.json()).toEqual([
      {
        valid: true,
        ledger: expect.stringMatching(/^[0-9a-f-]{36}$/),
        entries,
        head,
        checkpoints: 1,
        signedUpTo: expect.any(Number),
        unsigned: expect.any(Number),
        fault: null,
      },
    ]);
    const [{ ledger }] = verified.json();
    expect((await optgate(['audit', 'verify', trail, '--ledger-id', ledger])).status).toBe(0);
    const other = await optgate(['audit', 'verify', trail, '--ledger-id', randomUUID()]);
    expect([other.status, other.json()[0].fault.code]).toEqual([1, 'ledger']);
    const inPlace = await run('audit', 'verify', '--public-key', publicKey, '--head', head);
    expect(inPlace.json()).toMatchObject([{ valid: true, entries }]);
  });

  test('a byte that is another: exit 1, and the first bad entry by its number', async () => {
    const bytes = readFileSync(trail);
    const at = bytes.indexOf('"web_form"');
    bytes[at + 1] = 0x57;
    const bad = join(folder, 'bad.ndjson');
    writeFileSync(bad, bytes);
    const { status, json } = await optgate(['audit', 'verify', bad]);
    expect(status).toBe(1);
    const [{ fault, valid, signedUpTo }] = json();
    expect({ valid, signedUpTo }).toEqual({ valid: false, signedUpTo: null });
    const { n } = (await run('audit', 'search', '--kind', 'request.opt_out')).json()[0];
    expect(fault).toMatchObject({ entry: n, code: 'hash' });
    writeFileSync(bad, readFileSync(trail).subarray(0, -100));
    expect((await optgate(['audit', 'verify', bad])).status).toBe(1);
    const elsewhere = await optgate(['audit', 'verify', trail, '--head', `3:${'ab'.repeat(32)}`]);
    expect(elsewhere.json()).toMatchObject([{ fault: { entry: 3, code: 'head' } }]);
  });

  test('erase and retention', async () => {
    const erased = await run('erase', '--request', requestId);
    expect(erased.json()).toEqual([{ requestId, identifiers: 1, repeat: false }]);
    expect((await run('erase', '--request', requestId)).json()).toMatchObject([{ repeat: true }]);
    const dry = await run('retention', '--dry-run');
    expect(dry.json()).toMatchObject([{ requests: 0, identifiers: 0, lookUps: 0, dryRun: true }]);
    expect((await run('retention', '--months', '36')).status).toBe(0);
    expect((await run('audit', 'search', '--kind', 'retention.run')).json()).toMatchObject([{ body: { months: 36 } }]);
    expect((await run('audit', 'verify')).status).toBe(0);
    expect((await run('status', '--kind', 'email', EMAIL)).json()[0].rights).toHaveLength(7);
  });

  test('wrong usage: exit 2; what fails: exit 3', async () => {
    for (const args of [
      ['audit'],
      ['audit', 'export'],
      ['audit', 'export', '--out', ''],
      ['audit', 'verify', 'a', 'b'],
      ['audit', 'verify', trail, '--ledger', place.url],
      ['audit', 'verify', trail, '--head', '1:x'],
      ['audit', 'search', '--since', 'yesterday'],
      ['audit', 'search', '--actor', 'root'],
      ['audit', 'search', 'x'],
      ['retention', '--months', '23'],
      ['retention', '--months', 'x'],
      ['erase'],
      ['erase', '--request', 'x'],
    ]) {
      const { status, stderr } = await run(...args);
      expect(status, `${args.join(' ')}: ${stderr}`).toBe(2);
    }
    for (const args of [
      ['audit', 'verify', join(folder, 'nothing.ndjson')],
      ['audit', 'verify', trail, '--public-key', trail],
      ['audit', 'export', '--out', join(folder, 'no', 'such', 'folder', 'f')],
      ['erase', '--request', `r_${'A'.repeat(22)}`],
    ]) {
      expect((await run(...args)).status, args.join(' ')).toBe(3);
    }
  });
});
