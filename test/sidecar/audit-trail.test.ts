/**
 * The audit trail of a sidecar that signs: its checkpoints, read and verified with the command line, and what it does when
 * the trail was written anew behind its back.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';
import { optgate } from '../cli/run.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { PATIENCE_MS, type Running, startSidecarProcess } from './running.js';

(await withService('PostgreSQL', POSTGRES_URL))('a sidecar that signs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-sidecar-audit-'));
  const publicKey = join(folder, 'optgate-signing.pub.pem');
  let place: TestDatabase;
  const running: Running[] = [];
  beforeAll(async () => {
    place = await createDatabase();
    expect((await optgate(['ledger', 'migrate', '--ledger', place.url])).status).toBe(0);
    expect((await optgate(['ledger', 'keygen', '--out', folder])).status).toBe(0);
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.stop();
  });
  afterAll(async () => {
    await place?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(...args: readonly string[]): Promise<Running> {
    const keys = ['--sign-key', join(folder, 'optgate-signing.pem')];
    const one = await startSidecarProcess(['--ledger', place.url, ...keys, ...args]);
    running.push(one);
    await one.until('stderr', /"ledger.opened"/, PATIENCE_MS);
    return one;
  }

  async function exported(name: string) {
    const path = join(folder, name);
    const { status, stderr } = await optgate(['audit', 'export', '--ledger', place.url, '--out', path]);
    expect(status, stderr).toBe(0);
    return path;
  }

  /** As if the last checkpoint had been signed an hour ago. */
  async function makeDue(): Promise<void> {
    const database = await openDatabase(place.url);
    await database.query(`update optgate.audit_head set checkpoint_at = checkpoint_at - interval '1 hour'`);
    await database.close();
  }

  test('a trail without a checkpoint is not valid with a key, unless that is allowed', async () => {
    const path = await exported('unsigned.ndjson');
    expect((await optgate(['audit', 'verify', path])).json()).toMatchObject([{ valid: true, unsigned: null }]);
    const strict = await optgate(['audit', 'verify', path, '--public-key', publicKey]);
    const [{ entries }] = strict.json();
    expect(strict.status).toBe(1);
    expect(strict.json()).toMatchObject([{ signedUpTo: 0, unsigned: entries, fault: { entry: 1, code: 'unsigned' } }]);
    const lax = await optgate(['audit', 'verify', path, '--public-key', publicKey, '--allow-unsigned']);
    expect([lax.status, lax.json()[0].fault]).toEqual([0, null]);
    expect((await optgate(['audit', 'verify', path, '--allow-unsigned'])).status).toBe(2);
  });

  test('its checkpoints are in the log, in the metrics and in the trail, and verify', async () => {
    const sidecar = await start();
    for (const index of [1, 2, 3]) expect((await sidecar.optOut(index)).status).toBe(201);
    await makeDue();
    const [, head = ''] = await sidecar.until('stderr', /"audit.checkpoint","head":"(\d+:[0-9a-f]{64})"/, PATIENCE_MS);
    const [n = ''] = head.split(':');
    expect((await sidecar.onControl('/metrics')).text).toContain(`\noptgate_audit_signed_entry ${n}\n`);
    expect((await sidecar.optOut(4)).status).toBe(201);
    expect(await sidecar.stop()).toBe(0);
    const path = await exported('signed.ndjson');
    const { status, json } = await optgate(['audit', 'verify', path, '--public-key', publicKey, '--head', head]);
    const [{ entries, signedUpTo, unsigned, checkpoints, valid }] = json();
    expect({ status, valid }).toEqual({ status: 0, valid: true });
    expect(checkpoints).toBeGreaterThanOrEqual(2);
    expect(unsigned).toBe(entries - signedUpTo);
    expect(readFileSync(path, 'utf8').split('"kind":"request.opt_out"')).toHaveLength(5);
  });

  test('a policy and tokens that are read again are entries, also where they are refused', async () => {
    const [policy, tokens] = [join(folder, 'policy.json'), join(folder, 'tokens')];
    writeFileSync(policy, '{"version":"first"}');
    writeFileSync(tokens, `operator:jane ${'a'.repeat(40)}\n`);
    const sidecar = await start('--policy', policy, '--tokens', tokens);
    const reloads = async (count: number) => {
      sidecar.kill('SIGHUP');
      let found: { kind: string; body: object; actor: object }[] = [];
      await expect
        .poll(
          async () => {
            const search = ['audit', 'search', '--ledger', place.url, '--actor', 'system'];
            const entries = (await optgate(search)).json() as typeof found;
            found = entries.filter(({ kind }) => /^(?:policy|tokens)\./.test(kind));
            return found.length;
          },
          { timeout: PATIENCE_MS },
        )
        .toBe(count);
      return found.slice(-2);
    };
    writeFileSync(policy, '{"version":"second"}');
    expect(await reloads(2)).toMatchObject([
      { kind: 'policy.reloaded', body: { version: expect.stringContaining('second') } },
      { kind: 'tokens.reloaded', body: { tokenCount: 1 } },
    ]);
    writeFileSync(policy, '{');
    writeFileSync(tokens, 'operator:jane short\n');
    expect(await reloads(4)).toMatchObject([
      { kind: 'policy.refused', body: {}, actor: { role: 'system', name: null } },
      { kind: 'tokens.refused', body: {} },
    ]);
  });

  test('a trail that was written anew is not signed: the log and the metrics say so', async () => {
    const sidecar = await start();
    expect((await sidecar.optOut(5)).status).toBe(201);
    await makeDue();
    await sidecar.until('stderr', /"audit.checkpoint"/, PATIENCE_MS);
    const database = await openDatabase(place.url);
    await database.query('alter table optgate.audit_entry disable trigger user');
    await database.query(`update optgate.audit_entry set body = '{}' where n is not null and kind <> 'checkpoint'`);
    await database.close();
    expect((await sidecar.optOut(6)).status).toBe(201);
    await makeDue();
    await sidecar.until('stderr', /"audit.refused".*ledger.trail_forked/, PATIENCE_MS);
    expect((await sidecar.onControl('/metrics')).text).toContain('\noptgate_audit_checkpoint_refused 1\n');
    expect((await optgate(['audit', 'verify', '--ledger', place.url])).json()[0].fault).toMatchObject({ code: 'hash' });
  });
});
