/**
 * As it is documented: the CRM of the examples is told by `optgate serve`, in processes of their own; and the snippets verify.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { optgateProcess } from '../cli/run.js';
import { BACKENDS } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { HAS_PYTHON } from '../python.js';
import { freePort, startSidecarProcess } from '../sidecar/running.js';
import { answerWith, startReceiver } from './receiver.js';

const folder = mkdtempSync(join(tmpdir(), 'optgate-webhooks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');
let place: Awaited<ReturnType<typeof backend.create>>;
const PATIENCE_MS = 60_000;
/** Pauses short enough for a test, and attempts enough for a slow machine. */
const FAST = ['--set', 'webhooks.retryBase=50ms', '--set', 'webhooks.retryCap=200ms', '--canary-every', 'off'];

beforeAll(async () => {
  place = await backend.create();
  expect(optgateProcess(['ledger', 'migrate', '--ledger', place.location]).status).toBe(0);
});
afterAll(async () => place?.remove());

const webhook = (...args: readonly string[]) => {
  const answer = optgateProcess(['webhook', ...args, '--ledger', place.location]);
  expect(answer.stderr).toBe('');
  return answer.json();
};

/** `optgate serve`, when it takes opt-outs. */
async function startServing(...more: readonly string[]) {
  const sidecar = await startSidecarProcess(['--ledger', place.location, ...FAST, ...more]);
  started.push(sidecar);
  await sidecar.until('stderr', /"ledger.opened"/, PATIENCE_MS);
  return sidecar;
}
const started: { kill(signal: NodeJS.Signals): unknown }[] = [];
afterEach(() => {
  for (const one of started.splice(0)) one.kill('SIGKILL');
});

interface Contact {
  readonly id: string;
  readonly suppressed?: boolean;
  readonly request?: string;
}

/** The CRM, with contacts in a file. */
async function startCrm(path: string, secret: string, port: number) {
  const child = spawn(process.execPath, ['examples/crm-receiver.mjs', path, String(port)], {
    env: { PATH: process.env.PATH, OPTGATE_WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  await until('the CRM listens', () => said.includes('listening'), PATIENCE_MS);
  return {
    stop: async () => {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
    },
  };
}

backend.describe(`the CRM of the examples, on ${backend.name}`, () => {
  test('an opt-out reaches it, also after it was down, in order, and once', async () => {
    const path = join(folder, 'contacts.json');
    const contacts = ['jane', 'joe', 'ann'].map((name) => ({ id: name, email: `${name}@example.com` }));
    writeFileSync(path, JSON.stringify({ contacts: [...contacts, { id: 'tel', phone: '+1 (415) 555-0100' }] }));
    const read = () => JSON.parse(readFileSync(path, 'utf8')) as { contacts: Contact[]; seen: string[] };
    const contact = (id: string) => read().contacts.find((one) => one.id === id);
    const port = await freePort();
    const [{ secret }] = webhook('add', 'crm', `http://127.0.0.1:${port}/`, '--allow-private');
    const sidecar = await startServing();
    const optOut = async (identifiers: readonly object[]) => {
      const { text, status } = await sidecar.onControl('/v1/opt-outs', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ identifiers, channel: 'web_form' }),
      });
      expect([201, 202], text).toContain(status);
      return JSON.parse(text).requestId as string;
    };
    // down: what happens meanwhile waits
    const first = await optOut([{ kind: 'email', value: 'Jane@Example.com ' }]);
    await optOut([{ kind: 'phone', value: '(415) 555-0100' }]);
    await until('a failed attempt', () => webhook('list')[0].lastReason === 'connection', PATIENCE_MS);
    let crm = await startCrm(path, secret, port);
    await until('both suppressed', () => contact('jane')?.suppressed && contact('tel')?.suppressed, PATIENCE_MS);
    expect(contact('jane')?.request).toBe(first);
    expect(contact('joe')?.suppressed).toBeUndefined();

    // killed, and started again
    await crm.stop();
    await optOut([{ kind: 'email', value: 'joe@example.com' }]);
    crm = await startCrm(path, secret, port);
    await until('joe', () => contact('joe')?.suppressed, PATIENCE_MS);

    // opted in again
    const asked = await sidecar.onControl('/v1/opt-ins', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identifiers: [{ kind: 'email', value: 'joe@example.com' }], channel: 'web_form' }),
    });
    const { requestId, confirmation } = JSON.parse(asked.text);
    await sidecar.onControl(`/v1/opt-ins/${requestId}/confirm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ confirmation }),
    });
    await until('joe again', () => contact('joe')?.suppressed === false, PATIENCE_MS);

    // a list of the CRM's own
    const imported = await sidecar.onControl('/v1/imports?map=email%3DE-Mail', {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: 'Name,E-Mail,Notes\nAnn,ann@example.com,"moved\nto Reno"\n',
    });
    expect(imported.status, imported.text).toBe(201);
    await until('ann', () => contact('ann')?.suppressed, PATIENCE_MS);
    expect(new Set(read().seen).size).toBe(read().seen.length);

    // everything again: it tells repeats
    const before = read().contacts;
    expect(webhook('replay', 'crm', '--since', '2020-01-01T00:00:00Z')[0].eventCount).toBeGreaterThan(4);
    await until('all of it', () => webhook('list')[0].behindCount === 0, PATIENCE_MS);
    expect(read().contacts).toEqual(before);
    expect(webhook('test', 'crm')[0]).toMatchObject({ delivered: true, status: 204 });

    const { text: metrics } = await sidecar.onControl('/metrics');
    expect(metrics).toMatch(/optgate_webhook_delivered_total\{webhook="crm"\} [1-9]/);
    expect(metrics).toContain('optgate_webhook_behind_events{webhook="crm"} 0');
    expect(await sidecar.stop()).toBe(0);
    await crm.stop();
    expect(sidecar.said.stderr).toContain('"event":"webhook.failed"');
    expect(sidecar.said.stderr).not.toMatch(/jane|joe@|415\D{0,2}555|555\D?0100|whsec/i);
    webhook('remove', 'crm');
  });

  test('one that always refuses, or fails for too long: dead, the next goes on; a replay when it is mended', async () => {
    const receiver = await startReceiver(answerWith(422));
    const failing = await startReceiver(answerWith(500));
    webhook('add', 'broken', receiver.url, '--allow-private', '--events', 'opt_out.recorded');
    webhook('add', 'failing', failing.url, '--allow-private', '--events', 'opt_out.recorded');
    const sidecar = await startServing(...['--set', 'webhooks.attemptsMax=2', '--set', 'webhooks.serverErrorAgeMax=0']);
    await sidecar.optOut(1);
    await sidecar.optOut(2);
    for (const index of [0, 1]) {
      await until('both dead', () => webhook('list')[index].deadCount === 2, PATIENCE_MS);
    }
    expect(webhook('deliveries', 'failing')).toMatchObject([{ attemptCount: 1, lastStatus: 500 }, { attemptCount: 1 }]);
    expect(webhook('deliveries', 'broken', '--state', 'dead')).toMatchObject([
      { event: 'opt_out.recorded', attemptCount: 2, lastStatus: 422, reason: 'status' },
      { event: 'opt_out.recorded', attemptCount: 2 },
    ]);
    await until('the log says so', () => sidecar.said.stderr.includes('"event":"webhook.dead"'), PATIENCE_MS);
    receiver.answer(answerWith(200));
    const count = receiver.received.length;
    expect(webhook('replay', 'broken', '--dead')).toEqual([{ eventCount: 2 }]);
    await until('both again', () => receiver.received.length >= count + 2, PATIENCE_MS);
    await until('none dead', () => webhook('list')[0].deadCount === 0, PATIENCE_MS);
    expect(receiver.received.slice(count).map(({ json }) => json.id)).toEqual([
      ...new Set(receiver.received.slice(0, count).map(({ json }) => json.id)),
    ]);
    await sidecar.stop();
    for (const id of ['broken', 'failing']) webhook('remove', id);
    await receiver.close();
    await failing.close();
  });

  test('killed in mid-delivery: sent again by the next process', async () => {
    const receiver = await startReceiver(() => {}); // takes the event, and gives no answer
    webhook('add', 'slow', receiver.url, '--allow-private');
    const killed = await startServing();
    await killed.optOut(7);
    await until('it has the event', () => receiver.received.length > 0, PATIENCE_MS);
    killed.kill('SIGKILL');
    await killed.ended;
    receiver.answer(answerWith(200));
    const next = await startServing();
    await until('it comes again', () => receiver.received.length >= 2, PATIENCE_MS);
    expect(receiver.received[1]?.text).toBe(receiver.received[0]?.text);
    await until('it is noted', () => webhook('list')[0].behindCount === 0, PATIENCE_MS);
    expect(await next.stop()).toBe(0);
    webhook('remove', 'slow');
    await receiver.close();
  });
});

/** Code of a language in the document. */
function snippet(language: string): string {
  const text = readFileSync('docs/webhooks.md', 'utf8');
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\n\`\`\``).exec(text)?.[1] ?? '';
}

