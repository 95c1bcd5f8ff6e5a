/**
 * The pictures of pages in docs: a sidecar with an empty ledger, and Chromium. `npm run screenshots [NAME…]`
 *
 * One row a picture. `open` brings the page to where it is to be seen; `size` is one of SIZES.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { resolveConfig, startSidecar } from '../../dist/sidecar/index.js';
import { smaller } from './png.mjs';

const SIZES = {
  phone: { width: 390, height: 780 },
  desktop: { width: 1120, height: 760 },
};
const BYTES_MAX = 150_000;
const FOLDER = import.meta.dirname;

const choices = (address) => async (page, origin) => page.goto(`${origin}/privacy-choices${address}`);

async function optOut(page, origin, address = '') {
  await page.goto(`${origin}/privacy-choices${address}`);
  await page.fill('#email', 'jane@example.com');
  await page.click('form[data-form] button');
  await page.waitForURL(/receipt=/);
  await page.waitForTimeout(1500); // until the sidecar has said that it has it
  await page.reload();
}

async function wrong(page, origin) {
  await page.goto(`${origin}/privacy-choices`);
  await page.fill('#email', 'jane at example.com');
  await page.click('form[data-form] button');
  await page.waitForSelector('[aria-invalid]');
}

async function confirm(page, origin) {
  await page.goto(`${origin}/privacy-choices/opt-in`);
  await page.fill('#email', 'jane@example.com');
  await page.click('form[data-form] button');
  await page.waitForSelector('[name=confirmation]', { state: 'attached' });
}

const SIGNAL = { extraHTTPHeaders: { 'sec-gpc': '1' } };
const DARK = { colorScheme: 'dark' };

/** Name, size, what to do, what the browser is like. */
const PICTURES = [
  ['choices-phone', 'phone', choices('')],
  ['choices-desktop', 'desktop', choices('')],
  ['choices-gpc-phone', 'phone', choices(''), SIGNAL],
  ['choices-gpc-desktop', 'desktop', choices(''), SIGNAL],
  ['choices-spanish-phone', 'phone', choices('?lang=es')],
  ['choices-spanish-desktop', 'desktop', choices('?lang=es')],
  ['choices-dark-phone', 'phone', choices(''), { ...SIGNAL, ...DARK }],
  ['choices-dark-desktop', 'desktop', choices(''), DARK],
  ['choices-error-phone', 'phone', wrong],
  ['choices-error-desktop', 'desktop', wrong],
  ['choices-receipt-phone', 'phone', optOut],
  ['choices-receipt-desktop', 'desktop', optOut],
  ['choices-status-phone', 'phone', choices('/status')],
  ['choices-status-desktop', 'desktop', choices('/status')],
  ['choices-opt-in-phone', 'phone', choices('/opt-in')],
  ['choices-opt-in-desktop', 'desktop', choices('/opt-in')],
  ['choices-confirm-phone', 'phone', confirm],
  ['choices-confirm-desktop', 'desktop', confirm],
  ['choices-embed-phone', 'phone', choices('/embed')],
];

const folder = await mkdtemp(join(tmpdir(), 'optgate-pictures-'));
const settings = {
  ledger: join(folder, 'ledger'),
  'data.listen': '127.0.0.1:0',
  'control.listen': '127.0.0.1:0',
  'log.level': 'error',
  'publicPages.enabled': true,
  'publicPages.optIn': 'form',
  'publicPages.siteName': 'Example Shop',
  'publicPages.contact': ['privacy@example.com', '+1 916 555 0100'],
  'publicPages.policyUrl': '/privacy',
};
const sidecar = await startSidecar(resolveConfig({ settings }).config);
const executablePath = process.env.OPTGATE_TEST_CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) throw new Error('expected Chromium; set OPTGATE_TEST_CHROMIUM');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const wanted = process.argv.slice(2);
try {
  for (const [name, size, open, likeness = {}] of PICTURES) {
    if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
    const context = await browser.newContext({ viewport: SIZES[size], reducedMotion: 'reduce', ...likeness });
    const page = await context.newPage();
    await open(page, `http://${sidecar.addresses.control[0]}`);
    const png = smaller(await page.screenshot({ fullPage: true }));
    await context.close();
    if (png.length > BYTES_MAX) throw new Error(`${name}: expected at most ${BYTES_MAX} bytes, got ${png.length}`);
    await writeFile(join(FOLDER, `${name}.png`), png);
    process.stdout.write(`${name}.png ${png.length}\n`);
  }
} finally {
  await browser.close();
  await sidecar.close();
  await rm(folder, { recursive: true, force: true });
}
