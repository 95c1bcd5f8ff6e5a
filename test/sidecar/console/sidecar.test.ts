/**
 * The console of a real sidecar: what is decided and recorded is shown, and a page that is open does not keep the process.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { prepareEmbedded } from '../../ledger/embedded-folder.js';
import { PATIENCE_MS, requestOf, startSidecarProcess } from '../running.js';

const folder = mkdtempSync(join(tmpdir(), 'optgate-console-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('opt-outs, decisions and this process are there; open pages hear that it ends, and it ends', async () => {
  const place = join(folder, 'ledger');
  await prepareEmbedded(place);
  const sidecar = await startSidecarProcess(['--ledger', place, '--name', 'pod-1']);
  onTestFinished(() => void sidecar.kill('SIGKILL'));
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what is there
  const get = async (path: string): Promise<any> => JSON.parse((await sidecar.onControl(`/console/api${path}`)).text);
  await expect.poll(async () => (await get('/state')).ledger, { timeout: PATIENCE_MS }).toBe('open');
  const receipt = JSON.parse((await sidecar.optOut(1)).text);
  await expect
    .poll(async () => (await get('/state')).verdict, { timeout: PATIENCE_MS })
    .toEqual({ state: 'working', sentence: expect.stringContaining('one enforcer'), further: [] });
  const { enforcers } = await get('/state');
  expect(enforcers).toMatchObject([{ name: 'pod-1', role: 'sidecar', state: 'live', silent: false }]);
  expect((await get('/requests')).requests).toMatchObject([{ requestId: receipt.requestId, channel: 'api' }]);
  const { channels } = await get('/sums/opt-outs');
  expect(channels).toMatchObject([{ channel: 'api' }]);
  expect(channels[0].counts.at(-1)).toBe(1);
  for (let index = 0; index < 5; index++) await sidecar.check(requestOf(1));
  await expect
    .poll(
      async () =>
        (await get('/decisions?range=hour')).intervals.some(
          ({ actions }: { actions: { restrict: number } }) => actions.restrict > 0,
        ),
      {
        timeout: PATIENCE_MS,
      },
    )
    .toBe(true);
  const stream = await fetch(`http://${sidecar.control}/console/events`, { headers: { accept: 'text/event-stream' } });
  const told = stream.text();
  expect(await sidecar.stop()).toBe(0);
  expect((await told).trimEnd()).toMatch(/event: state\n[\s\S]*event: closing\ndata: \{\}$/);
});
