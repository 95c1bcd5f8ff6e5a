/**
 * The public pages over HTTP: headers, seals, foreign forms, limits, a ledger that is away, the status, and opting in again.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { GateError } from '../../../src/core/errors.js';
import type { Ledger } from '../../../src/ledger/index.js';
import { UNTRUSTED_PROXY_FACTOR } from '../../../src/sidecar/choices/limits.js';
import type { TestLedger } from '../control-plane/stand.js';
import {
  type Answer,
  ask,
  EMAIL,
  hiddenIn,
  openPagesLedger,
  receiptIn,
  type ServedPages,
  servePages,
  settingsOf,
  submit,
} from './stand.js';

let stand: TestLedger;
let served: ServedPages;
const CONTACT = {
  'publicPages.contact': ['privacy@example.com', '+1 916 555 0100', 'https://example.com/help', '1 Main St'],
};
beforeAll(async () => {
  stand = await openPagesLedger();
  served = await servePages(stand.ledger, {
    ...CONTACT,
    'publicPages.optIn': 'form',
    'publicPages.gpcUpdated': '2026-11-20',
  });
});
afterAll(async () => {
  await served?.close();
  await stand?.close();
});

/** Serves pages with other settings for as long as `work` takes. */
async function withPages(
  settings: Parameters<typeof servePages>[1],
  work: (port: number, other: ServedPages) => Promise<void>,
  ledger: Ledger | null = stand.ledger,
  options: Parameters<typeof servePages>[2] = {},
): Promise<void> {
  const other = await servePages(ledger, settings, options);
  try {
    await work(other.port, other);
  } finally {
    await other.close();
  }
}

