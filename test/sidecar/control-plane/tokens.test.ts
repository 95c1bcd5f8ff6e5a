/**
 * Tokens, where one may do without, and how often anyone may ask.
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createControlPlane, isLoopback, TokenError, TokenSet } from '../../../src/sidecar/control-plane/index.js';
import { RateLimiter } from '../../../src/sidecar/control-plane/rate-limit.js';
import { TOKEN_COUNT_MAX, TOKEN_LENGTH_MAX, TOKEN_LENGTH_MIN } from '../../../src/sidecar/control-plane/tokens.js';

const TOKEN = 'a-token-that-is-long-enough-012345';
const OTHER = 'b-token-that-is-long-enough-012345';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-tokens-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const fileOf = (text: string | Uint8Array) => {
  const path = join(folder, 'tokens');
  writeFileSync(path, text);
  return path;
};

describe('a token file', () => {
  test('roles, names, digests, comments, blank lines, CR LF', () => {
    const text = `# who\r\n\r\nintake:web-form ${TOKEN}\r\n  # more\noperator\tsha256:${sha256(OTHER)}`;
    const tokens = new TokenSet({ file: fileOf(text) });
    expect(tokens.tokenCount).toBe(2);
    expect(tokens.principalOf(`Bearer ${TOKEN}`)).toEqual({ role: 'intake', name: 'web-form' });
    expect(tokens.principalOf(`bearer  ${OTHER} `)).toEqual({ role: 'operator', name: null });
  });

  test.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['another scheme', `Basic ${TOKEN}`],
    ['a prefix of a token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['a token and more', `Bearer ${TOKEN}x`],
    ['the digest itself', `Bearer sha256:${sha256(OTHER)}`],
    ['no token', 'Bearer '],
    ['two tokens', `Bearer ${TOKEN} ${OTHER}`],
  ])('%s is nobody', (_, header) => {
    const tokens = new TokenSet({ text: `intake ${TOKEN}\noperator sha256:${sha256(OTHER)}` });
    expect(tokens.principalOf(header)).toBeNull();
  });

  test.each([
    ['no token', `intake`, /line 1: expected a role, a space and a token/],
    ['three words', `intake ${TOKEN} secret`, /line 1: expected a role/],
    ['an unknown role', `# x\nroot ${TOKEN}`, /line 2: expected one of enforcer, intake, operator, auditor/],
    ['a name that is none', `intake:${'n'.repeat(65)} ${TOKEN}`, /line 1: .* name/],
    ['a token that is too short', `intake ${'x'.repeat(TOKEN_LENGTH_MIN - 1)}`, /line 1: .*at least 32/],
    ['a token that is too long', `intake ${'x'.repeat(TOKEN_LENGTH_MAX + 1)}`, /line 1: .*at most 4096/],
    ['letters beyond ASCII', `intake ${'é'.repeat(40)}`, /line 1: .*ASCII/],
    ['a digest that is short', `intake sha256:${'a'.repeat(63)}`, /line 1: expected 64 hex digits/],
    ['the digest of nothing', `intake sha256:${sha256('')}`, /line 1: the digest is that of nothing/],
    ['the same token twice', `intake ${TOKEN}\noperator sha256:${sha256(TOKEN)}`, /line 2: the token is there twice/],
    ['no token at all', '# nothing\n', /there is no token in it/],
  ])('%s: refused, and not quoted', (_, text, message) => {
    const failure = thrown(() => new TokenSet({ text, textName: 'OPTGATE_TOKENS' }));
    expect(failure).toBeInstanceOf(TokenError);
    expect(failure.message).toMatch(message);
    expect(failure.message).toMatch(/^OPTGATE_TOKENS/);
    for (const secret of [TOKEN, 'xxxx', 'aaaa', 'éé']) expect(failure.message).not.toContain(secret);
  });

  test('more tokens than the limit', () => {
    const lines = Array.from({ length: TOKEN_COUNT_MAX + 1 }, (_, index) => `intake sha256:${sha256(`${index}`)}`);
    expect(new TokenSet({ text: lines.slice(1).join('\n') }).tokenCount).toBe(TOKEN_COUNT_MAX);
    expect(() => new TokenSet({ text: lines.join('\n') })).toThrow(/at most 1000/);
  });

  test('a file that is not there, too large, or not UTF-8', () => {
    expect(() => new TokenSet({ file: join(folder, 'none') })).toThrow(/cannot be read \(ENOENT\)/);
    expect(() => new TokenSet({ file: fileOf(Buffer.alloc(1_048_577, '#')) })).toThrow(/too large/);
    expect(() => new TokenSet({ file: fileOf(Buffer.from([0xff, 0xfe])) })).toThrow(/not UTF-8/);
  });

  test('read again: new tokens count, and a file that is bad leaves those of before', () => {
    const file = fileOf(`intake ${TOKEN}`);
    const tokens = new TokenSet({ file, text: `auditor ${'t'.repeat(40)}` });
    fileOf(`operator:new ${OTHER}`);
    tokens.reload();
    expect(tokens.principalOf(`Bearer ${TOKEN}`)).toBeNull();
    expect(tokens.principalOf(`Bearer ${OTHER}`)).toEqual({ role: 'operator', name: 'new' });
    fileOf('# emptied by accident');
    expect(() => tokens.reload()).toThrow(/no token/);
    expect(tokens.principalOf(`Bearer ${OTHER}`)).toEqual({ role: 'operator', name: 'new' });
    expect(tokens.principalOf(`Bearer ${'t'.repeat(40)}`)?.role).toBe('auditor');
  });
});

describe('without tokens', () => {
  const open = (host: string | null, tokens = new TokenSet()) =>
    createControlPlane({ ledger: null, relay: null, tokens, host, status: () => ({}) });

  test.each(['127.0.0.1', '127.8.9.10', '::1', '[::1]', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1', null])(
    'it may listen on %s',
    (host) => expect(() => open(host)).not.toThrow(),
  );
  test.each([
    '0.0.0.0',
    '::',
    '',
    '10.0.0.1',
    '192.168.1.1',
    'example.com',
    '127.0.0.1.example.com',
    '::ffff:10.0.0.1',
  ])('but not on "%s"', (host) => {
    expect(() => open(host)).toThrow(/tokens are required/);
    expect(() => open(host, new TokenSet({ text: `intake ${TOKEN}` }))).not.toThrow();
    expect(isLoopback(host)).toBe(false);
  });
  test('limits that make no sense', () => {
    const limits = (given: object) => () =>
      createControlPlane({
        ledger: null,
        relay: null,
        tokens: new TokenSet(),
        host: null,
        status: () => ({}),
        limits: given,
      });
    expect(limits({ jsonBytesMax: 0 })).toThrow(/limits\.jsonBytesMax/);
    expect(limits({ jsonBytesMax: 1.5 })).toThrow(RangeError);
    expect(limits({ jsonByteMax: 1 })).toThrow(/there is no jsonByteMax/);
  });
});

describe('a rate', () => {
  test('a burst, then as fast as the bucket fills', () => {
    let nowMs = 0;
    const limiter = new RateLimiter({ perSecond: 10, burst: 3, keysMax: 10 }, () => nowMs);
    expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0]);
    expect(limiter.take('a')).toBe(100);
    expect(limiter.take('b')).toBe(0);
    nowMs += 50;
    expect(limiter.take('a')).toBe(50);
    nowMs += 50;
    expect(limiter.take('a')).toBe(0);
    nowMs += 60_000;
    expect([1, 2, 3, 4].map(() => limiter.take('a') > 0)).toEqual([false, false, false, true]);
  });
  test('as many buckets as allowed; the one unused for longest goes', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1, keysMax: 3 }, () => 0);
    for (const key of ['a', 'b', 'c', 'a', 'd', 'e']) limiter.take(key);
    expect(limiter.keyCount).toBe(3);
    expect(limiter.take('a')).toBeGreaterThan(0);
    expect(limiter.take('b')).toBe(0);
  });
});

function thrown(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected it to throw');
}
