/**
 * Over TLS, as it is documented: `optgate serve` delivers to an authority of NODE_EXTRA_CA_CERTS, and to no other; and it can
 * be told not to deliver.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { optgateProcess } from '../cli/run.js';
import { BACKENDS, type TestLocation } from '../ledger/both-databases.js';
import { until } from '../ledger/until.js';
import { maidOf, PATIENCE_MS, type Running, startSidecarProcess } from '../sidecar/running.js';
import { type Receiver, signed, startReceiver } from './receiver.js';

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');
const folder = mkdtempSync(join(tmpdir(), 'optgate-tls-'));
const FAST = ['--set', 'webhooks.retryBase=50ms', '--set', 'webhooks.retryCap=200ms', '--canary-every', 'off'];

const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
/** A key and a certificate of it for this machine, signed by itself. */
const certify = (name: string, names = 'IP:127.0.0.1,DNS:localhost') => {
  const subject = ['-subj', '/CN=optgate test', '-addext', `subjectAltName=${names}`, '-days', '2'];
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject, ...files);
  return { key: readFileSync(join(folder, `${name}.key`)), cert: readFileSync(join(folder, `${name}.pem`)) };
};

backend.describe(`webhooks over TLS, on ${backend.name}`, () => {
  let place: TestLocation;
  let sidecar: Running | undefined;
  const receivers: Receiver[] = [];
  const receive = async (tls: { readonly key: Buffer; readonly cert: Buffer }) => {
    const receiver = await startReceiver(undefined, 0, tls);
    receivers.push(receiver);
    return receiver;
  };
  const webhook = (...args: readonly string[]) => {
    const answer = optgateProcess(['webhook', ...args, '--ledger', place.location]);
    expect(answer.stderr).toBe('');
    return answer.json();
  };
  const serve = async (env: Readonly<Record<string, string>> = {}, ...more: readonly string[]) => {
    sidecar = await startSidecarProcess(['--ledger', place.location, ...FAST, ...more], env);
    await sidecar.until('stderr', /"ledger.opened"/, PATIENCE_MS);
    return sidecar;
  };
  const lineOf = (id: string) => webhook('list').find((one: { id: string }) => one.id === id);

  beforeAll(async () => {
    place = await backend.create();
    expect(optgateProcess(['ledger', 'migrate', '--ledger', place.location]).status).toBe(0);
  });
  afterEach(async () => {
    sidecar?.kill('SIGKILL');
    for (const { id } of webhook('list')) webhook('remove', id);
    for (const one of receivers.splice(0)) await one.close();
  });
  afterAll(async () => {
    await place?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('an authority of ours is trusted, for its names; every other certificate is refused, and nothing is sent', async () => {
    const [trusted, stranger] = [await receive(certify('trusted')), await receive(certify('stranger'))];
    const elsewhere = await receive(certify('elsewhere', 'DNS:crm.example.com'));
    const bundle = join(folder, 'bundle.pem');
    writeFileSync(bundle, ['trusted', 'elsewhere'].map((name) => readFileSync(join(folder, `${name}.pem`))).join(''));
    const [{ secret }] = webhook('add', 'address', trusted.url, '--allow-private');
    webhook('add', 'name', trusted.url.replace('127.0.0.1', 'localhost'), '--allow-private');
    webhook('add', 'stranger', stranger.url, '--allow-private');
    webhook('add', 'elsewhere', elsewhere.url, '--allow-private');
    const { optOut } = await serve({ NODE_EXTRA_CA_CERTS: bundle });
    expect([201, 202]).toContain((await optOut(1)).status);
    await until('two deliveries', () => trusted.received.length >= 2, PATIENCE_MS);
    const [one] = trusted.received.filter((each) => each.headers['x-optgate-signature'] === signed(secret, each));
    expect(one?.json).toMatchObject({ event: 'opt_out.recorded', request: { channel: 'api' } });
    expect(trusted.received.every(({ text }) => !text.includes(maidOf(1)))).toBe(true);
    for (const id of ['stranger', 'elsewhere']) {
      await until(`a failed attempt at ${id}`, () => lineOf(id).lastReason === 'tls', PATIENCE_MS);
    }
    expect([stranger.received, elsewhere.received]).toEqual([[], []]);
    for (const id of ['address', 'name']) {
      await until(`${id} is done with`, () => lineOf(id).behindCount === 0, PATIENCE_MS);
      expect(lineOf(id)).toMatchObject({ lastStatus: 204, lastReason: null, deadCount: 0 });
    }
  });

  test('webhooks.enabled: false keeps a process from sending, and what it records waits for one that sends', async () => {
    const receiver = await receive(certify('later'));
    webhook('add', 'crm', receiver.url, '--allow-private');
    const silent = await serve({ NODE_EXTRA_CA_CERTS: join(folder, 'later.pem') }, '--set', 'webhooks.enabled=false');
    await silent.optOut(2);
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than it takes to contend and to look
    expect(receiver.received).toEqual([]);
    expect(JSON.parse((await silent.onControl('/v1/status')).text)).toMatchObject({ webhooks: 'off' });
    expect(lineOf('crm')).toMatchObject({ lastStatus: null, lastReason: null });
    await silent.stop();
    await serve({ NODE_EXTRA_CA_CERTS: join(folder, 'later.pem') });
    await until('the delivery', () => receiver.received.length === 1, PATIENCE_MS);
    expect(receiver.kinds()).toEqual(['opt_out.recorded']);
  });
});
