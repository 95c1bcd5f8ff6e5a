/**
 * Opting out by the form, without scripts: what is recorded, what is answered, and what is in no address.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestLedger, type TestLedger } from '../control-plane/stand.js';
import { ask, EMAIL, hiddenIn, receiptIn, type ServedPages, servePages, submit } from './stand.js';

let stand: TestLedger;
let served: ServedPages;
beforeAll(async () => {
  stand = await openTestLedger({ tokenWaitMs: 200 });
  served = await servePages(stand.ledger, {
    'publicPages.cookies': ['visitor=account:shop'],
    'publicPages.embedKinds': ['account:shop'],
    'publicPages.contact': ['privacy@example.com'],
  });
});
afterAll(async () => {
  await served.close();
  await stand.close();
});

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const OFFERED = ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling'];
const BY_SIGNAL = ['sale', 'share', 'targeted_ads'];
const SIGNAL = { 'sec-gpc': '1' };
const account = (value: string) => ({ kind: 'account:shop', value }) as const;
const rightsOf = async (value: string) => (await stand.ledger.statusOf(account(value))).rights;

describe('one identifier is enough', () => {
  test.each([
    ['email', EMAIL, { kind: 'email', value: EMAIL }],
    ['phone', '(916) 555-0100', { kind: 'phone', value: '+19165550100' }],
    ['device', MAID, { kind: 'maid', value: MAID.toUpperCase() }],
    ['device', MAID.replaceAll('-', ''), { kind: 'ctv', value: MAID }],
    ['device', 'ABCD1234EFGH', { kind: 'ctv', value: 'abcd1234efgh' }],
  ] as const)('%s', async (field, entered, identifier) => {
    const answer = await submit(served.port, { [field]: entered });
    expect(answer.status).toBe(303);
    const receipt = receiptIn(answer);
    const record = await stand.ledger.request(receipt);
    expect(record).toMatchObject({ channel: 'web_form', nature: 'opt_out', rights: OFFERED });
    expect((await stand.ledger.statusOf(identifier)).rights).toEqual(OFFERED);
    expect(JSON.stringify(answer)).not.toContain(entered);
    const status = await ask(served.port, answer.headers.location ?? '');
    expect(status.text).toContain(receipt);
    expect(status.text).not.toContain(entered);
  });
});

test('a form sent twice is one request; changed and sent again it is another', async () => {
  const page = await ask(served.port, '/privacy-choices');
  const form = { ...hiddenIn(page.text), choice: 'all', email: 'twice@example.com' };
  const [one, two] = await Promise.all([1, 2].map(() => ask(served.port, '/privacy-choices', { form })));
  const other = await ask(served.port, '/privacy-choices', { form: { ...form, email: 'other@example.com' } });
  expect(one && two && receiptIn(one) === receiptIn(two)).toBe(true);
  expect(one && receiptIn(other) === receiptIn(one)).toBe(false);
});

describe('choices', () => {
  test('some, beside all', async () => {
    const page = await ask(served.port, '/privacy-choices');
    const send = (...choices: string[]) =>
      ask(served.port, '/privacy-choices', {
        form: [
          ...Object.entries({ ...hiddenIn(page.text), email: 'some@example.com' }),
          ...choices.map((choice) => ['choice', choice] as const),
        ],
      });
    const rights = async (...choices: string[]) =>
      (await stand.ledger.request(receiptIn(await send(...choices)))).rights;
    expect(await rights('sale', 'profiling')).toEqual(['sale', 'profiling']);
    expect(await rights('sale', 'all')).toEqual(OFFERED);
    expect(await rights('profiling', 'nonsense', '__proto__')).toEqual(['profiling']);
    const none = await send('nonsense');
    expect([none.status, none.text.includes('Choose at least one')]).toEqual([422, true]);
  });
  test('with the signal none of them takes back what it asks for', async () => {
    const answer = await submit(served.port, { email: 'signal@example.com', choice: 'profiling' }, SIGNAL);
    expect((await stand.ledger.request(receiptIn(answer))).rights).toEqual([...BY_SIGNAL, 'profiling']);
  });
  test('"all" is the first, and each is marked up like each other', async () => {
    const { text } = await ask(served.port, '/privacy-choices');
    const cards = [...text.matchAll(/<div class="choice">[\s\S]*?<\/div>/g)].map(([card]) =>
      card.replace(/(?:choice|detail)-\w+|value="\w+"| checked|>[^<]+</g, ''),
    );
    expect([...text.matchAll(/name="choice" value="(\w+)"/g)].map(([, value]) => value)).toEqual(['all', ...OFFERED]);
    expect([cards.length, new Set(cards).size]).toEqual([6, 1]);
    expect(text.match(/<button/g)?.length).toBe(1);
  });
});

describe('the signal', () => {
  test('alone is enough: nobody is named, nothing is stored', async () => {
    const answer = await submit(served.port, {}, SIGNAL);
    expect([answer.status, answer.headers.location]).toEqual([303, '/privacy-choices/honored?lang=en']);
    const page = await ask(served.port, answer.headers.location ?? '');
    expect(page.text).toContain('Opt-out request honored');
  });
  test.each(['0', 'true', '1, 1', ''])('is exactly 1, not %j', async (value) => {
    const page = await ask(served.port, '/privacy-choices', { headers: { 'sec-gpc': value } });
    expect(page.text).toMatch(/data-signal hidden/);
    expect((await submit(served.port, {}, { 'sec-gpc': value })).status).toBe(422);
  });
  test('is shown in the page, on the first visit', async () => {
    const page = await ask(served.port, '/privacy-choices', { headers: SIGNAL });
    expect(page.text).toMatch(/data-signal>/);
    expect(page.text).toContain('Opt-out request honored');
    expect(page.text).not.toMatch(/<dialog|role="alert|role="dialog/);
  });
  test('of a browser the site knows opts its id out by the visit itself', async () => {
    const headers = { ...SIGNAL, cookie: 'visitor=by-visit' };
    const page = await ask(served.port, '/privacy-choices', { headers });
    expect(page.text).toContain('The ID by which this site knows this browser is included.');
    await served.pages.close();
    expect(await rightsOf('by-visit')).toEqual(BY_SIGNAL);
    const { requests } = await stand.ledger.statusOf(account('by-visit'));
    expect(requests).toMatchObject([{ channel: 'gpc', nature: 'opt_out' }]);
    for (let visits = 0; visits < 3; visits++) await ask(served.port, '/privacy-choices', { headers });
    await served.pages.close();
    expect((await stand.ledger.statusOf(account('by-visit'))).requests.length).toBe(1);
  });
  test('waits while the ledger is away; what is given up is counted, and the page promises nothing beyond', async () => {
    let ledger: typeof stand.ledger | null = null;
    const dropped: number[] = [];
    const options = { ledger: () => ledger, onSignalsDropped: (count: number) => void dropped.push(count) };
    const settings = { 'publicPages.cookies': ['visitor=account:shop'], 'limits.pages.signalsBurst': 2 };
    const away = await servePages(null, settings, options);
    const visit = async (id: string) => {
      const page = await ask(away.port, '/privacy-choices', { headers: { ...SIGNAL, cookie: `visitor=${id}` } });
      return page.text.includes('knows this browser is included');
    };
    expect([await visit('waits'), dropped]).toEqual([true, []]);
    ledger = stand.ledger;
    await away.pages.close();
    expect(await rightsOf('waits')).toEqual(BY_SIGNAL);
    ledger = null;
    expect(await visit('waits-in-vain')).toBe(true);
    expect([await visit('too-many'), dropped]).toEqual([false, [1]]);
    await away.close();
    expect(dropped).toEqual([1, 1]);
  });
  test('without it a visit changes nothing', async () => {
    await ask(served.port, '/privacy-choices', { headers: { cookie: 'visitor=just-looking' } });
    await served.pages.close();
    expect(await rightsOf('just-looking')).toEqual([]);
  });
  test('and the form from that browser: a receipt, by the channel of the signal', async () => {
    const answer = await submit(served.port, {}, { ...SIGNAL, cookie: 'visitor=by-form' });
    expect(await stand.ledger.request(receiptIn(answer))).toMatchObject({ channel: 'gpc', rights: OFFERED });
  });
});

describe('a browser the site knows', () => {
  test('needs no more than a press of the button', async () => {
    const answer = await submit(served.port, {}, { cookie: 'visitor=known' });
    expect(await stand.ledger.request(receiptIn(answer))).toMatchObject({ channel: 'web_form', identifierCount: 1 });
    expect(await rightsOf('known')).toEqual(OFFERED);
  });
  test('is covered together with what was entered', async () => {
    const answer = await submit(served.port, { email: 'both@example.com' }, { cookie: 'visitor=both' });
    expect((await stand.ledger.request(receiptIn(answer))).identifierCount).toBe(2);
    expect(await rightsOf('both')).toEqual(OFFERED);
  });
  test('also by an id that the page around passes, of a kind that is set up', async () => {
    await submit(served.port, { 'id-kind': 'account:shop', id: 'passed' });
    expect(await rightsOf('passed')).toEqual(OFFERED);
    const other = await submit(served.port, { 'id-kind': 'account:other', id: 'passed' });
    expect(other.status).toBe(422);
  });
});

describe('what is noted and stops nobody', () => {
  test('a hidden field that was filled in', async () => {
    const answer = await submit(served.port, { email: 'robot@example.com', website: 'https://spam.example' });
    expect((await stand.ledger.request(receiptIn(answer))).status).toBe('complied');
  });
});

describe('what cannot be used', () => {
  test.each([
    ['email', 'jane at example.com', 'Enter an e-mail address, such as'],
    ['email', '<script>alert(1)</script>@"', 'Enter an e-mail address, such as'],
    ['email', 'x'.repeat(5000), 'Enter an e-mail address, such as'],
    ['phone', '12', 'Enter a phone number, such as'],
    ['phone', '"><img src=x onerror=alert(1)>', 'Enter a phone number, such as'],
    ['device', 'the blue one in the kitchen', 'Enter a device ID'],
    ['device', 'jane@example.com', 'Enter a device ID'],
    ['device', 'short', 'Enter a device ID'],
    ['device', "' autofocus onfocus=alert(1) x='", 'Enter a device ID'],
  ])('%s %s: the same page, the message by the field, the value kept as text', async (field, value, message) => {
    const answer = await submit(served.port, { [field]: value });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('<title>Error: Your privacy choices');
    const input = new RegExp(`<input id="${field}"[^>]*>`).exec(answer.text)?.[0] ?? '';
    expect(input).toContain('aria-invalid="true"');
    expect(input).toMatch(/ autofocus>$/);
    expect(input).toContain(`aria-describedby="${field}-wrong ${field}-hint"`);
    expect(answer.text).toMatch(new RegExp(`id="${field}-wrong">.*${message}`));
    expect(answer.text).not.toMatch(/<script>|<img|onfocus=alert\(1\) x='/);
    const kept = / value="([^"]*)"/.exec(input)?.[1] ?? '';
    expect(plain(kept)).toBe(value);
  });
  test('nobody: who is asked for once more, with the choices kept', async () => {
    const answer = await submit(served.port, { choice: 'sensitive' });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain('Enter an e-mail address, a phone number or a device ID');
    expect(answer.text).toMatch(/value="sensitive"[^>]* checked/);
    expect(answer.text).not.toMatch(/value="all"[^>]* checked/);
  });
  test('corrected, it is recorded', async () => {
    const wrong = await submit(served.port, { email: 'jane' });
    const form = { ...hiddenIn(wrong.text), choice: 'all', email: 'corrected@example.com' };
    expect((await ask(served.port, '/privacy-choices', { form })).status).toBe(303);
  });
});

function plain(markup: string): string {
  const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', amp: '&', '#39': "'", '#96': '`' };
  return markup.replace(/&([a-z#0-9]+);/g, (_, name: string) => entities[name] ?? '?');
}
