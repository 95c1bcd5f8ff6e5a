/**
 * The public pages of a sidecar in a process of its own: on the control plane, or alone on an address of their own; and from the
 * form to a decision.
 * @module
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLedger } from '../../../src/ledger/index.js';
import { PAGES_LIMITS } from '../../../src/sidecar/choices/index.js';
import { ConfigError, resolveConfig, SETTING_NAMES, type SettingName, settingOf } from '../../../src/sidecar/config.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../../services.js';
import { maidOf, PATIENCE_MS, startSidecarProcess } from '../running.js';
import { ask, receiptIn, settingsOf, submit } from './stand.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optgate-choices-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const describeWithPostgres = await withService('PostgreSQL', POSTGRES_URL);

describeWithPostgres('in a process', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    await (await openLedger(database.url)).close(); // a sidecar does not migrate
  });
  afterAll(() => database?.drop());
  const bid = { id: 'r', imp: [{ id: '1' }], device: { ifa: maidOf(7) } };
  const patience = { timeout: 2 * PATIENCE_MS };

  test('alone on their address: nothing else is there, and they are nowhere else', {
    timeout: 6 * PATIENCE_MS,
  }, async () => {
    const key = join(folder, 'key');
    await writeFile(key, Buffer.alloc(32, 1));
    const args = ['--ledger', database.url, '--public-pages', '--public', '127.0.0.1:0'];
    const running = await startSidecarProcess([...args, '--set', `publicPages.keyFile=${key}`]);
    try {
      const listening = /(?:"sidecar.listening"[\s\S]*?){2}"sidecar.listening","address":"(127[^"]+)"/;
      const [, address = ''] = await running.until('stderr', listening, PATIENCE_MS);
      const port = Number(address.split(':').at(-1));
      await expect.poll(async () => (await running.onControl('/readyz')).status, patience).toBe(200);
      const receipt = receiptIn(await submit(port, { device: maidOf(7) }));
      await expect.poll(async () => (await running.check(bid)).reasons, patience).toContain('suppressed.maid');
      await expect
        .poll(async () => (await ask(port, `/privacy-choices/status?receipt=${receipt}`)).text, patience)
        .toMatch(/In force on 1 of 1 system<[\s\S]*In force everywhere<\/p>\s*<p class="when"><time/);
      for (const path of ['/', '/v1/status', '/v1/opt-outs', '/metrics', '/healthz', '/openapi.json', '/v1/snapshot']) {
        expect([path, (await ask(port, path)).status]).toEqual([path, 404]);
        expect([path, (await ask(port, path, { form: {} })).status]).toEqual([path, 404]);
      }
      expect((await running.onControl('/privacy-choices')).status).toBe(404);
      expect(running.said.stderr).not.toContain(receipt);
      expect(running.said.stderr).not.toContain(maidOf(7));
    } finally {
      await running.stop();
    }
    expect(await running.ended).toBe(0);
  });

  test('on the control plane, unless told; and not at all, unless told', async () => {
    const running = await startSidecarProcess(['--ledger', database.url, '--public-pages']);
    try {
      expect((await running.onControl('/privacy-choices')).text).toContain('Your privacy choices');
      expect((await running.onControl('/.well-known/gpc.json')).text).toBe('{"gpc":true}');
      expect(running.said.stderr).toContain('"event":"control.open"');
      expect(running.said.stderr).toContain('"event":"pages.on_open_control"');
      // a proxy that nobody has named: told once
      for (const address of ['203.0.113.1', '203.0.113.2']) {
        await running.onControl('/privacy-choices', { headers: { 'x-forwarded-for': address } });
      }
      await running.until('stderr', /"event":"pages.untrusted_proxy"/, PATIENCE_MS);
      expect(running.said.stderr.split('pages.untrusted_proxy')).toHaveLength(2);
      expect(running.said.stderr).not.toContain('203.0.113');
      await running.onControl('/privacy-choices/nowhere');
      await running.onControl('/privacy-choices/opt-in/confirm');
      await running.onControl('/console/audit');
      const { text } = await running.onControl('/metrics');
      expect(text).toContain('\noptgate_page_requests_total{page="form",site="choices",status="2xx"} 3\n');
      expect(text).toContain('\noptgate_page_requests_total{page="gpc",site="choices",status="2xx"} 1\n');
      expect(text).toContain('\noptgate_page_requests_total{page="other",site="choices",status="4xx"} 1\n');
      expect(text).toContain('optgate_page_requests_total{page="opt-in-confirm",site="choices"');
      expect(text).toContain('\noptgate_page_requests_total{page="audit",site="console",status="2xx"} 1\n');
      expect((await running.onControl('/openapi.json')).status).toBe(200);
      expect((await running.onControl('/privacy-choicesx')).headers.get('content-type')).toBe(
        'application/problem+json',
      );
      expect((await running.onData('/privacy-choices')).status).toBe(404);
    } finally {
      await running.stop();
    }
    const without = await startSidecarProcess(['--ledger', database.url]);
    try {
      expect((await without.onControl('/privacy-choices')).status).toBe(404);
    } finally {
      await without.stop();
    }
  });
});

describe('settings', () => {
  const fault = (settings: object) => {
    try {
      resolveConfig({ settings });
      return null;
    } catch (error) {
      return error instanceof ConfigError ? error.message : error;
    }
  };
  test.each([
    [{ 'publicPages.listen': '0.0.0.0:80' }, /publicPages.listen: expected publicPages.enabled too/],
    [{ 'publicPages.enabled': true, from: 'https://x' }, /publicPages.enabled: the public pages record in a ledger/],
    [{ 'publicPages.cookies': ['visitor'] }, /publicPages.cookies\[0\]: expected COOKIE=KIND/],
    [{ 'publicPages.cookies': ['visitor=email'] }, /publicPages.cookies\[0\]: expected COOKIE=KIND/],
    [{ 'publicPages.embedKinds': ['email'] }, /publicPages.embedKinds\[0\]: expected account:/],
    [{ 'publicPages.frameAncestors': ['*'] }, /publicPages.frameAncestors\[0\]: expected an origin/],
    [{ 'publicPages.frameAncestors': ["https://a.example; script-src 'unsafe-inline'"] }, /expected an origin/],
    [{ 'publicPages.frameAncestors': ['https://a.example/path'] }, /expected an origin/],
    [{ 'publicPages.trustedProxies': ['10.0.0.0/33'] }, /publicPages.trustedProxies\[0\]: expected an address/],
    [{ 'publicPages.trustedProxies': ['example.com'] }, /publicPages.trustedProxies\[0\]: expected an address/],
    [{ 'publicPages.policyUrl': 'javascript:alert(1)' }, /publicPages.policyUrl: expected a link/],
    [{ 'publicPages.policyUrl': '//evil.example' }, /publicPages.policyUrl: expected a link/],
    [{ 'publicPages.gpcUpdated': '2026-02-30' }, /publicPages.gpcUpdated: expected a day/],
    [{ 'publicPages.optIn': 'yes' }, /publicPages.optIn: expected one of off, browser, form/],
  ])('%j', (settings, message) => expect(fault(settings)).toMatch(message));

  test('each is in the document, with the limits as they are, and so is each variable of the style sheet', () => {
    const document = readFileSync('docs/privacy-choices.md', 'utf8');
    for (const name of SETTING_NAMES.filter((one) => one.startsWith('publicPages.')))
      expect(document).toContain(`\`${name}\``);
    for (const [name, value] of Object.entries(PAGES_LIMITS)) {
      const shown = settingOf(`limits.pages.${name}` as SettingName).show(value);
      const text =
        typeof shown === 'number' ? shown.toLocaleString('en-US') : String(shown).replace(/(?<=\d)(?=[A-Za-z])/, ' ');
      expect(document).toContain(`\`${name}\` ${text}`);
    }
    const styles = readFileSync('src/sidecar/assets/choices/choices.css', 'utf8');
    const variables = new Set([...styles.matchAll(/--choices(-[a-z-]+):/g)].map(([, name = '']) => name));
    expect([...variables].filter((name) => !document.includes(`${name}\``))).toEqual([]);
  });
  test('may be written in the environment', () => {
    const env = {
      OPTGATE_PUBLIC_PAGES_ENABLED: 'true',
      OPTGATE_PUBLIC_PAGES_COOKIES: 'visitor=account:shop, b=EID:Shop.example',
      OPTGATE_PUBLIC_PAGES_TRUSTED_PROXIES: '10.0.0.0/8,unix,::1',
    };
    expect(resolveConfig({ env }).config).toMatchObject({
      'publicPages.enabled': true,
      'publicPages.cookies': [
        { cookie: 'visitor', kind: 'account:shop' },
        { cookie: 'b', kind: 'eid:shop.example' },
      ],
      'publicPages.trustedProxies': ['10.0.0.0/8', 'unix', '::1'],
    });
  });
  test('files that cannot be used are refused at the start', async () => {
    const short = join(folder, 'short');
    await writeFile(short, 'x');
    expect(() => settingsOf({ 'publicPages.keyFile': short })).toThrow('expected at least 32 bytes, got 1');
    expect(() => settingsOf({ 'publicPages.stylesheet': join(folder, 'nowhere') })).toThrow('cannot be read (ENOENT)');
  });
});
