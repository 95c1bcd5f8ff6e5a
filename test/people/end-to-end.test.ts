/**
 * What optgate is for, from the person to the proof, with every part real: a person opts out on the page; a running sidecar
 * restricts the next bid request about that person; the console shows the opt-out in force everywhere; an export leaves the
 * row out; the audit trail verifies, and does not once a byte of it is changed. The same where the browser only sends its signal.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openBrowser, withBrowser } from '../browser.js';
import { optgate } from '../cli/run.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { PATIENCE_MS, type Running, startSidecarProcess } from '../sidecar/running.js';

const EMAIL = 'ana.lopez@example.com';
const VISITOR = 'v-5f2c8a91d3';
const SIGNAL: BrowserContextOptions = { extraHTTPHeaders: { 'sec-gpc': '1' } };

/** The request of an exchange that knows the person by a digest, or by its own id of the visitor. */
const byDigest = {
  id: '1',
  imp: [{ id: '1' }],
  user: { eids: [{ source: 'partner.example', uids: [{ id: createHash('sha256').update(EMAIL).digest('hex') }] }] },
};
const byVisitor = { id: '2', imp: [{ id: '1' }], user: { id: VISITOR } };

const describeBoth =
  (await withService('PostgreSQL', POSTGRES_URL)) === describe && withBrowser() === describe ? describe : describe.skip;

describeBoth('from a person to the proof', () => {
  let place: TestDatabase;
  let folder: string;
  let sidecar: Running;
  let browser: Browser;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-people-'));
    place = await createDatabase();
    env = { ...process.env, OPTGATE_LEDGER: place.url };
    const config = join(folder, 'optgate.yaml');
    writeFileSync(config, 'publicPages:\n  enabled: true\n  cookies: ["visitor=account:user.id"]\n');
    expect((await optgate(['ledger', 'migrate'], '', { env })).status).toBe(0);
    sidecar = await startSidecarProcess(['--config', config, '--ledger', place.url]);
    await vi.waitUntil(async () => (await sidecar.onControl('/readyz')).status === 200, { timeout: PATIENCE_MS });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await sidecar?.stop();
    await place?.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A bid request is restricted as soon as the opt-out is in force. */
  async function untilRestricted(request: object, reason: string): Promise<void> {
    await expect.poll(() => sidecar.check(request), { interval: 20 }).toMatchObject({ action: 'restrict' });
    expect((await sidecar.check(request)).reasons).toContain(reason);
  }

  /** The console's page of a request says that it is in force everywhere. */
  async function showsInForceEverywhere(requestId: string): Promise<void> {
    const page = await browser.newPage();
    try {
      await page.goto(`http://${sidecar.control}/console/requests/${requestId}`);
      const last = page.locator('.timeline li', { hasText: 'In force everywhere' });
      await expect.poll(() => last.textContent(), { timeout: PATIENCE_MS }).toMatch(/after it was processed/);
    } finally {
      await page.close();
    }
  }

  /** Rows that an export lets go, of a file with a person, a visitor and somebody else. */
  async function exported(name: string): Promise<readonly string[]> {
    const [input, output] = [join(folder, 'users.csv'), join(folder, name)];
    writeFileSync(input, `n,mail,visitor\n1,${EMAIL},\n2,,${VISITOR}\n3,else@example.com,v-0000000001\n`);
    const map = 'email=mail,account:user.id=visitor';
    const args = [
      'export',
      '--destination',
      'acme',
      '--purpose',
      'audience',
      '--map',
      map,
      '--in',
      input,
      '--out',
      output,
    ];
    expect((await optgate(args, '', { env })).status).toBe(0);
    return readFileSync(output, 'utf8').match(/^\d/gm) ?? [];
  }

  test('an e-mail address on the page', async () => {
    expect(await sidecar.check(byDigest)).toMatchObject({ action: 'allow' });
    const page = await browser.newPage();
    await page.goto(`http://${sidecar.control}/privacy-choices`);
    await page.getByLabel('E-mail address').fill(EMAIL);
    await page.getByRole('button', { name: 'Opt out' }).click();
    await page.waitForURL(/status\?.*receipt=r_/);
    const [requestId = ''] = /r_[A-Za-z0-9_-]{22}/.exec(page.url()) ?? [];
    await page.close();

    await untilRestricted(byDigest, 'suppressed.email_sha256');
    await showsInForceEverywhere(requestId);
    expect(await exported('after-form.csv')).toEqual(['2', '3']);
  });

  test('nothing but the signal of the browser', async () => {
    expect(await sidecar.check(byVisitor)).toMatchObject({ action: 'allow' });
    const context = await browser.newContext(SIGNAL);
    await context.addCookies([{ name: 'visitor', value: VISITOR, url: `http://${sidecar.control}` }]);
    const page = await context.newPage();
    await page.goto(`http://${sidecar.control}/privacy-choices`);
    await expect.poll(() => page.textContent('main')).toContain('Opt-out request honored');
    await context.close();

    await untilRestricted(byVisitor, 'suppressed.account');
    const [found] = (await optgate(['status', '--kind', 'account:user.id', VISITOR], '', { env })).json();
    const [{ requestId, channel }] = found.requests;
    expect(channel).toBe('gpc');
    await showsInForceEverywhere(requestId);
    expect(await exported('after-signal.csv')).toEqual(['3']);
  });

  test('the trail has it all, verifies, and does not with one byte changed', async () => {
    const trail = join(folder, 'trail.ndjson');
    const kindsOf = () =>
      readFileSync(trail, 'utf8')
        .split('\n')
        .filter((line) => line.includes('"kind"'))
        .map((line) => JSON.parse(line).kind as string);
    const take = async () => {
      rmSync(trail, { force: true });
      expect((await optgate(['audit', 'export', '--out', trail], '', { env })).status).toBe(0);
      return kindsOf();
    };
    const wanted = ['request.opt_out', 'export.recorded', 'person.looked_up'];
    await expect.poll(take, { timeout: PATIENCE_MS, interval: 500 }).toEqual(expect.arrayContaining(wanted));
    expect((await optgate(['audit', 'verify', trail])).status).toBe(0);

    const text = readFileSync(trail, 'utf8');
    for (const secret of [EMAIL, VISITOR]) expect(text).not.toContain(secret);
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.includes('"export.recorded"'));
    const { n } = JSON.parse(lines[at] ?? '');
    lines[at] = (lines[at] ?? '').replace('"acme"', '"acmf"');
    writeFileSync(trail, lines.join('\n'));
    const verified = await optgate(['audit', 'verify', trail]);
    expect(verified.status).toBe(1);
    expect(verified.json()[0]).toMatchObject({ valid: false, fault: { entry: n } });
  });
});
