/**
 * The example in docs/delta-format.md is, byte for byte, what the code writes and both readers read.
 * @module
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Change, writeChanges } from '../../../src/core/suppression/change.js';
import { decodeFrame, encodeFrame, FRAME_BYTES_MAX, type Frame } from '../../../src/core/suppression/delta.js';
import { createSigner, createVerifier } from '../../../src/core/suppression/signature.js';
import { plainDecode } from '../../reference/delta.js';
import { plainOf } from './frames.js';
import { FIRST_KEY } from './signing-keys.js';

const page = readFileSync(new URL('../../../docs/delta-format.md', import.meta.url), 'utf8');

const change = (
  high: number,
  low: number,
  version: number,
  tag: number,
  rightsBefore: number,
  rights: number,
): Change => ({
  ...{ high, low, version, tag, rightsBefore, rights },
  isDerived: tag === 3,
});
const frame: Frame = {
  head: {
    ...{ epoch: 'example', seed: 0x0706050403020100n, seq: 45, settledSeq: 42, stateDigest: '7ab689b4e21c2235' },
    ...{ entryCount: 2, kindMask: 0x108, givenKindMask: 0x108, beat: 1234, lagMs: 150 },
  },
  entries: [
    {
      ...{ seq: 43, atMs: 1_700_000_002_000, isCanary: false },
      changes: writeChanges([
        change(0x429cc963, 0x0432f734, 3, 8, 0, 127),
        change(0x0becf750, 0x7f96d883, 2, 3, 6, 127),
      ]),
    },
    {
      ...{ seq: 44, atMs: 1_700_000_002_500, isCanary: true },
      changes: writeChanges([change(0x11049924, 0x8284cadd, 2, 8, 127, 0)]),
    },
  ],
};

test('the hex lines of the page are the frame', () => {
  const lines = [...page.matchAll(/^([0-9a-f]{8}) {2}((?:[0-9a-f]{2} ?)+)$/gm)];
  const printed = Buffer.from(
    lines
      .map(([, , hex]) => hex)
      .join(' ')
      .replaceAll(' ', ''),
    'hex',
  );
  expect(lines.map(([, at = '']) => Number.parseInt(at, 16))).toEqual(lines.map((_, index) => index * 16));
  expect(Buffer.from(encodeFrame(frame, createSigner(FIRST_KEY.privatePem))).equals(printed)).toBe(true);
  expect(plainOf(decodeFrame(printed, createVerifier([FIRST_KEY.publicPem])))).toEqual(plainOf(frame));
  expect(plainDecode(printed, [FIRST_KEY.publicKey])).toEqual(plainOf(frame));
});

test('the limits of the page are those of the code', () => {
  expect(page).toContain(`128 to ${FRAME_BYTES_MAX.toLocaleString('en')}`);
});
