/**
 * `optgate follow` behind a relay: a real process, a real server, signed and with a token.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSigner } from '../../src/core/suppression/index.js';
import { type HttpStand, loaded, openHttpStand, writeRound } from '../sync/http-stand.js';
import { startOptgate } from './run.js';

const TOKEN = 'relay-token-hunter2';
let folder = '';
let stand: HttpStand;
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-follow-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519');
  writeFileSync(inFolder('key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(inFolder('other.pem'), other.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(inFolder('token'), `${TOKEN}\n`);
  const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  stand = await openHttpStand({ feed: { signer }, relay: { signer, tokens: () => [TOKEN] }, isLoaded: false });
});
afterAll(async () => {
  await stand.close();
  rmSync(folder, { recursive: true, force: true });
});

const follow = (...options: string[]) => startOptgate(['follow', '--from', stand.url, ...options]);

test('what the relay serves is followed, change by change, and live from the start', async () => {
  await loaded(stand.feed);
  writeRound(stand.ledger, 0);
  const following = follow(
    '--token-file',
    inFolder('token'),
    '--trust-key',
    inFolder('key.pem'),
    '--verbose',
    '--json',
  );
  await following.until('stdout', /"state":"live"/);
  expect(following.said.stdout).not.toContain('hard_stale');
  writeRound(stand.ledger, 1);
  await following.until('stdout', new RegExp(`"seq":${stand.ledger.seq},"kind":`));
  following.kill('SIGINT');
  expect(await following.ended).toBe(0);
  const last = JSON.parse(following.said.stdout.trim().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ state: 'live', entryCount: stand.ledger.tableAt(stand.ledger.seq).entryCount });
  expect(`${following.said.stdout}${following.said.stderr}`).not.toContain(TOKEN);
});

test.concurrent.each([
  ['without the token', ['--trust-key', 'key.pem'], 'sync.refused'],
  ['with the key of another signer', ['--trust-key', 'other.pem', '--token-file', 'token'], 'signature.'],
])('%s there is no table, and why is said', async (_, options, code) => {
  const paths = options.map((option) => (option.startsWith('--') ? option : inFolder(option)));
  const following = follow(...paths, '--until-live', '--wait', '2s');
  expect(await following.ended).toBe(3);
  expect(following.said.stderr).toContain('not live after 2 s: empty');
  expect(following.said.stderr).toContain(code);
  expect(following.said.stderr).not.toContain(TOKEN);
});
