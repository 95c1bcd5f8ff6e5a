/**
 * The pages in a real browser, over a real sidecar's parts: nothing breaks the content security policy, axe finds nothing,
 * hostile text is text, and what can be done is done by keyboard.
 * @module
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { exportRunIdOf, type Ledger } from '../../../src/ledger/index.js';
import { openBrowser, withBrowser } from '../../browser.js';
import { openTestLedger, type TestLedger, TOKENS } from '../control-plane/stand.js';
import { PROCESS, type ServedConsole, serveConsole } from './stand.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 860 };

/** Text that would do something if it were read as HTML, as a URL or as a pattern. */
const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>javascript:alert(3) {{7*7}} ' & <b>`;

withBrowser()('the console in a browser', () => {
  let browser: Browser;
  let own: TestLedger;
  let ledger: Ledger;
  let served: ServedConsole;
  let requestId: string;
  let runId: string;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    own = await openTestLedger({ canaryEveryMs: null });
    ledger = own.ledger;
    ({ requestId, runId } = await fillHostile(ledger));
    served = await serveConsole({
      ledger: () => ledger,
      process: () => ({ ...PROCESS, policyVersion: HOSTILE, unknownDestinationCount: 3 }),
      doors: () => null,
    });
    browser = await openBrowser();
  });
  afterEach(async () => {
    for (const one of contexts.splice(0)) await one.close();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
    await own?.close();
  });

  /** A page that is signed in, and everything that went wrong in it. */
  async function signedInPage(options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await browser.newContext({ viewport: DESK, ...options });
    contexts.push(context);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      // the routes that this version does not have
      const isMissing = message.text().includes('404') || message.text().includes('501');
      if (message.type() === 'error' && !isMissing) faults.push(message.text());
    });
    await page.addInitScript(
      "addEventListener('securitypolicyviolation', (event) => console.error('violates ' + event.violatedDirective))",
    );
    await page.goto(`${served.url}/console/sign-in`);
    await page.getByLabel('Token of an operator or auditor').fill(TOKENS.operator);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${served.url}/console`);
    return { page, faults };
  }

  const paths = () => [
    '/console',
    '/console/requests',
    `/console/requests/${requestId}`,
    `/console/requests/r_${'A'.repeat(22)}`,
    '/console/person',
    '/console/destinations',
    '/console/destination',
    `/console/destination?id=${encodeURIComponent(HOSTILE)}`,
    '/console/destination?id=nobody',
    '/console/exports',
    `/console/exports/${runId}`,
    '/console/explain',
    '/console/audit',
  ];

  async function goto(page: Page, path: string): Promise<void> {
    await page.goto(served.url + path);
    await expect.poll(() => page.locator('[aria-busy]').count()).toBe(0);
    await page.waitForSelector('#page > *');
  }

  async function axe(page: Page): Promise<readonly string[]> {
    await page.evaluate(AXE);
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    });
  }

  test.each([
    ['desk, light', { viewport: DESK, colorScheme: 'light' as const }],
    ['phone, dark', { viewport: PHONE, colorScheme: 'dark' as const }],
  ])('%s: every page is shown, keeps to the policy, fits, and axe finds nothing', async (_, options) => {
    const { page, faults } = await signedInPage(options);
    for (const path of paths()) {
      await goto(page, path);
      expect(await axe(page), path).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), path).toBeLessThanOrEqual(0);
      expect(await page.locator('main h1').count(), path).toBe(1);
      expect(faults, path).toEqual([]);
    }
  });

  test('hostile text is shown as text, wherever it comes from', async () => {
    const { page, faults } = await signedInPage();
    for (const path of paths()) {
      await goto(page, path);
      expect(await page.locator('main img, main script, main b').count(), path).toBe(0);
    }
    await goto(page, '/console');
    expect(await page.locator('main').innerText()).toContain(HOSTILE);
    await goto(page, '/console/requests');
    expect(await page.getByText(HOSTILE).count()).toBeGreaterThan(0);
    await goto(page, '/console/destinations');
    expect(await page.getByRole('link', { name: HOSTILE }).count()).toBe(1);
    await page.getByRole('link', { name: HOSTILE }).click();
    await page.getByLabel(/^Contract/).waitFor();
    expect(await page.getByLabel(/^Contract/).inputValue()).toBe(HOSTILE);
    await goto(page, `/console/exports/${runId}`);
    expect(await page.locator('pre').innerText()).toContain('<img src=x');
    await goto(page, '/console/explain');
    await page.getByLabel(/^GPP string/).fill(HOSTILE);
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('cannot be decoded').first().waitFor();
    await goto(page, '/console/person');
    await page.getByLabel('Kind').fill(HOSTILE);
    await page.getByLabel('Identifier').fill(HOSTILE);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.locator('.fault').waitFor();
    expect(await page.locator('main img, main script, main b').count()).toBe(0);
    expect(faults.filter((fault) => !fault.includes('422'))).toEqual([]);
  });

  test('the listener of violations works: a script that is put in is not run, and is told of', async () => {
    const { page, faults } = await signedInPage();
    await goto(page, '/console/person');
    await page.evaluate(
      "const script = document.createElement('script'); script.textContent = 'alert(1)'; document.body.append(script)",
    );
    await expect.poll(() => faults.some((fault) => fault.includes('script-src'))).toBe(true);
    expect(faults.some((fault) => fault.startsWith('dialog'))).toBe(false);
  });

  test('a request is found by its receipt number, and what became of it is told in order', async () => {
    const { page } = await signedInPage();
    await goto(page, '/console/requests');
    const receipt = page.getByLabel('Receipt number');
    await receipt.fill('r_x');
    await page.keyboard.press('Enter');
    expect(await page.getByRole('alert').innerText()).toContain('22 characters');
    await receipt.fill(requestId);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${served.url}/console/requests/${requestId}`);
    await page.getByText('In force everywhere').waitFor();
    const steps = await page.locator('.timeline h3').allInnerTexts();
    expect(steps.slice(0, 4)).toEqual(['Received', 'Processed', 'In force on 0 of 1 enforcer', 'In force everywhere']);
    const { epoch, seq } = await ledger.head();
    await report(ledger, { epoch, seq });
    // the page asks again by itself
    await page.getByText('In force on 1 of 1 enforcer').waitFor();
  });

  test('a list goes on where it ended, and keeps what was asked for in its URL', async () => {
    const { page } = await signedInPage();
    await goto(page, '/console/requests');
    const rows = page.locator('tbody tr');
    expect(await rows.count()).toBe(50);
    await page.getByRole('button', { name: 'Show earlier ones' }).click();
    await expect.poll(() => rows.count()).toBe(56);
    expect(await page.getByRole('button', { name: 'Show earlier ones' }).count()).toBe(0);
    await page.getByLabel('Channel').selectOption('phone');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await expect.poll(() => rows.count()).toBe(1);
    await page.reload();
    await expect.poll(() => rows.count()).toBe(1);
    expect(new URL(page.url()).search).toBe('?channel=phone');
  });

  test('a destination is added, changed, and not changed over somebody else', async () => {
    const { page } = await signedInPage();
    await goto(page, '/console/destination');
    await page.getByLabel(/^Id/).fill('acme/dsp 1');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.waitForURL(/destination\?id=acme%2Fdsp%201$/);
    await page.getByLabel('Role').selectOption('contractor');
    await page.getByLabel(/^Contract/).fill('MSA 7');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    expect(await ledger.getDestination('acme/dsp 1')).toMatchObject({
      role: 'contractor',
      contract: { reference: 'MSA 7' },
    });
    await ledger.putDestination({ id: 'acme/dsp 1', role: 'third_party' });
    await page.getByLabel(/^Contract/).fill('MSA 8');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Somebody else has changed it').waitFor();
    expect(await ledger.getDestination('acme/dsp 1')).toMatchObject({ role: 'third_party', contract: null });
    page.removeAllListeners('dialog');
    page.on('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.waitForURL(/destinations$/);
    expect(await ledger.getDestination('acme/dsp 1')).toBeNull();
  });

  test('a person is looked up without a trace in any URL', async () => {
    const { page } = await signedInPage();
    const urls: string[] = [];
    page.on('request', (request) => urls.push(request.url()));
    await goto(page, '/console/person');
    await page.getByLabel('Identifier').fill('jane@example.com');
    await page.keyboard.press('Enter');
    await page.getByText(/^Opted out: sale/).waitFor();
    expect(await page.locator('tbody').getByRole('link', { name: requestId }).count()).toBe(1);
    expect(urls.join('\n')).not.toMatch(/jane|example\.com/);
    expect(page.url()).not.toMatch(/jane/);
  });

  test('a string is explained as by the command line', async () => {
    const { page } = await signedInPage();
    await goto(page, '/console/explain');
    await page.getByLabel(/^GPP string/).fill('1YYN');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByRole('heading', { name: 'Section us_privacy' }).waitFor();
    const text = await page.locator('main').innerText();
    expect(text).toContain('Restricted');
    expect(text).toContain('usp.sale_opt_out');
    expect(await axe(page)).toEqual([]);
  });

  test('by keyboard alone: to the content, through the navigation, to the numbers of a chart', async () => {
    const { page } = await signedInPage();
    await goto(page, '/console');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    const numbers = page.locator('figure details:not([hidden]) > summary').first(); // a chart that has nothing to show has none
    await numbers.waitFor();
    await numbers.focus();
    await page.keyboard.press('Enter');
    await page.locator('details[open] .scroll').waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate("document.activeElement.getAttribute('role')")).toBe('region');
    expect(await page.locator('figure .plot').nth(1).getAttribute('aria-label')).toMatch(/^5\d opt-outs in 30 days/);
  });
});

