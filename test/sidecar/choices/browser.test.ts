/**
 * The public pages in Chromium: no violation that axe-core knows of on any page in either language, by the keyboard alone,
 * without scripts, with the signal as header and as property, in a frame of another site, on a narrow phone.
 * @module
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, withBrowser } from '../../browser.js';
import type { TestLedger } from '../control-plane/stand.js';
import { openPagesLedger, type ServedPages, servePages } from './stand.js';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SIGNAL = { extraHTTPHeaders: { 'sec-gpc': '1' } };

const describeInBrowser = withBrowser();
let stand: TestLedger;
let served: ServedPages;
let site: { readonly origin: string; close(): void };
let browser: Browser;

beforeAll(async () => {
  stand = await openPagesLedger();
  site = await serveSite();
  served = await servePages(stand.ledger, {
    'publicPages.optIn': 'form',
    'publicPages.siteName': 'Example Shop',
    'publicPages.contact': ['privacy@example.com', '+1 916 555 0100'],
    'publicPages.policyUrl': '/privacy',
    'publicPages.frameAncestors': [site.origin],
    'publicPages.embedKinds': ['account:shop'],
    'limits.pages.submitsBurst': 1000,
    'limits.pages.looksBurst': 100_000,
  });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
  site?.close();
  await stand?.close();
});

/** A page of another origin that embeds ours. */
async function serveSite(): Promise<typeof site> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://x');
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1>
<script src="${searchParams.get('from')}/privacy-choices/assets/embed.js" data-id-kind="account:shop" data-id="v-77"></script></main>`);
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

/** A page of a browser of its own. What the policy of a page refuses, or throws, fails the test. */
async function inBrowser(work: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // the status of an answer is not a fault of the page
    if (message.type() === 'error' && !/status of (?:4|5)\d\d/.test(message.text())) faults.push(message.text());
  });
  try {
    await work(page);
    expect(faults).toEqual([]);
  } finally {
    await context.close();
  }
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = await page.evaluate(
    (tags) =>
      (globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } }).axe.run({
        runOnly: tags,
      }),
    WCAG,
  );
  return found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`,
  );
}

const open = (path: string) => async (page: Page) => {
  await page.goto(`${served.url}/privacy-choices${path}`);
};
const mark = (path: string, language: string) => `${path}${path.includes('?') ? '&' : '?'}lang=${language}`;

async function sendForm(page: Page, path: string, email: string): Promise<void> {
  await open(path)(page);
  if (email !== '') await page.fill('#email', email);
  await page.click('form[data-form] button');
  await page.waitForLoadState();
}

/** Every page there is, and how to get there. */
const PAGES: readonly (readonly [string, (page: Page, language: string) => Promise<void>])[] = [
  ['form', (page, language) => open(mark('', language))(page)],
  ['form in a frame', (page, language) => open(mark('/embed', language))(page)],
  ['form with an error', (page, language) => sendForm(page, mark('', language), 'jane at example')],
  ['empty form', (page, language) => sendForm(page, mark('', language), '')],
  ['receipt', (page, language) => sendForm(page, mark('', language), 'axe@example.com')],
  ['status', (page, language) => open(mark('/status', language))(page)],
  ['status of nothing', (page, language) => open(mark(`/status?receipt=r_${'A'.repeat(22)}`, language))(page)],
  ['honored', (page, language) => open(mark('/honored', language))(page)],
  ['opt in', (page, language) => open(mark('/opt-in', language))(page)],
  ['opt in with an error', (page, language) => sendForm(page, mark('/opt-in', language), 'jane')],
  ['confirm', (page, language) => sendForm(page, mark('/opt-in', language), 'axe@example.com')],
  ['not found', (page, language) => open(mark('/nowhere', language))(page)],
];

describeInBrowser('axe finds nothing', () => {
  describe.each(['en', 'es'])('%s', (language) => {
    test.each(PAGES)('%s', async (_, goTo) => {
      await inBrowser(async (page) => {
        await goTo(page, language);
        expect(await page.getAttribute('html', 'lang')).toBe(language);
        expect(await violations(page)).toEqual([]);
        await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
        expect(await violations(page)).toEqual([]);
      });
    });
    test('with the signal', async () => {
      await inBrowser(async (page) => {
        await open(mark('', language))(page);
        expect(await violations(page)).toEqual([]);
        await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
        expect(await violations(page)).toEqual([]);
      }, SIGNAL);
    });
    test('nothing is cut off at 320 pixels, nor when text is twice as large', async () => {
      await inBrowser(
        async (page) => {
          for (const [name, goTo] of PAGES) {
            await goTo(page, language);
            const overflow = () =>
              page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
            expect([name, await overflow()]).toEqual([name, 0]);
          }
          await open(mark('', language))(page);
          await page.evaluate("document.documentElement.style.fontSize = '200%'");
          expect(
            await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
          ).toBe(0);
        },
        { viewport: { width: 320, height: 640 } },
      );
    });
  });
});

