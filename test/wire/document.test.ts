/**
 * docs/wire-protocol.md says what is so: its example byte by byte, its codes, its limits.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createGate } from '../../src/core/index.js';
import { SOCKET_LIMITS } from '../../src/sidecar/socket/index.js';
import { CONNECTION_ERRORS, REQUEST_ERRORS } from '../../src/wire/errors.js';
import { CONTEXT_FIELDS, OPS } from '../../src/wire/protocol.js';
import { openStand, RawClient, until } from '../sidecar/socket/stand.js';

const page = readFileSync('docs/wire-protocol.md', 'utf8');

/** The bytes of every hex block, in order; offsets and text columns are checked against them. */
function hexBlocks(): Buffer[] {
  const blocks = [...page.matchAll(/```\n(0000[\s\S]*?)```/g)];
  return blocks.map(([, block = '']) => {
    const bytes: number[] = [];
    for (const line of block.trim().split('\n')) {
      const [, offset = '', hex = '', shown = ''] =
        /^([0-9a-f]{8}) {2}((?:[0-9a-f]{2} ?)+) *\|(.*)\|$/.exec(line) ?? [];
      expect(Number.parseInt(offset, 16), line).toBe(bytes.length);
      const row = hex
        .trim()
        .split(' ')
        .map((digits) => Number.parseInt(digits, 16));
      expect(shown, line).toBe(
        row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join(''),
      );
      bytes.push(...row);
    }
    return Buffer.from(bytes);
  });
}

test('the example is what happens', async () => {
  const [hello, check, decision, cutOff, error, ...rest] = hexBlocks();
  if (!hello || !check || !decision || !cutOff || !error) throw new Error('expected five blocks');
  expect(rest).toEqual([]);
  const { path, desk } = await openStand();
  expect(desk.gate.policy.version).toBe(createGate({ table: 'none' }).policy.version);
  const raw = await RawClient.connect(path);
  const received: Buffer[] = [];
  raw.socket.on('data', (chunk: Buffer) => received.push(chunk));
  raw.sendBytes(hello);
  expect(await raw.receive()).toMatchObject([0, 1, { protocol: 1 }]);
  received.length = 0;
  raw.sendBytes(Buffer.concat([check, cutOff]));
  await until(() => raw.frames.length === 3, 'both answers');
  expect(Buffer.concat(received).toString('hex')).toBe(Buffer.concat([decision, error]).toString('hex'));
});

test('every code, with its sentence, and none besides', () => {
  const rows = [...page.matchAll(/^\| `([a-z0-9_]+\.[a-z0-9_]+|internal)` \| (.*) \|$/gm)].map(([, code, said]) => [
    code,
    said,
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...REQUEST_ERRORS, ...CONNECTION_ERRORS });
});

test('every limit, with its default, and none besides', () => {
  const rows = [...page.matchAll(/^\| `([a-zA-Z]+(?:Max|Ms))` \| ([\d,]+) \|/gm)];
  const said = rows.map(([, name, value = '']) => [name, Number(value.replaceAll(',', ''))]);
  expect(Object.fromEntries(said)).toEqual(SOCKET_LIMITS);
});

test('every operation and every field of the context', () => {
  for (const op of OPS) expect(page).toMatch(new RegExp(`^\\| \`${op}\` \\|`, 'm'));
  for (const field of CONTEXT_FIELDS) expect(page).toMatch(new RegExp(`^\\| \`${field}\` \\|`, 'm'));
});