async function report(ledger: Ledger, position: { epoch: string; seq: number } | null): Promise<void> {
  await ledger.ack({
    ...{ id: 'e', name: HOSTILE, role: 'sidecar', version: HOSTILE.slice(0, 64), leaseMs: 3_600_000 },
    ...{ position, appliedAgeMs: 0, state: 'live', isLeaving: false },
  });
}

/** Everything that a page shows and somebody outside may have written. */
async function fillHostile(ledger: Ledger): Promise<{ readonly requestId: string; readonly runId: string }> {
  const { epoch } = await ledger.head();
  await report(ledger, { epoch, seq: 0 });
  for (let index = 0; index < 55; index++) {
    const identifiers = [{ kind: 'email', value: `p${index}@example.com` }] as const;
    await ledger.recordOptOut({ identifiers, channel: index === 0 ? 'phone' : 'web_form', operator: HOSTILE });
  }
  const { requestId } = await ledger.recordOptOut({
    identifiers: [{ kind: 'email', value: 'jane@example.com' }],
    channel: 'web_form',
    operator: HOSTILE,
  });
  await ledger.putDestination({ id: HOSTILE, contract: { reference: HOSTILE, expires: '2020-01-01' } });
  const runId = exportRunIdOf(Buffer.alloc(16, 1));
  const manifest = { rows: { in: 2, kept: 1 }, note: HOSTILE, [HOSTILE]: HOSTILE };
  const run = {
    runId,
    destination: HOSTILE,
    purpose: 'audience',
    rights: ['sale'],
    startedAtMs: 1,
    finishedAtMs: 2,
    manifest,
  } as const;
  await ledger.recordExport(run, []);
  return { requestId, runId };
}
