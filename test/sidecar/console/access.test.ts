/**
 * Who gets into the console, and what a stranger, another site or an old session can do: nothing.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ConsoleOptions } from '../../../src/sidecar/console/index.js';
import { TokenSet } from '../../../src/sidecar/control-plane/index.js';
import { expectProblem, MAID, openTestLedger, type TestLedger, TOKENS } from '../control-plane/stand.js';
import { type ServedConsole, serveConsole, signedIn, Visitor } from './stand.js';

let own: TestLedger;
const opened: ServedConsole[] = [];
beforeAll(async () => {
  own = await openTestLedger({ canaryEveryMs: null });
  await own.ledger.putDestination({ id: 'acme' });
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(async () => own?.close());

async function open(options: Partial<ConsoleOptions> = {}): Promise<ServedConsole> {
  const one = await serveConsole({ ledger: () => own.ledger, ...options });
  opened.push(one);
  return one;
}

const PAGE_PATHS = ['/console', '/console/requests', `/console/requests/r_${'A'.repeat(22)}`, '/console/audit'];
const API_PATHS = ['/state', '/decisions', '/sums/opt-outs', '/sums/effect', '/requests', '/exports'].map(
  (path) => `/console/api${path}`,
);
const FORWARDED_PATHS = ['/v1/enforcers', '/v1/destinations', '/v1/status'].map((path) => `/console/api${path}`);

describe('without a session', () => {
  test('pages lead to the sign-in, and back to where somebody wanted to go', async () => {
    const { port } = await open();
    for (const path of PAGE_PATHS) {
      const { status, headers } = await new Visitor(port).ask('GET', path);
      const next = path === '/console' ? '' : `?next=${encodeURIComponent(path)}`;
      expect([status, headers.location]).toEqual([303, `/console/sign-in${next}`]);
    }
    const visitor = new Visitor(port);
    const form = await visitor.ask('GET', '/console/sign-in?next=/console/audit');
    expect(form.text).toContain('name="next" value="/console/audit"');
    const fields = { csrf: visitor.csrf, token: TOKENS.auditor, next: '/console/audit' };
    expect((await visitor.form('/console/sign-in', fields)).headers.location).toBe('/console/audit');
  });

  test.each(['https://attacker.example/', '//attacker.example', '/v1/status', '/console/../v1', '/console/nowhere'])(
    'nobody is led to %s',
    async (next) => {
      const { port } = await open();
      const visitor = new Visitor(port);
      expect((await visitor.ask('GET', `/console/sign-in?next=${encodeURIComponent(next)}`)).text).toContain(
        'name="next" value="/console"',
      );
      const answer = await visitor.form('/console/sign-in', { csrf: visitor.csrf, token: TOKENS.operator, next });
      expect(answer.headers.location).toBe('/console');
    },
  );

  test('nothing is told, whatever is sent along', async () => {
    const { port } = await open();
    const cookies = ['', 'x', `optgate-console-${port}=${'A'.repeat(43)}`, `optgate-console=${TOKENS.operator}`];
    for (const cookie of cookies) {
      for (const path of [...API_PATHS, ...FORWARDED_PATHS, '/console/events']) {
        const answer = await new Visitor(port, cookie === '' ? {} : { cookie }).ask('GET', path);
        expectProblem(answer, 401, 'http.unauthorized');
      }
    }
    const bearer = { authorization: `Bearer ${TOKENS.operator}` };
    expectProblem(await new Visitor(port, bearer).ask('GET', '/console/api/state'), 401, 'http.unauthorized');
  });
});

describe('sign-in', () => {
  test('operators and auditors get in, with a new id in a cookie that scripts and other sites never get', async () => {
    const { port } = await open();
    for (const role of ['operator', 'auditor'] as const) {
      const visitor = new Visitor(port);
      await visitor.ask('GET', '/console/sign-in');
      const before = visitor.cookie;
      expect((await visitor.signIn(role)).status).toBe(303);
      expect(visitor.cookie).not.toBe(before);
      expect(visitor.setCookie).toMatch(
        new RegExp(`^optgate-console-${port}=[A-Za-z0-9_-]{43}; Path=/console; HttpOnly; SameSite=Strict$`),
      );
      const page = await visitor.ask('GET', '/console');
      expect(page.status).toBe(200);
      expect(page.text).toContain(`test-${role}`);
      for (const path of [...API_PATHS, ...FORWARDED_PATHS]) {
        expect([path, (await visitor.ask('GET', path)).status]).toEqual([path, 200]);
      }
    }
  });

  test('from elsewhere, and behind a proxy with TLS, the cookie is for TLS only', async () => {
    const { port } = await open();
    for (const headers of [{ host: 'console.example' }, { 'x-forwarded-proto': 'https' }]) {
      const visitor = new Visitor(port, headers);
      const { text } = await visitor.ask('GET', '/console/sign-in');
      await visitor.signIn('operator');
      expect(visitor.setCookie).toMatch(/; Secure$/);
      expect(text.includes('over HTTPS')).toBe('host' in headers);
    }
  });

  test.each(['intake', 'enforcer'] as const)('the role %s: a page that says so, and no session', async (role) => {
    const { port, console: served } = await open();
    const visitor = new Visitor(port);
    const answer = await visitor.signIn(role);
    expect(answer.status).toBe(403);
    expect(answer.text).toContain('operator or an auditor');
    expect(served.counts.sessions).toBe(0);
    expect((await visitor.ask('GET', '/console')).status).toBe(303);
  });

  test('a wrong token: 401, nothing quoted; too many: 429, whoever asks', async () => {
    let nowMs = 0;
    const { port } = await open({ limits: { signInBurst: 3, signInsPerMinute: 1 }, now: () => nowMs });
    const visitor = new Visitor(port);
    await visitor.ask('GET', '/console/sign-in');
    const attempt = (token: string) => visitor.form('/console/sign-in', { csrf: visitor.csrf, token });
    for (const token of ['', 'x'.repeat(40), `${TOKENS.operator}x`]) {
      const answer = await attempt(token);
      expect(answer.status).toBe(401);
      if (token !== '') expect(answer.text).not.toContain(token);
    }
    const limited = await attempt(TOKENS.operator);
    expect([limited.status, limited.headers['retry-after']]).toEqual([429, '60']);
    nowMs += 60_000;
    expect((await attempt(TOKENS.operator)).status).toBe(303);
  });

  test('fixation: the id that somebody came with is worth nothing afterwards', async () => {
    const { port } = await open();
    const attacker = new Visitor(port);
    await attacker.ask('GET', '/console/sign-in');
    const planted = attacker.cookie;
    const victim = new Visitor(port);
    victim.cookie = planted;
    await victim.signIn('operator');
    expect(victim.cookie).not.toBe(planted);
    expect((await attacker.ask('GET', '/console/api/state')).status).toBe(401);
  });

  test('the form needs its CSRF value, from the same visitor and the same site', async () => {
    const { port, console: served } = await open();
    const visitor = new Visitor(port);
    await visitor.ask('GET', '/console/sign-in');
    const other = new Visitor(port);
    await other.ask('GET', '/console/sign-in');
    for (const csrf of ['', 'x', other.csrf]) {
      expectProblem(await visitor.form('/console/sign-in', { csrf, token: TOKENS.operator }), 403, 'http.forbidden');
    }
    const bare = new Visitor(port);
    const fields = { csrf: visitor.csrf, token: TOKENS.operator };
    expectProblem(await bare.form('/console/sign-in', fields), 403, 'http.forbidden');
    const foreign = new Visitor(port, { 'sec-fetch-site': 'cross-site' });
    foreign.cookie = visitor.cookie;
    expectProblem(await foreign.form('/console/sign-in', fields), 403, 'http.forbidden');
    expect(served.counts.sessions).toBe(0);
  });

  test('what is no form, or a large one, is refused', async () => {
    const { port } = await open();
    const visitor = new Visitor(port);
    expectProblem(await visitor.ask('POST', '/console/sign-in', { json: {} }), 415, 'http.media_type');
    expectProblem(await visitor.form('/console/sign-in', { csrf: 'x'.repeat(70_000) }), 413, 'http.too_large');
  });
});

describe('a session', () => {
  test('ends when it is idle, and pages that ask by themselves do not keep it', async () => {
    let nowMs = 0;
    const { port } = await open({ limits: { sessionIdleMs: 1000, sessionMs: 3000 }, now: () => nowMs });
    const visitor = await signedIn(port);
    const state = (headers = {}) => visitor.ask('GET', '/console/api/state', { headers });
    nowMs += 900;
    expect((await state({ 'x-console-background': '1' })).status).toBe(200);
    nowMs += 100;
    expectProblem(await state(), 401, 'http.unauthorized');
  });

  test('ends when it is old, however busy', async () => {
    let nowMs = 0;
    const { port } = await open({ limits: { sessionIdleMs: 1000, sessionMs: 3000 }, now: () => nowMs });
    const visitor = await signedIn(port);
    for (; nowMs < 3000; nowMs += 500) expect((await visitor.ask('GET', '/console/api/state')).status).toBe(200);
    expect((await visitor.ask('GET', '/console/api/state')).status).toBe(401);
  });

  test('ends with its token, and takes on the role that the token has now', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'optgate-console-'));
    const file = join(folder, 'tokens');
    writeFileSync(file, `operator ${TOKENS.operator}`);
    const tokens = new TokenSet({ file });
    const { port } = await open({ tokens });
    const visitor = await signedIn(port);
    const put = () => visitor.change('PUT', '/console/api/v1/destinations/acme', { json: {} });
    expect((await put()).status).toBe(200);
    writeFileSync(file, `auditor ${TOKENS.operator}`);
    tokens.reload();
    expect((await put()).status).toBe(403);
    expect((await visitor.ask('GET', '/console/api/state')).status).toBe(200);
    writeFileSync(file, `auditor ${TOKENS.auditor}`);
    tokens.reload();
    expect((await visitor.ask('GET', '/console/api/state')).status).toBe(401);
    rmSync(folder, { recursive: true });
  });

  test('signing out ends it, with its CSRF value only', async () => {
    const { port } = await open();
    const visitor = await signedIn(port);
    const { cookie } = visitor;
    expectProblem(await visitor.form('/console/sign-out', { csrf: 'x' }), 403, 'http.forbidden');
    expect((await visitor.form('/console/sign-out', { csrf: visitor.csrf })).headers.location).toBe('/console/sign-in');
    expect(visitor.setCookie).toContain('Max-Age=0');
    visitor.cookie = cookie;
    expect((await visitor.ask('GET', '/console/api/state')).status).toBe(401);
  });

  test('there are never more than the limit: the one unused for longest ends', async () => {
    const { port, console: served } = await open({ limits: { sessionsMax: 2 } });
    const first = await signedIn(port);
    const second = await signedIn(port);
    await first.ask('GET', '/console/api/state');
    await signedIn(port);
    expect(served.counts.sessions).toBe(2);
    expect((await first.ask('GET', '/console/api/state')).status).toBe(200);
    expect((await second.ask('GET', '/console/api/state')).status).toBe(401);
  });
});

describe('changes', () => {
  const CHANGES = [
    ['PUT', '/v1/destinations/acme', {}],
    ['DELETE', '/v1/destinations/nobody', undefined],
    ['DELETE', '/v1/enforcers/nobody', undefined],
    ['POST', '/v1/status-of', { identifier: { kind: 'maid', value: MAID } }],
  ] as const;

  test.each(CHANGES)('%s %s needs the CSRF value of its own session', async (method, path, json) => {
    const { port } = await open();
    const visitor = await signedIn(port);
    const other = await signedIn(port);
    const what = json === undefined ? {} : { json };
    for (const csrf of [undefined, '', 'x', other.csrf]) {
      const headers: Record<string, string> = csrf === undefined ? {} : { 'x-csrf-token': csrf };
      expectProblem(await visitor.ask(method, `/console/api${path}`, { ...what, headers }), 403, 'http.forbidden');
    }
    const foreign = { ...what, headers: { 'sec-fetch-site': 'same-site' } };
    expectProblem(await visitor.change(method, `/console/api${path}`, foreign), 403, 'http.forbidden');
    expect([200, 404]).toContain((await visitor.change(method, `/console/api${path}`, what)).status);
  });

  test('an auditor may look and not change', async () => {
    const { port } = await open();
    const visitor = await signedIn(port, 'auditor');
    for (const [method, path, json] of CHANGES) {
      const { status } = await visitor.change(method, `/console/api${path}`, json === undefined ? {} : { json });
      expect([path, status]).toEqual([path, path === '/v1/status-of' ? 200 : 403]);
    }
  });

  test('the rest of the API is not reached with a session: not by its own path, not below the console', async () => {
    const { port } = await open();
    const visitor = await signedIn(port);
    const json = { identifiers: [{ kind: 'maid', value: MAID }], channel: 'api' };
    expectProblem(await visitor.change('POST', '/v1/opt-outs', { json }), 401, 'http.unauthorized');
    expectProblem(await visitor.change('POST', '/console/api/v1/opt-outs', { json }), 404, 'http.not_found');
    for (const path of [
      '/v1/snapshot',
      '/v1/changes',
      '/v1/imports',
      '/v1/../v1/snapshot',
      '/V1/status',
      '//v1/status',
    ]) {
      expect([path, (await visitor.ask('GET', `/console/api${path}`)).status]).toEqual([path, 404]);
    }
    expectProblem(await visitor.ask('GET', '/v1/status'), 401, 'http.unauthorized');
  });

  test('how often people are looked up is limited', async () => {
    const { port } = await open({ limits: { lookupBurst: 2, lookupsPerMinute: 1 }, now: () => 0 });
    const visitor = await signedIn(port);
    const json = { identifier: { kind: 'maid', value: MAID } };
    const look = () => visitor.change('POST', '/console/api/v1/status-of', { json });
    expect([(await look()).status, (await look()).status]).toEqual([200, 200]);
    expectProblem(await look(), 429, 'http.rate');
  });
});

describe('without tokens, on loopback', () => {
  const tokens = new TokenSet();
  test('the console is open, as the API is, and changes still need their CSRF value', async () => {
    const { port } = await open({ tokens });
    const visitor = new Visitor(port);
    const page = await visitor.ask('GET', '/console');
    expect(page.status).toBe(200);
    expect(page.text).not.toContain('Sign out');
    expect((await visitor.ask('GET', '/console/api/state')).status).toBe(200);
    const path = '/console/api/v1/destinations/acme';
    expectProblem(await visitor.ask('PUT', path, { json: {} }), 403, 'http.forbidden');
    expect((await visitor.change('PUT', path, { json: {} })).status).toBe(200);
  });
  test('a page of another name on this machine gets nothing', async () => {
    const { port } = await open({ tokens });
    for (const path of ['/console', '/console/api/state', '/console/events', '/console/api/v1/enforcers']) {
      const answer = await new Visitor(port, { host: 'attacker.example' }).ask('GET', path);
      expectProblem(answer, 421, 'http.misdirected');
    }
  });
});

test('without tokens the console is closed to whoever comes through a proxy', async () => {
  const { port } = await open({ tokens: new TokenSet() });
  for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'via']) {
    for (const path of ['/console', '/console/sign-in', '/console/api/state', '/console/events']) {
      expectProblem(await new Visitor(port, { [name]: 'x' }).ask('GET', path), 421, 'http.misdirected');
    }
  }
});

describe('headers and files', () => {
  test('every answer says that nothing but this origin may be used', async () => {
    const { port } = await open();
    const visitor = await signedIn(port);
    const { text } = await visitor.ask('GET', '/console');
    const [script = ''] = /\/console\/assets\/[^"]+overview\.js/.exec(text) ?? [];
    for (const path of ['/console', '/console/nowhere', '/console/sign-in', '/console/api/state', script]) {
      const { headers } = await visitor.ask('GET', path);
      expect(headers['content-security-policy'], path).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
          "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      );
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['referrer-policy'], path).toBe('no-referrer');
    }
    expect(text).not.toMatch(/<script(?![^>]* src=)|style=|\son\w+=/);
    const asset = await visitor.ask('GET', script);
    expect(asset.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(asset.headers['cache-control']).toContain('immutable');
  });

  test('files are those of the console, and none beside them', async () => {
    const { port } = await open();
    const visitor = await signedIn(port);
    const { text } = await visitor.ask('GET', '/console');
    const [base = ''] = /\/console\/assets\/[0-9a-f]{16}\//.exec(text) ?? [];
    expect((await visitor.ask('GET', `${base}vendor/uPlot.esm.js`)).status).toBe(200);
    for (const path of ['../README.md', '..%2fREADME.md', 'vendor/uPlot.esm.d.ts', '', 'pages', 'constructor']) {
      const { status } = await visitor.ask('GET', base + path);
      expect([path, status]).toEqual([path, 404]);
    }
  });
});
