/**
 * `optgate webhook`, and lists of a CRM on the command line.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BACKENDS, type TestLocation } from '../ledger/both-databases.js';
import { answerWith, startReceiver } from '../webhooks/receiver.js';
import { optgate } from './run.js';

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');
const folder = mkdtempSync(join(tmpdir(), 'optgate-cli-'));
let place: TestLocation;
let env: Readonly<Record<string, string>>;

backend.describe(`webhooks on the command line, on ${backend.name}`, () => {
  beforeAll(async () => {
    place = await backend.create();
    env = { OPTGATE_LEDGER: place.location };
    expect((await optgate(['ledger', 'migrate'], '', { env })).status).toBe(0);
  });
  afterAll(async () => {
    await place?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (...args: readonly string[]) => optgate(['webhook', ...args], '', { env });

  test('from adding to removing', async () => {
    const receiver = await startReceiver();
    const added = await run(
      'add',
      'crm',
      receiver.url,
      '--allow-private',
      '--events',
      'opt_out.recorded, opt_in.confirmed',
    );
    expect([added.status, added.stderr]).toEqual([0, '']);
    const [{ secret, ...shown }] = added.json();
    expect(secret).toMatch(/^whsec_/);
    expect(shown).toMatchObject({ id: 'crm', events: ['opt_out.recorded', 'opt_in.confirmed'], enabled: true });
    const changed = await run('add', 'crm', receiver.url, '--allow-private', '--disabled');
    expect(changed.json()[0]).toMatchObject({ enabled: false, disabledWhy: 'operator' });
    expect(changed.stdout + (await run('list')).stdout).not.toContain('whsec_');
    expect(await run('test', 'crm')).toMatchObject({ status: 0, lines: [expect.stringContaining('"delivered":true')] });
    expect(receiver.received[0]).toMatchObject({ json: { event: 'webhook.test' } });
    receiver.answer(answerWith(500));
    expect((await run('test', 'crm')).status).toBe(1);
    const tested = await optgate(['audit', 'search', '--kind', 'webhook.tested'], '', { env });
    expect(tested.json()).toMatchObject(
      [1, 2].map(() => ({ subject: 'crm', body: { host: new URL(receiver.url).host } })),
    );
    const [rotated] = (await run('rotate', 'crm', '--overlap', '1h')).json();
    expect(rotated.secret).not.toBe(secret);
    expect(rotated.secretBeforeUntil).toMatch(/^20/);
    expect((await run('deliveries', 'crm', '--state', 'dead')).lines).toEqual([]);
    expect((await run('replay', 'crm', '--dead')).json()).toEqual([{ eventCount: 0 }]);
    expect((await run('remove', 'crm')).status).toBe(0);
    expect(await run('remove', 'crm')).toMatchObject({ status: 3, stderr: expect.stringContaining('no webhook') });
    await receiver.close();
  });

  test.each([
    [[], 2, 'expected one of add, list'],
    [['add', 'crm'], 2, 'expected ID and URL'],
    [['add', 'crm', 'http://127.0.0.1/'], 2, 'url: expected a public address'],
    [['add', 'crm', 'http://169.254.169.254/', '--allow-private'], 2, 'url: expected a public address'],
    [['add', 'crm', 'https://user@crm.example.com/'], 2, 'url: expected a URL without user name'],
    [['add', 'a b', 'http://127.0.0.1/', '--allow-private'], 2, 'id: expected'],
    [
      ['add', 'crm', 'http://127.0.0.1/', '--allow-private', '--values'],
      2,
      'values: this ledger keeps no clear values',
    ],
    [['add', 'crm', 'http://127.0.0.1/', '--allow-private', '--events', 'nothing'], 2, '--events: expected some of'],
    [['replay', 'crm'], 2, 'expected one of --dead, --from and --since'],
    [['replay', 'crm', '--dead'], 3, 'there is no webhook'],
    [['test', 'crm'], 3, 'there is no webhook'],
    [['rotate', 'crm'], 3, 'there is no webhook'],
    [['deliveries', 'crm'], 3, 'there is no webhook'],
  ])('%j: %i', async (args, status, said) => {
    const answer = await run(...args);
    expect([answer.status, answer.stderr]).toEqual([status, expect.stringContaining(said)]);
  });

  test('a list of a CRM: several identifiers a row; read by another mapping it is another list', async () => {
    const path = join(folder, 'contacts.csv');
    writeFileSync(path, 'Name;E-Mail;Mobile\n"Doe; Jane";cli1@example.com;(415) 555-0111\nJoe;no address;\n');
    const send = (map: string, ...more: readonly string[]) =>
      optgate(['import', '--map', map, ...more, path], '', { env });
    const strict = await send('email=E-Mail,phone=Mobile', '--strict');
    expect([strict.status, strict.stderr]).toEqual([3, expect.stringContaining('1 of 3 rows cannot be used')]);
    const first = await send('email=E-Mail');
    expect(first.json()).toMatchObject([{ rowCount: 2, identifierCount: 1, refusedCount: 1, repeat: false }]);
    expect(first.status).toBe(1);
    expect(first.stderr).toContain('line 3: E-Mail: ');
    expect(first.stderr).not.toContain('no address');
    expect((await send('email=E-Mail')).json()).toMatchObject([{ repeat: true }]);
    const both = await send('email=E-Mail,phone=Mobile');
    expect(both.json()).toMatchObject([{ identifierCount: 2, repeat: false }]);
    const status = await optgate(['status', '--kind', 'phone', '+1 415 555 0111'], '', { env });
    expect(status.stdout).toContain('sale');
    expect(await send('email=Mail')).toMatchObject({ status: 3, stderr: expect.stringContaining('"Mail"') });
    expect(await send('fax=E-Mail')).toMatchObject({ status: 2 });
  });
});
