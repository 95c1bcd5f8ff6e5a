/**
 * Takes the pictures of docs/console.md: every page at the width of a phone and of a desk, from a sidecar with a ledger that
 * is made for it. `npm run build`, then `node docs/images/console.mjs [folder]`.
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { PERSON, seed } from './console-seed.mjs';
import { smaller } from './png.mjs';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const OUT = process.argv[2] ?? fileURLToPath(new URL('.', import.meta.url));
const TOKEN = 'operator-token-for-pictures-0123456789';
const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 860 } };
const BYTES_MAX = 150_000;
const HEIGHT_MAX = 1240;
const LIST_HEIGHT = 720;

const folder = mkdtempSync(join(tmpdir(), 'optgate-images-'));
const { requestId, runId } = await seed(join(folder, 'ledger'));
const sidecar = spawn(
  process.execPath,
  [
    MAIN,
    'serve',
    '--ledger',
    join(folder, 'ledger'),
    '--data',
    '127.0.0.1:0',
    '--control',
    '127.0.0.1:0',
    '--name',
    'control-1',
  ],
  {
    env: { PATH: process.env.PATH, OPTGATE_CONTROL_TOKENS: `operator:privacy-desk ${TOKEN}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  },
);
try {
  const [data, control] = await addresses(sidecar);
  await decide(data);
  const browser = await chromium.launch({
    executablePath: process.env.OPTGATE_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  for (const [name, viewport] of Object.entries(WIDTHS)) await picturesAt(browser, name, viewport, `http://${control}`);
  await browser.close();
} finally {
  sidecar.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}

async function addresses(child) {
  let said = '';
  for await (const piece of child.stderr) {
    said += piece;
    const found = said.match(/"sidecar.listening","address":"(127[^"]+)"[\s\S]*?"address":"(127[^"]+)"/);
    if (found === null) continue;
    child.stderr.resume();
    return found.slice(1);
  }
  throw new Error(said);
}

/** Some decisions over half a minute, so that the charts have something to show. */
async function decide(data) {
  const strings = ['DBABLA~BVVqAAAAAgA.YA', 'DBABBg~BVWSSSVY.YA'];
  for (let turn = 0; turn < 9; turn++) {
    for (let index = 0; index < 60; index++) {
      const regs =
        index % 3 === 0
          ? { gpp: strings[index % 2], gpp_sid: [index % 2 === 0 ? 7 : 8] }
          : { us_privacy: index % 7 === 0 ? '1YYN' : '1YNN' };
      const body = JSON.stringify({
        id: 'r',
        imp: [{ id: '1' }],
        device: { ifa: `6d92078a-8246-4ba4-ae5b-0000000000${10 + index}` },
        regs,
      });
      await fetch(`http://${data}/v1/check?destination=acme-dsp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
}

async function picturesAt(browser, name, viewport, origin) {
  const context = await browser.newContext({
    viewport,
    deviceScaleFactor: 1,
    colorScheme: name.endsWith('dark') ? 'dark' : 'light',
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(name, error));
  page.on('console', (message) => message.type() === 'error' && console.error(name, message.text()));
  await page.goto(`${origin}/console/sign-in`);
  await picture(page, `console-sign-in-${name}.png`);
  await page.fill('#token', TOKEN);
  await page.click('button[type=submit]');
  const pages = {
    overview: '/console',
    requests: '/console/requests',
    request: `/console/requests/${requestId}`,
    person: '/console/person',
    destinations: '/console/destinations',
    destination: '/console/destination?id=fabrikam-clean-room',
    exports: '/console/exports',
    export: `/console/exports/${runId}`,
    explain: '/console/explain',
    audit: '/console/audit',
  };
  for (const [what, path] of Object.entries(pages)) {
    await page.goto(origin + path);
    await page.waitForSelector('#page:not([aria-busy])');
    await page.waitForFunction(() => document.querySelector('[aria-busy]') === null);
    await act(page, what);
    await page.waitForTimeout(600);
    await picture(page, `console-${what}-${name}.png`);
  }
  await context.close();
}

async function act(page, what) {
  if (what === 'person' && (await page.$('[name=value]')) !== null) {
    await page.fill('[name=value]', PERSON.value);
    await page.click('main button[type=submit]');
    await page.waitForSelector('main table, main .empty');
  }
  if (what === 'explain' && (await page.$('[name=gpp]')) !== null) {
    await page.fill('[name=gpp]', 'DBABLA~BVVqAAAAAgA.YA');
    await page.fill('[name=gpp_sid]', '7');
    await page.click('main button[type=submit]');
    await page.waitForSelector('main table');
  }
}

/** The page as far as its first screens go: lists go on for long. */
async function picture(page, file) {
  const { width, height } = page.viewportSize();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({
    width,
    height: Math.min(whole, /-(?:requests|audit)-/.test(file) ? LIST_HEIGHT : HEIGHT_MAX),
  });
  const bytes = smaller(await page.screenshot());
  await page.setViewportSize({ width, height });
  writeFileSync(join(OUT, file), bytes);
  if (bytes.length > BYTES_MAX) console.error(`${file}: ${bytes.length} bytes, more than ${BYTES_MAX}`);
}
