/**
 * What is done in the console, in the audit trail: signing in, being refused and signing out, without anything of a token; and
 * looking at a request.
 * @module
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ledger } from '../../../src/ledger/index.js';
import type { ConsoleOptions } from '../../../src/sidecar/console/index.js';
import { openTestLedger, type TestLedger, TOKENS } from '../control-plane/stand.js';
import { type ServedConsole, serveConsole, signedIn, Visitor } from './stand.js';

let own: TestLedger;
let served: ServedConsole | null = null;
beforeEach(async () => {
  own = await openTestLedger({ canaryEveryMs: null });
});
afterEach(async () => {
  await served?.close();
  await own.close();
});

async function open(options: Partial<ConsoleOptions> = {}): Promise<ServedConsole> {
  served = await serveConsole({ ledger: () => own.ledger, ...options });
  return served;
}

/** Entries of the console, in order. */
async function told() {
  await own.ledger.audit.chain();
  const entries = await own.ledger.audit.entries({ limit: 1000 });
  return entries
    .filter(({ kind }) => kind.startsWith('console.'))
    .map(({ kind, actor, body }) => ({ kind: kind.slice('console.'.length), actor, body }));
}

const page = (role: 'operator' | 'enforcer') => ({ role, name: `test-${role}`, via: 'page' });
const STRANGER = { role: 'public', name: null, via: 'page' };

test('in and out, under the name of the token', async () => {
  const { port } = await open();
  const visitor = await signedIn(port);
  expect((await visitor.form('/console/sign-out', { csrf: visitor.csrf })).status).toBe(303);
  expect(await told()).toEqual([
    { kind: 'signed_in', actor: page('operator'), body: {} },
    { kind: 'signed_out', actor: page('operator'), body: {} },
  ]);
});

test('nobody who was not signed in signs out', async () => {
  const { port } = await open();
  const visitor = new Visitor(port);
  await visitor.ask('GET', '/console/sign-in');
  expect((await visitor.form('/console/sign-out', { csrf: visitor.csrf })).status).toBe(303);
  expect(await told()).toEqual([]);
});

test('refusals: of a stranger, of a role, of one who tries too often', async () => {
  const { port } = await open({ limits: { signInBurst: 2, signInsPerMinute: 1 } });
  const visitor = new Visitor(port);
  await visitor.ask('GET', '/console/sign-in');
  for (const token of ['x'.repeat(40), TOKENS.enforcer, TOKENS.operator]) {
    await visitor.form('/console/sign-in', { csrf: visitor.csrf, token });
  }
  expect(await told()).toEqual([
    { kind: 'sign_in_refused', actor: STRANGER, body: { omitted: 0, why: 'unknown' } },
    { kind: 'sign_in_refused', actor: page('enforcer'), body: { omitted: 0, why: 'forbidden' } },
    { kind: 'sign_in_refused', actor: STRANGER, body: { omitted: 0, why: 'limited' } },
  ]);
  expect(JSON.stringify(await own.ledger.audit.entries())).not.toContain(TOKENS.operator);
});

test('a flood of refusals is a few entries, and a number', async () => {
  let nowMs = 0;
  const limits = { signInBurst: 100, refusalsRecordedPerMinute: 1, refusalsRecordedBurst: 2 };
  const { port } = await open({ limits, now: () => nowMs });
  const visitor = new Visitor(port);
  await visitor.ask('GET', '/console/sign-in');
  const attempt = () => visitor.form('/console/sign-in', { csrf: visitor.csrf, token: 'x'.repeat(40) });
  for (let count = 0; count < 7; count++) await attempt();
  expect((await told()).map(({ body }) => body)).toEqual([0, 0].map((omitted) => ({ omitted, why: 'unknown' })));
  nowMs += 60_000;
  await attempt();
  expect((await told()).at(-1)?.body).toEqual({ omitted: 5, why: 'unknown' });
});

test('looking at whom a request is to be told to is no making of notices', async () => {
  const { port } = await open();
  const identifiers = [{ kind: 'email', value: 'jane@example.com' }] as const;
  const { requestId } = await own.ledger.recordOptOut({ identifiers, channel: 'web_form' });
  const visitor = await signedIn(port);
  expect((await visitor.ask('GET', `/console/api/notices/${requestId}`)).status).toBe(200);
  await own.ledger.audit.chain();
  const entries = await own.ledger.audit.entries({ subject: requestId });
  expect(entries.map(({ kind }) => kind)).toEqual(['request.opt_out', 'gap_notices.viewed']);
  expect(entries[1]?.actor).toEqual(page('operator'));
});

test('a ledger that is away keeps nobody out, and somebody is told', async () => {
  const unrecorded: unknown[] = [];
  const ledger: () => Ledger | null = () => null;
  const { port } = await open({ ledger, hasLedger: true, onUnrecorded: (error) => unrecorded.push(error) });
  expect((await new Visitor(port).signIn('operator')).status).toBe(303);
  expect(unrecorded).toHaveLength(1);
});