const focused = (page: Page) =>
  page.evaluate<string>("document.activeElement?.id || document.activeElement?.textContent || ''");
const receiptOf = (page: Page) => /receipt=(r_[\w-]{22})/.exec(page.url())?.[1] ?? '';
const rightsOf = async (value: string) => (await stand.ledger.statusOf({ kind: 'email', value })).rights;

describeInBrowser('by the keyboard alone', () => {
  test('from the first key to the receipt, and every stop is seen', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      const stops: string[] = [];
      const tab = async () => {
        await page.keyboard.press('Tab');
        stops.push(await focused(page));
        const outline = await page.evaluate<string>(
          "getComputedStyle(document.activeElement.closest('.choice') ?? document.activeElement).outlineStyle",
        );
        expect([stops.at(-1), outline]).toEqual([stops.at(-1), 'solid']);
      };
      await tab();
      expect(stops).toEqual(['Skip to the main part']);
      await page.keyboard.press('Enter');
      await tab();
      await page.keyboard.type('keyboard@example.com');
      for (let stop = 0; stop < 9; stop++) await tab();
      expect(stops.slice(1)).toEqual([
        'email',
        'phone',
        'device',
        'choice-all',
        'choice-sale',
        'choice-share',
        'choice-targeted_ads',
        'choice-sensitive',
        'choice-profiling',
        'Opt out',
      ]);
      await page.keyboard.press('Space');
      await page.waitForURL(/receipt=/);
      expect((await rightsOf('keyboard@example.com')).length).toBe(5);
    });
  });
  test('an error puts the focus into the field it is about, with the value kept', async () => {
    await inBrowser(async (page) => {
      await sendForm(page, '', 'jane at example');
      expect(await focused(page)).toBe('email');
      expect(await page.inputValue('#email')).toBe('jane at example');
      const described = (await page.getAttribute('#email', 'aria-describedby'))?.split(' ') ?? [];
      expect(await page.textContent(`#${described[0]}`)).toContain('Enter an e-mail address');
      await page.keyboard.press('ControlOrMeta+a');
      await page.keyboard.type('mended@example.com');
      await page.keyboard.press('Enter');
      await page.waitForURL(/receipt=/);
    });
  });
});

describeInBrowser('without scripts', () => {
  const OFF = { javaScriptEnabled: false };
  test('all of it: out, status, in again', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      await page.fill('#email', 'plain@example.com');
      await page.click('text="Opt out"');
      await page.waitForURL(/receipt=/);
      const receipt = receiptOf(page);
      expect(await page.isVisible('[data-copy]')).toBe(false);
      await page.click('text="Status of a request"');
      await page.fill('#receipt', receipt);
      await page.click('text="Show status"');
      expect(await page.textContent('h1')).toBe('Your opt-out is recorded');
      await page.click('text="Opt in again"');
      await page.fill('#email', 'plain@example.com');
      await page.click('text="Continue"');
      expect(await page.textContent('h1')).toBe('Confirm that you opt in again');
      expect((await rightsOf('plain@example.com')).length).toBe(5);
      await page.click('text="Opt in"');
      await page.waitForURL(/receipt=/);
      expect(await page.textContent('h1')).toBe('You are opted in again');
      expect(await rightsOf('plain@example.com')).toEqual([]);
    }, OFF);
  });
  test('reloading the receipt sends nothing again', async () => {
    await inBrowser(async (page) => {
      await sendForm(page, '', 'reload@example.com');
      await page.waitForURL(/receipt=/);
      const receipt = receiptOf(page);
      await page.reload();
      expect(receiptOf(page)).toBe(receipt);
      const { requests } = await stand.ledger.statusOf({ kind: 'email', value: 'reload@example.com' });
      expect(requests.length).toBe(1);
    }, OFF);
  });
});