const NOW = 1_800_000_000;
const BODY = '{"id":"1","é":"ü"}';
const signature = (secret: string, timestamp: number, body = BODY) =>
  `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
const headersOf = (timestamp: number | string, given: string) => ({
  'x-optgate-timestamp': String(timestamp),
  'x-optgate-signature': given,
});
const CASES: readonly (readonly [string, object, boolean])[] = [
  ['genuine', headersOf(NOW, signature('s', NOW)), true],
  ['one of two secrets', headersOf(NOW, `${signature('new', NOW)}, ${signature('s', NOW)}`), true],
  ['within tolerance', headersOf(NOW - 299, signature('s', NOW - 299)), true],
  ['another secret', headersOf(NOW, signature('t', NOW)), false],
  ['another body', headersOf(NOW, signature('s', NOW, `${BODY} `)), false],
  ['another time', headersOf(NOW + 1, signature('s', NOW)), false],
  ['too old', headersOf(NOW - 301, signature('s', NOW - 301)), false],
  ['no time', headersOf('soon', signature('s', NOW)), false],
  ['nothing at all', {}, false],
];
const expected = CASES.map(([, , isGenuine]) => isGenuine);

test('the snippet for Node tells genuine deliveries from others', () => {
  const path = join(folder, 'verify.mjs');
  const calls = `console.log(JSON.stringify(${JSON.stringify(CASES)}.map(([, h]) => verify('s', h, Buffer.from(${JSON.stringify(BODY)}), ${NOW}))))`;
  writeFileSync(path, `${snippet('js')}\n${calls}\n`);
  const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual(expected);
});

test.skipIf(!HAS_PYTHON)('the snippet for Python does the same', () => {
  const path = join(folder, 'verify_delivery.py');
  const cases = JSON.stringify(JSON.stringify(CASES.map(([, headers]) => headers)));
  const calls = `import json\nbody = ${JSON.stringify(BODY)}.encode()\nprint(json.dumps([verify("s", h, body, ${NOW}) for h in json.loads(${cases})]))`;
  writeFileSync(path, `${snippet('python')}\n${calls}\n`);
  const { stdout, stderr } = spawnSync('python3', [path], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual(expected);
});