describe('headers', () => {
  const POLICY =
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
  test.each(['', '/embed', '/status', '/opt-in', '/honored', '/nowhere', '/status?receipt=x'])('%s', async (path) => {
    const { headers, text } = await ask(served.port, `/privacy-choices${path}`);
    expect(headers).toMatchObject({
      'content-security-policy': POLICY,
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
    });
    expect(headers['set-cookie']).toBeUndefined();
    // what the policy would refuse
    expect(text).not.toMatch(/<style|<script(?! type="module" src=")| style="| on\w+="|javascript:/);
  });
  test('in a frame only of the sites that are set up, and opting in again in none', async () => {
    const frameAncestors = ['https://shop.example', 'https://*.other.example'];
    await withPages({ 'publicPages.frameAncestors': frameAncestors, 'publicPages.optIn': 'form' }, async (port) => {
      const ancestors = async (path: string) => {
        const { headers } = await ask(port, path);
        return [
          /frame-ancestors (.*)/.exec(headers['content-security-policy'] as string)?.[1],
          headers['x-frame-options'],
        ];
      };
      expect(await ancestors('/privacy-choices/embed')).toEqual([frameAncestors.join(' '), undefined]);
      expect(await ancestors('/privacy-choices/status?embed=1')).toEqual([frameAncestors.join(' '), undefined]);
      expect(await ancestors('/privacy-choices')).toEqual(["'none'", 'DENY']);
      expect(await ancestors('/privacy-choices/opt-in?embed=1')).toEqual(["'none'", 'DENY']);
      const wrong = await submit(port, {}, {}, '/privacy-choices/embed');
      expect(wrong.text).toContain('class="is-embedded"');
    });
  });
  test('styles and scripts: by their digest for good, by their name for a while', async () => {
    const { text } = await ask(served.port, '/privacy-choices');
    for (const [, url = ''] of text.matchAll(/(?:href|src)="(\/privacy-choices\/assets\/[^"]+)"/g)) {
      const asset = await ask(served.port, url);
      expect([asset.status, asset.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable']);
      expect((await ask(served.port, url.replace(/\?.*/, ''))).headers['cache-control']).toBe('public, max-age=300');
    }
    for (const name of ['../settings.ts', 'README.md', 'theme.css', '__proto__', 'choices.css/']) {
      const { status } = await ask(served.port, `/privacy-choices/assets/${name}`);
      expect([name, status]).toEqual([name, name === 'choices.css/' ? 200 : 404]);
    }
  });
});

test('a style sheet of the site’s own comes after ours', async () => {
  const path = join(inject('sharedFolder'), 'theme.css');
  await writeFile(path, ':root { --choices-accent: #7a1f5c; }');
  await withPages({ 'publicPages.stylesheet': path }, async (port) => {
    const { text } = await ask(port, '/privacy-choices');
    const sheets = [...text.matchAll(/<link rel="stylesheet" href="([^"]+)">/g)].map(([, url = '']) => url);
    expect(sheets.map((url) => /(\w+)\.css/.exec(url)?.[1])).toEqual(['choices', 'theme']);
    expect((await ask(port, sheets[1] ?? '')).text).toContain('#7a1f5c');
  });
});

test('the support of the signal, as GPC asks for it', async () => {
  const { status, headers, text } = await ask(served.port, '/.well-known/gpc.json');
  expect([status, headers['content-type'], text]).toEqual([
    200,
    'application/json',
    '{"gpc":true,"lastUpdate":"2026-11-20"}',
  ]);
  await withPages({}, async (port) => {
    expect((await ask(port, '/.well-known/gpc.json')).text).toBe('{"gpc":true}');
  });
});

describe('language', () => {
  test.each([
    ['/privacy-choices', 'es-MX', 'es'],
    ['/privacy-choices?lang=en', 'es', 'en'],
    ['/privacy-choices?lang=es', undefined, 'es'],
    ['/privacy-choices?lang=<b>', 'fr', 'en'],
  ] as const)('%s with %s', async (path, header, language) => {
    const headers: Record<string, string> = header === undefined ? {} : { 'accept-language': header };
    const { text, headers: answered } = await ask(served.port, path, { headers });
    expect(text).toContain(`<html lang="${language}">`);
    expect(answered['content-language']).toBe(language);
    expect(text).not.toContain('<b>');
  });
  test('stays from the form to the receipt', async () => {
    const answer = await submit(served.port, { email: 'es@example.com' }, {}, '/privacy-choices?lang=es');
    expect(answer.headers.location).toMatch(/^\/privacy-choices\/status\?receipt=r_[\w-]{22}&lang=es$/);
  });
});

describe('a form that is not from an open page of ours', () => {
  const email = 'sealed@example.com';
  test('without a seal, with another’s, with one of another form: an opt-out counts all the same', async () => {
    const optIn = hiddenIn((await ask(served.port, '/privacy-choices/opt-in')).text).seal ?? '';
    for (const seal of ['', 'x', optIn, `${'0'.repeat(8)}.${'A'.repeat(22)}.${'A'.repeat(43)}`]) {
      const answer = await submit(served.port, { seal, email });
      expect(answer.status).toBe(303);
      expect((await stand.ledger.request(receiptIn(answer))).status).toBe('complied');
    }
  });
  test('too old', async () => {
    let nowMs = 1_000_000;
    const formMs = settingsOf().limits.formMs;
    await withPages(
      {},
      async (port) => {
        const form = { ...hiddenIn((await ask(port, '/privacy-choices')).text), email, choice: 'all' };
        nowMs += formMs + 1;
        expect((await ask(port, '/privacy-choices', { form })).status).toBe(303);
      },
      stand.ledger,
      { now: () => nowMs },
    );
  });
  test.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
  ] as const)('from another site: %j', async (headers) => {
    const before = await ask(served.port, '/privacy-choices');
    const form = { ...hiddenIn(before.text), email: 'foreign@example.com', choice: 'all' };
    const answer = await ask(served.port, '/privacy-choices', { form, headers });
    expect([answer.status, answer.text.includes('Nothing was recorded.')]).toEqual([403, true]);
    expect((await stand.ledger.statusOf({ kind: 'email', value: 'foreign@example.com' })).rights).toEqual([]);
  });
});

describe('what is sent', () => {
  test('is bounded', async () => {
    const large = await ask(served.port, '/privacy-choices', { form: { email: 'x'.repeat(20_000) } });
    expect([large.status, large.text.includes('Nothing was recorded.')]).toEqual([413, true]);
    const json = await ask(served.port, '/privacy-choices', {
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(json.status).toBe(415);
  });
  test('and has to come', async () => {
    await withPages({ 'limits.pages.bodyMs': '150ms' }, async (port) => {
      const text = await new Promise<string>((resolve) => {
        const socket = connect(port, '127.0.0.1');
        let said = '';
        socket.on('data', (piece) => {
          said += piece;
        });
        socket.on('close', () => resolve(said));
        socket.write(
          'POST /privacy-choices HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na=',
        );
      });
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
    });
  });
  test.each([
    ['PUT', '/privacy-choices', 405, 'GET, HEAD, POST'],
    ['POST', '/privacy-choices/status', 405, 'GET, HEAD'],
    ['DELETE', '/.well-known/gpc.json', 405, 'GET, HEAD'],
    ['GET', '/privacy-choices/x/y', 404, undefined],
    ['GET', '/privacy-choices/%zz', 404, undefined],
    ['GET', '/privacy-choices/', 200, undefined],
    ['HEAD', '/privacy-choices', 200, undefined],
    ['GET', '/privacy-choicesx', 404, undefined],
  ] as const)('%s %s: %i', async (method, path, status, allow) => {
    const answer = await ask(served.port, path, { method });
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    if (method === 'HEAD') expect(answer.text).toBe('');
  });
});

describe('limits by address', () => {
  const sendMany = async (port: number, count: number, headers: (index: number) => Record<string, string>) => {
    const answers: Answer[] = [];
    for (let index = 0; index < count; index++) {
      answers.push(await ask(port, '/privacy-choices', { form: {}, headers: headers(index) }));
    }
    return answers.map(({ status }) => status);
  };
  const few = { 'limits.pages.submitsBurst': 3, 'limits.pages.submitsPerMinute': 1, ...CONTACT };

  test('a plain page that says when to come back and how else to do it', async () => {
    await withPages(few, async (port) => {
      await sendMany(port, 3, () => ({}));
      const late = await ask(port, '/privacy-choices', { form: {} });
      expect([late.status, late.headers['retry-after']]).toEqual([429, '60']);
      expect(late.text).toContain('href="mailto:privacy@example.com"');
      expect(late.text).toContain('href="tel:+19165550100"');
      expect(late.text).toContain('href="https://example.com/help"');
      expect(late.text).toContain('<li>1 Main St</li>');
      expect((await ask(port, '/privacy-choices')).status).toBe(200);
    });
  });
  test('what X-Forwarded-For says counts only from proxies that are trusted', async () => {
    const spoofed = (index: number) => ({ 'x-forwarded-for': `203.0.113.${index}` });
    await withPages(few, async (port) => {
      expect(await sendMany(port, 4, () => ({}))).toEqual([422, 422, 422, 429]);
      const site = await sendMany(port, 3 * UNTRUSTED_PROXY_FACTOR + 1, spoofed);
      expect([site.indexOf(429), site.lastIndexOf(422)]).toEqual([150, 149]);
    });
    await withPages({ ...few, 'publicPages.trustedProxies': ['127.0.0.1'] }, async (port) => {
      expect(await sendMany(port, 4, spoofed)).toEqual([422, 422, 422, 422]);
    });
  });
});

test('ids that are made up do not fill the ledger: visits with the signal have a limit of their own', async () => {
  const settings = {
    'publicPages.cookies': ['visitor=account:flood'],
    'limits.pages.signalsBurst': 2,
    'limits.pages.signalsPerMinute': 1,
    'limits.pages.submitsBurst': 1,
    'limits.pages.submitsPerMinute': 1,
  };
  await withPages(settings, async (port, other) => {
    for (let index = 0; index < 5; index++) {
      const headers = { 'sec-gpc': '1', cookie: `visitor=flood-${index}` };
      const page = await ask(port, '/privacy-choices', { headers });
      expect([page.status, page.text.includes('knows this browser is included')]).toEqual([200, index < 2]);
      await other.pages.close();
    }
    expect((await submit(port, { email: 'beside-signals@example.com' })).status).toBe(303);
  });
  const held = await Promise.all(
    [0, 1, 2, 3, 4].map((index) => stand.ledger.statusOf({ kind: 'account:flood', value: `flood-${index}` })),
  );
  expect(held.map(({ rights }) => rights.length > 0)).toEqual([true, true, false, false, false]);
});

describe('a ledger that is away', () => {
  const away = {
    recordOptOut: () => Promise.reject(new GateError('ledger.unavailable')),
    request: () => Promise.reject(new GateError('ledger.unavailable')),
    propagation: () => Promise.reject(new GateError('ledger.unavailable')),
  } as unknown as Ledger;
  test.each([
    ['not there yet', null],
    ['lost', away],
  ] as const)('%s: said as it is, with what was entered, and how else to do it', async (_, ledger) => {
    await withPages(
      CONTACT,
      async (port) => {
        const answer = await submit(port, { email: EMAIL });
        expect([answer.status, answer.headers['retry-after']]).toEqual([503, '60']);
        expect(answer.text).toContain('Your request was not recorded');
        expect(answer.text).toContain('privacy@example.com');
        expect(answer.text).toContain(`value="${EMAIL}"`);
        const status = await ask(port, `/privacy-choices/status?receipt=r_${'A'.repeat(22)}`);
        expect([status.status, status.text.includes('What was recorded before stays recorded.')]).toEqual([503, true]);
      },
      ledger,
    );
  });
  test('sent again when it is back, it is the same request', async () => {
    let ledger: Ledger | null = null;
    await withPages(
      {},
      async (port) => {
        const form = {
          ...hiddenIn((await ask(port, '/privacy-choices')).text),
          choice: 'all',
          email: 'back@example.com',
        };
        const refused = await ask(port, '/privacy-choices', { form });
        ledger = stand.ledger;
        const [one, two] = [
          await ask(port, '/privacy-choices', { form: { ...form, ...hiddenIn(refused.text) } }),
          await ask(port, '/privacy-choices', { form }),
        ];
        expect(receiptIn(one)).toBe(receiptIn(two));
      },
      null,
      { ledger: () => ledger },
    );
  });
  test('what nobody expected is a page too, and is told of', async () => {
    const broken = { recordOptOut: () => Promise.reject(new Error(EMAIL)) } as unknown as Ledger;
    await withPages(
      {},
      async (port, { failures }) => {
        const answer = await submit(port, { email: EMAIL });
        expect([answer.status, answer.text.includes('Your request was not recorded. Please try again.')]).toEqual([
          500,
          true,
        ]);
        expect(failures.length).toBe(1);
      },
      broken,
    );
  });
});

describe('the status', () => {
  test.each([
    ['', 422],
    ['x', 422],
    ['"><script>alert(1)</script>', 422],
    [`r_${'A'.repeat(22)}`, 404],
  ])('of %j', async (receipt, status) => {
    const answer = await ask(served.port, `/privacy-choices/status?receipt=${encodeURIComponent(receipt)}`);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain('<script>');
    expect(answer.text).toMatch(
      /<input id="receipt"[^>]* aria-invalid="true" aria-describedby="receipt-wrong" autofocus>/,
    );
  });
  test('of a list is nobody’s', async () => {
    const rows = [{ identifier: { kind: 'email', value: 'list@example.com' } }] as never;
    const { requestId } = await stand.ledger.importOptOuts(rows);
    expect((await ask(served.port, `/privacy-choices/status?receipt=${requestId}`)).status).toBe(404);
  });
  test('received, in force on how many, everywhere: as the enforcers report', async () => {
    const answer = await submit(served.port, { email: 'progress@example.com' });
    const page = async () => (await ask(served.port, `/privacy-choices/status?receipt=${receiptIn(answer)}`)).text;
    const first = await page();
    expect(first).toContain('Your opt-out is recorded');
    expect(first).toContain('Waiting for our systems to report');
    const { token } = await stand.ledger.receipt(receiptIn(answer));
    const [epoch = '', seq] = token?.split('.') ?? [];
    const report = (id: string, seq: number) =>
      stand.ledger.ack({
        id,
        name: id,
        role: 'sidecar',
        version: '1',
        leaseMs: 60_000,
        position: { epoch, seq },
        appliedAgeMs: 0,
        state: 'live',
        isLeaving: false,
      });
    await report('one', Number(seq));
    await report('two', Number(seq) - 1);
    expect(await page()).toContain('In force on 1 of 2 systems');
  });
});

describe('opting in again', () => {
  const optOut = (email: string) =>
    stand.ledger.recordOptOut({ identifiers: [{ kind: 'email', value: email }], channel: 'web_form' });
  const rights = async (email: string) => (await stand.ledger.statusOf({ kind: 'email', value: email })).rights;

  test('takes two steps; the first changes nothing', async () => {
    const email = 'again@example.com';
    await optOut(email);
    const first = await submit(served.port, { email }, {}, '/privacy-choices/opt-in');
    expect(first.status).toBe(200);
    expect(first.text).toContain('Confirm that you opt in again');
    expect(first.text).not.toContain(email);
    expect((await rights(email)).length).toBe(7);
    const second = await ask(served.port, '/privacy-choices/opt-in/confirm', { form: hiddenIn(first.text) });
    expect(second.status).toBe(303);
    // what this page does not offer stays as it was
    expect(await rights(email)).toEqual(['child', 'deletion']);
    const page = await ask(served.port, second.headers.location ?? '');
    expect(page.text).toContain('You are opted in again');
  });
  test('with a seal that is none, of another form or of another process it is refused, and nothing is recorded', async () => {
    const email = 'unsealed@example.com';
    await optOut(email);
    const known = async () => (await stand.ledger.statusOf({ kind: 'email', value: email })).requests.length;
    const before = await known();
    const ofOptOut = hiddenIn((await ask(served.port, '/privacy-choices')).text).seal ?? '';
    for (const seal of ['', 'x', ofOptOut, `${'0'.repeat(8)}.${'A'.repeat(22)}.${'A'.repeat(43)}`]) {
      const answer = await submit(served.port, { seal, email }, {}, '/privacy-choices/opt-in');
      expect([seal, answer.status]).toEqual([seal, 403]);
      expect(answer.text).not.toContain('name="confirmation"');
    }
    expect([await known(), (await rights(email)).length]).toEqual([before, 7]);
  });
  test('"stay" and "opt in" weigh the same', async () => {
    const { text } = await submit(served.port, { email: 'weigh@example.com' }, {}, '/privacy-choices/opt-in');
    expect(text).toMatch(
      /<a class="button" href="\/privacy-choices\?lang=en">Stay opted out<\/a><button type="submit">Opt in<\/button>/,
    );
  });
  test('with a confirmation that is wrong or used for another request nothing changes', async () => {
    const email = 'guess@example.com';
    await optOut(email);
    const first = await submit(served.port, { email }, {}, '/privacy-choices/opt-in');
    const form = { ...hiddenIn(first.text), confirmation: 'A'.repeat(43) };
    const answer = await ask(served.port, '/privacy-choices/opt-in/confirm', { form });
    expect([answer.status, answer.text.includes('you are still opted out')]).toEqual([422, true]);
    const unsealed = await ask(served.port, '/privacy-choices/opt-in/confirm', {
      form: { ...hiddenIn(first.text), seal: '' },
    });
    expect(unsealed.status).toBe(422);
    expect((await rights(email)).length).toBe(7);
  });
  test('is off unless it is turned on', async () => {
    await withPages(CONTACT, async (port) => {
      const page = await ask(port, '/privacy-choices/opt-in');
      expect(page.text).toContain('To opt in again, please contact us.');
      expect(page.text).not.toContain('<form');
      const seal = '';
      const answer = await ask(port, '/privacy-choices/opt-in', { form: { seal, email: EMAIL } });
      expect(answer.text).not.toContain('name="confirmation"');
    });
  });
  test('for this browser alone: by its cookie, and never by an id that was written into the form', async () => {
    const settings = {
      'publicPages.optIn': 'browser',
      'publicPages.cookies': ['visitor=account:shop'],
      'publicPages.embedKinds': ['account:shop'],
    } as const;
    const identifiers = ['v-1', 'v-2'].map((value) => ({ kind: 'account:shop', value }) as const);
    await stand.ledger.recordOptOut({ identifiers, channel: 'gpc' });
    await withPages(settings, async (port) => {
      const cookie = { cookie: 'visitor=v-1' };
      const fields = { 'id-kind': 'account:shop', id: 'v-2', email: 'guess@example.com' };
      const first = await submit(port, fields, cookie, '/privacy-choices/opt-in');
      const form = hiddenIn(first.text);
      expect((await ask(port, '/privacy-choices/opt-in/confirm', { form, headers: cookie })).status).toBe(303);
      const page = await ask(port, '/privacy-choices/opt-in', { headers: cookie });
      const stranger = await ask(port, '/privacy-choices/opt-in', { form: { ...hiddenIn(page.text), ...fields } });
      expect([stranger.status, stranger.headers.location]).toEqual([303, '/privacy-choices/opt-in?lang=en']);
    });
    const [one, two] = await Promise.all(
      identifiers.map(async (id) => (await stand.ledger.statusOf(id)).rights.length),
    );
    expect([one, two, (await rights('guess@example.com')).length]).toEqual([2, 7, 7]);
  });
});

test('no failure was told of', () => expect(served.failures).toEqual([]));