describeInBrowser('the signal', () => {
  test('as a header: shown, no pop-up, and one press without any field', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      expect(await page.isVisible('text="Opt-out request honored"')).toBe(true);
      expect(await page.evaluate("document.querySelectorAll('dialog, [role=dialog], [role=alertdialog]').length")).toBe(
        0,
      );
      await page.click('text="Opt out"');
      await page.waitForURL(/honored/);
    }, SIGNAL);
  });
  test('as a property of the browser alone', async () => {
    await inBrowser(async (page) => {
      await page.addInitScript(
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })",
      );
      await open('')(page);
      expect(await page.isVisible('text="Opt-out request honored"')).toBe(true);
      expect(await page.textContent('#who-hint')).toContain('your browser is covered already');
      await page.click('text="Opt out"');
      await page.waitForURL(/honored/);
    });
  });
  test('not there: not shown', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      expect(await page.isVisible('[data-signal]')).toBe(false);
    });
  });
});

describeInBrowser('with scripts', () => {
  test('"all" and some of it let go of each other', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      const chosen = () =>
        page.evaluate<string[]>("[...document.querySelectorAll('[name=choice]:checked')].map((box) => box.value)");
      await page.click('text="Sale"');
      await page.click('text="Profiling"');
      expect(await chosen()).toEqual(['sale', 'profiling']);
      await page.click('text="All of it"');
      expect(await chosen()).toEqual(['all']);
    });
  });
  test('a double click is one request', async () => {
    await inBrowser(async (page) => {
      await open('')(page);
      await page.fill('#email', 'double@example.com');
      await page.dblclick('text="Opt out"');
      await page.waitForURL(/receipt=/);
      const { requests } = await stand.ledger.statusOf({ kind: 'email', value: 'double@example.com' });
      expect(requests.length).toBe(1);
    });
  });
  test('back from the receipt the form can be sent again, for somebody else', async () => {
    await inBrowser(async (page) => {
      await sendForm(page, '', 'first@example.com');
      await page.waitForURL(/receipt=/);
      await page.goBack();
      await page.fill('#email', 'second@example.com');
      await page.click('text="Opt out"');
      await page.waitForURL(/receipt=/);
      expect((await rightsOf('second@example.com')).length).toBe(5);
    });
  });
});

describeInBrowser('in a frame', () => {
  const around = () => `${site.origin}/?from=${encodeURIComponent(served.url)}`;
  test('of a site that is set up: as high as it is, with the id it passes, to the receipt', async () => {
    await inBrowser(async (page) => {
      await page.goto(around());
      const frame = page.frameLocator('iframe');
      await expect.poll(() => page.getAttribute('iframe', 'height')).not.toBe('900');
      await expect.poll(() => frame.locator('#who-hint').textContent()).toContain('this browser only');
      expect(
        await frame.locator('html').evaluate('document.documentElement.scrollHeight <= window.innerHeight + 1'),
      ).toBe(true);
      await frame.locator('text="Opt out"').click();
      await frame.locator('text="Your opt-out is recorded"').waitFor();
      const { rights } = await stand.ledger.statusOf({ kind: 'account:shop', value: 'v-77' });
      expect(rights.length).toBe(5);
      expect(
        page
          .frames()
          .map((one) => one.url())
          .join(' '),
      ).not.toContain('v-77');
    });
  });
  test('of any other site it is not shown', async () => {
    const other = await servePages(stand.ledger, { 'publicPages.frameAncestors': ['https://elsewhere.example'] });
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`${site.origin}/?from=${encodeURIComponent(other.url)}`);
      await expect.poll(() => page.frames()[1]?.url()).toMatch(/^chrome-error:/);
    } finally {
      await context.close();
      await other.close();
    }
  });
});

describeInBrowser('what somebody enters', () => {
  test('is text wherever it comes back, and runs nowhere', async () => {
    await inBrowser(async (page) => {
      await page.addInitScript('window.alert = () => { document.title = "ran"; }');
      for (const text of [
        '"><script>alert(1)</script>',
        "' onfocus='alert(1)' autofocus '",
        '<img src=x onerror=alert(1)>',
      ]) {
        await open('')(page);
        for (const field of ['email', 'phone', 'device']) await page.fill(`#${field}`, text);
        await page.click('text="Opt out"');
        await page.waitForSelector('[aria-invalid]');
        expect(await page.inputValue('#email')).toBe(text);
        expect(await page.title()).toContain('Error: Your privacy choices');
        await open(`/status?receipt=${encodeURIComponent(text)}`)(page);
        expect(await page.inputValue('#receipt')).toBe(text);
      }
    });
  });
});

test('no page failed', () => expect(served.failures).toEqual([]));
