/**
 * The example in docs/snapshot-format.md is, byte for byte, what the code writes.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodeSnapshot } from '../../../src/core/suppression/snapshot.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import type { PlainKey } from '../../reference/suppression.js';
import { rightsInSnapshot } from '../../reference/suppression-snapshot.js';

const page = readFileSync(new URL('../../../docs/snapshot-format.md', import.meta.url), 'utf8');
const first: PlainKey = [8, 0x00112233, 0x44556677, 0x8899aabb | 0, 0xccddeeff | 0];
const second: PlainKey = [8, 0x00112233, 0x44556677, 0x8899aabb | 0, 0xccddeefe | 0];
const third: PlainKey = [3, 0x973dfe46 | 0, 0x3ec85785, 0xf5f95af5 | 0, 0xba3906ee | 0];

test('the hex lines of the page make up the whole file', () => {
  const table = SuppressionTable.create({ capacity: 0, seed: 0x0706050403020100n, epoch: 'example' });
  table.set(...first, 127);
  table.set(...second, 1);
  table.set(...third, 6);
  table.remove(...second);
  table.publish(42, 1_700_000_000_500);

  const printed = new Uint8Array(266_240);
  const lines = [...page.matchAll(/^([0-9a-f]{8}) {2}((?:[0-9a-f]{2} ?){16})$/gm)];
  expect(lines).toHaveLength(13);
  for (const [, at = '', hex = ''] of lines)
    printed.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), Number.parseInt(at, 16));

  expect(Buffer.from(encodeSnapshot(table, 1_700_000_001_000)).equals(printed)).toBe(true);
  expect([first, second, third].map((key) => rightsInSnapshot(printed, key))).toEqual([127, 0, 6]);
});
