/**
 * The parts of the public pages that need no ledger: markup, languages, seals, senders, what a browser says.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cookieIdentifiers } from '../../../src/sidecar/choices/browser-facts.js';
import { languageOf } from '../../../src/sidecar/choices/language.js';
import { isForeign, senderOf, trustedProxies } from '../../../src/sidecar/choices/origin.js';
import { Sealer } from '../../../src/sidecar/choices/seal.js';
import { STRINGS } from '../../../src/sidecar/choices/strings.js';
import { Html, html } from '../../../src/sidecar/html.js';

describe('markup', () => {
  test('what is put in is text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const markup = html`<p title="${text}">${text}</p>`.toString();
        const inside = markup.slice('<p title="'.length, -'</p>'.length);
        expect(inside.replace('">', '')).not.toMatch(/[<>"'`]|&(?!(?:amp|lt|gt|quot|#39|#96);)/);
      }),
    );
  });
  test('markup in markup stays, nothing is nothing', () => {
    expect(html`<b>${html`<i>${'<'}</i>`}${[html`<u></u>`, '&']}${null}${false}${undefined}${0}</b>`.toString()).toBe(
      '<b><i>&lt;</i><u></u>&amp;0</b>',
    );
  });
  test('text cannot be passed off as markup', () => {
    expect(() => new Html(Symbol('html') as never, '<script>')).toThrow(TypeError);
    expect(html`${{ toString: () => '<script>' } as never}`.toString()).toBe('');
  });
});

describe('language', () => {
  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['es', 'es'],
    ['es-MX,es;q=0.9,en;q=0.8', 'es'],
    ['fr, en;q=0.5, es;q=0.7', 'es'],
    ['es;q=0, en;q=0.1', 'en'],
    ['de', 'en'],
    ['*', 'en'],
    ['en-GB, es', 'en'],
    ['es;q=2', 'en'],
    ['\0;;,=,es', 'es'],
  ] as const)('%s', (header, language) => expect(languageOf(header)).toBe(language));

  test('no text is left in English', () => {
    const flat = (strings: object): string[] =>
      Object.values(strings).flatMap((one) => (typeof one === 'object' ? flat(one) : [String(one)]));
    const [english, spanish] = [flat(STRINGS.en), flat(STRINGS.es)];
    expect(spanish.length).toBe(english.length);
    expect(spanish.filter((text, index) => text === english[index])).toEqual(['Error']);
  });
});

describe('seal', () => {
  let nowMs = 1_000_000;
  const sealer = (key: number) =>
    new Sealer(
      Buffer.alloc(32, key),
      60_000,
      () => nowMs,
      (bytes) => Buffer.alloc(bytes, 7),
    );
  const seal = sealer(1).seal('opt-out');

  test('good for its form, until it is too old', () => {
    nowMs += 60_000;
    expect(sealer(1).read('opt-out', seal)).toMatchObject({ kind: 'good', ageMs: 60_000 });
    expect(sealer(1).read('opt-in', seal).kind).toBe('expired');
    expect(sealer(2).read('opt-out', seal).kind).toBe('expired');
    nowMs += 1;
    expect(sealer(1).read('opt-out', seal).kind).toBe('expired');
  });
  test('a clock that was put back makes nothing of it', () => {
    nowMs = 0;
    expect(sealer(1).read('opt-out', seal)).toMatchObject({ kind: 'good', ageMs: 0 });
  });
  test('one that was changed is none, and nothing throws', () => {
    nowMs = 1_000_000;
    for (let at = 0; at < seal.length; at++) {
      const other = seal[at] === 'A' ? 'B' : 'A';
      const changed = seal.slice(0, at) + other + seal.slice(at + 1);
      // the last character of Base64 has bits that say nothing; the text is compared, so they count too
      expect([at, sealer(1).read('opt-out', changed).kind]).toEqual([at, 'expired']);
    }
    fc.assert(fc.property(fc.string(), (text) => sealer(1).read('opt-out', text).kind === 'expired'));
  });
});

const asked = (remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress }, headers }) as never;

describe('who sends', () => {
  const proxies = trustedProxies(['10.0.0.0/8', '2001:db8::1']);
  test.each([
    ['198.51.100.7', undefined, '198.51.100.7'],
    ['198.51.100.7', '203.0.113.9', '198.51.100.7'], // not one of ours: what it says of others is not believed
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '192.0.2.1, 203.0.113.9', '203.0.113.9'], // the first one anybody can write
    ['10.1.2.3', '203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['10.1.2.3', 'unknown', '10.1.2.3'],
    ['2001:db8::1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', undefined, '2001:db8:1:2::/64'],
    [undefined, '203.0.113.9', 'unix'],
  ] as const)('%s with %s is %s', (address, forwarded, sender) => {
    expect(senderOf(asked(address, forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }), proxies)).toBe(
      sender,
    );
  });
  test('by a Unix socket, where that is trusted', () => {
    expect(senderOf(asked(undefined, { 'x-forwarded-for': '203.0.113.9' }), trustedProxies(['unix']))).toBe(
      '203.0.113.9',
    );
  });
  test('without proxies nobody is believed', () => {
    expect(senderOf(asked('127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }), trustedProxies([]))).toBe('127.0.0.1');
  });
});

describe('from a page of ours', () => {
  const host = 'shop.example';
  test.each([
    [{}, false],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://shop.example' }, true],
    [{ origin: 'https://shop.example' }, false],
    [{ origin: 'https://shop.example:443' }, false],
    [{ origin: 'https://shop.example:8443' }, true],
    [{ origin: 'https://evil.example' }, true],
    [{ origin: 'https://shop.example.evil.example' }, true],
    [{ origin: 'null' }, true],
    [{ origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' }, true],
  ] as const)('%j', (headers, foreign) => {
    expect(isForeign(asked('198.51.100.7', { host, ...headers } as never), trustedProxies([]))).toBe(foreign);
  });
  test('behind a proxy that is trusted the host is what it was asked for', () => {
    const headers = { host: 'inside:8790', origin: 'https://shop.example', 'x-forwarded-host': host };
    expect(isForeign(asked('10.0.0.1', headers), trustedProxies(['10.0.0.1']))).toBe(false);
  });
});

test('ids in cookies: those that are set up, decoded, and only what can be one', () => {
  const cookieIds = [
    { cookie: 'visitor', kind: 'account:shop' },
    { cookie: 'other', kind: 'eid:shop.example' },
  ] as const;
  const read = (cookie: string) =>
    cookieIdentifiers({ cookie }, cookieIds).map(({ kind, value }) => `${kind}=${value}`);
  expect(read('a=1; visitor=v-123; theme="x"; other="e%2D5"')).toEqual(['account:shop=v-123', 'eid:shop.example=e-5']);
  expect(read('visitors=v-1; xvisitor=v-2; =; ;visitor')).toEqual([]);
  expect(read('visitor=%E0%A4%A; other=')).toEqual([]);
  expect(read(`visitor=${'v'.repeat(20_000)}`)).toEqual([]);
});
