/**
 * Delta frames: what was written comes back, the slow twin agrees on every value and every refusal, and whatever is
 * damaged, cut or made up is refused.
 * @module
 */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GateError } from '../../../src/core/errors.js';
import {
  CHANGE_BYTES,
  type Change,
  ENTRY_CHANGES_MAX,
  readChanges,
  writeChanges,
} from '../../../src/core/suppression/change.js';
import {
  decodeFrame,
  ENTRY_HEADER_BYTES,
  type Entry,
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type Frame,
  frameBytesAt,
  type Head,
} from '../../../src/core/suppression/delta.js';
import { createSigner, createVerifier, type Verifier } from '../../../src/core/suppression/signature.js';
import { type PlainAnswer, plainDecode, plainEncode } from '../../reference/delta.js';
import { codeOf } from './codes.js';
import { frameOf, plainFrames, plainOf } from './frames.js';
import { FIRST_KEY, SECOND_KEY } from './signing-keys.js';

const signer = createSigner(FIRST_KEY.privatePem);
const verifier = createVerifier([FIRST_KEY.publicPem]);

const CHANGE: Change = { high: 5, low: 7, version: 2, tag: 8, rightsBefore: 1, rights: 127, isDerived: false };
const HEAD: Head = {
  ...{ epoch: 'e1', seed: 3n, seq: 12, settledSeq: 9, stateDigest: '00000000deadbeef', entryCount: 40 },
  ...{ kindMask: 0x108, givenKindMask: 0x100, beat: 77, lagMs: 150 },
};
const entryOf = (seq: number, changeCount: number): Entry => ({
  ...{ seq, atMs: 1_700_000_000_000 + seq, isCanary: seq % 2 === 0 },
  changes: writeChanges(Array.from({ length: changeCount }, (_, index) => ({ ...CHANGE, low: index + 1 }))),
});
const FRAME: Frame = { head: HEAD, entries: [entryOf(10, 3), entryOf(11, 0), entryOf(12, 1)] };

/** What decodeFrame makes of some bytes, in the notation of the twin. */
function answerOf(bytes: Uint8Array, trusted?: Verifier): PlainAnswer {
  try {
    return plainOf(decodeFrame(bytes, trusted));
  } catch (error) {
    if (error instanceof GateError) return error.code;
    throw error;
  }
}

/** A copy with some bytes changed and the checksum made right again. */
function forged(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  change(view);
  view.setUint32(copy.length - 4, crc32(copy.subarray(0, -4)), true);
  return copy;
}

describe('round trip', () => {
  test('any frame comes back, signed or not, and the twin writes the same bytes', () => {
    fc.assert(
      fc.property(plainFrames, (plain) => {
        const bytes = encodeFrame(frameOf(plain));
        expect(Buffer.from(bytes).equals(plainEncode(plain))).toBe(true);
        expect(answerOf(bytes)).toEqual(plain);
        expect(plainDecode(bytes)).toEqual(plain);
        const signed = encodeFrame(frameOf(plain), signer);
        for (const trusted of [undefined, verifier]) expect(answerOf(signed, trusted)).toEqual(plain);
        expect(plainDecode(signed, [FIRST_KEY.publicKey])).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  });

  test('changes are views of the frame, wherever it lies in memory', () => {
    for (const offset of [0, 1, 2, 3, 4]) {
      const bytes = new Uint8Array(new ArrayBuffer(2000), offset, encodeFrame(FRAME).length);
      bytes.set(encodeFrame(FRAME));
      const { entries } = decodeFrame(bytes);
      expect(entries.map(({ changes }) => changes.buffer === bytes.buffer)).toEqual([true, true, true]);
      expect(entries.map(({ changes }) => readChanges(changes).length)).toEqual([3, 0, 1]);
    }
  });

  test('frames one after the other are found by their lengths', () => {
    const frames = [FRAME, { head: HEAD, entries: [] }, FRAME].map((frame, index) =>
      encodeFrame(frame, index === 1 ? signer : undefined),
    );
    const bytes = Buffer.concat(frames);
    const found: Frame[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + frameBytesAt(bytes, at);
      found.push(decodeFrame(bytes.subarray(at, end)));
      at = end;
    }
    expect(found.map(({ entries }) => entries.length)).toEqual([3, 0, 3]);
    expect(codeOf(() => frameBytesAt(bytes, bytes.length))).toBe('delta.truncated');
    expect(codeOf(() => frameBytesAt(bytes, bytes.length - 7))).toBe('delta.truncated');
    expect(codeOf(() => frameBytesAt(bytes, 1))).toBe('delta.magic');
  });
});

describe('damage', () => {
  const signed = encodeFrame(FRAME, signer);

  test('of any bit of a frame is found, also by who looks at no signature', () => {
    for (const bytes of [encodeFrame(FRAME), signed]) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = bytes.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expect(codeOf(() => decodeFrame(damaged))).toMatch(/^delta\./);
      }
    }
  });

  test('of any byte to any value is found', () => {
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flipped) => {
        const damaged = signed.slice();
        damaged[at]! ^= flipped;
        expect(codeOf(() => decodeFrame(damaged))).toMatch(/^delta\./);
      }),
    );
  });

  test('truncation at every length is found, and bytes too many', () => {
    for (let length = 0; length < signed.length; length++) {
      expect(codeOf(() => decodeFrame(signed.subarray(0, length)))).toBe('delta.truncated');
    }
    for (const count of [1, 4, 1000]) {
      expect(codeOf(() => decodeFrame(Buffer.concat([signed, new Uint8Array(count)])))).toBe('delta.trailing_bytes');
    }
  });
});

describe('signatures', () => {
  const signed = encodeFrame(FRAME, signer);
  const stranger = createVerifier([SECOND_KEY.publicPem]);

  test('are asked for by who has a key, and by nobody else', () => {
    expect(codeOf(() => decodeFrame(encodeFrame(FRAME), verifier))).toBe('signature.missing');
    expect(codeOf(() => decodeFrame(signed, stranger))).toBe('signature.unknown_key');
    expect(codeOf(() => decodeFrame(signed, verifier))).toBe('nothing thrown');
    expect(codeOf(() => decodeFrame(signed))).toBe('nothing thrown');
  });

  test('agree with no other byte, whoever can compute checksums', () => {
    for (let at = 12; at < signed.length - 4; at++) {
      const changed = forged(signed, (view) => view.setUint8(at, view.getUint8(at) ^ 0x10));
      const isKeyId = at >= signed.length - 76 && at < signed.length - 68;
      expect(codeOf(() => decodeFrame(changed, verifier))).toBe(isKeyId ? 'signature.unknown_key' : 'signature.wrong');
    }
  });

  test('cannot be left away by clearing the flag', () => {
    const cleared = forged(signed, (view) => view.setUint8(9, 0));
    expect(codeOf(() => decodeFrame(cleared, verifier))).toBe('signature.missing');
    expect(codeOf(() => decodeFrame(cleared))).toBe('delta.header');
  });
});

describe('the twin agrees', () => {
  test('on frames of someone who can compute checksums', () => {
    let refusedCount = 0;
    const at = fc.oneof(fc.nat(FRAME_HEADER_BYTES + 80), fc.constantFrom(8, 9, 10, 11, 12, 31, 39, 55, 72, 80, 84));
    const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x20, 0x7f, 0x80, 0xff));
    fc.assert(
      fc.property(plainFrames, fc.array(fc.tuple(at, value), { maxLength: 3 }), fc.nat(2), (plain, changes, extra) => {
        const whole = extra === 1 ? encodeFrame(frameOf(plain), signer) : encodeFrame(frameOf(plain));
        const bytes = forged(whole, (view) => {
          for (const [where, byte] of changes) if (where < whole.length - 4) view.setUint8(where, byte);
        });
        const expected = plainDecode(bytes);
        expect(answerOf(bytes)).toEqual(expected);
        if (typeof expected === 'string') refusedCount++;
        expect(answerOf(bytes, verifier)).toEqual(plainDecode(bytes, [FIRST_KEY.publicKey]));
      }),
      { numRuns: 2000 },
    );
    expect(refusedCount).toBeGreaterThan(200);
    expect(refusedCount).toBeLessThan(1900);
  });

  test('on any bytes at all', () => {
    const good = encodeFrame(FRAME);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(16), (noise, kept) => {
        const bytes = Uint8Array.from([...good.subarray(0, kept), ...noise]);
        expect(answerOf(bytes)).toEqual(plainDecode(bytes));
        if (bytes.length < 128) return;
        const view = new DataView(bytes.buffer);
        view.setUint32(0, 0x3144474f, true);
        view.setUint32(4, bytes.length, true);
        view.setUint8(8, 1);
        const checked = forged(bytes, () => {});
        expect(answerOf(checked)).toEqual(plainDecode(checked));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a frame made by someone who can compute checksums', () => {
  const bytes = encodeFrame(FRAME);
  const firstChange = FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES;
  const u8 = (at: number, value: number) => (view: DataView) => view.setUint8(at, value);
  const u16 = (at: number, value: number) => (view: DataView) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value, true);
  const u64 = (at: number, value: bigint) => (view: DataView) => view.setBigUint64(at, value, true);

  test.each([
    ['a format to come', u8(8, 2), 'delta.version'],
    ['a flag that is not known', u8(9, 2), 'delta.header'],
    ['a signature where there is no room for one', u8(9, 1), 'delta.header'],
    ['no epoch', u8(10, 0), 'delta.header'],
    ['an epoch longer than its field', u8(10, 37), 'delta.header'],
    ['something where nothing is defined', u8(11, 1), 'delta.header'],
    ['an entry more than there is', u32(12, 4), 'delta.header'],
    ['an entry less than there is', u32(12, 2), 'delta.header'],
    ['2^32 - 1 entries', u32(12, 2 ** 32 - 1), 'delta.header'],
    ['a seq beyond 2^53', u64(24, 2n ** 53n), 'delta.header'],
    ['a settled seq beyond the seq', u64(32, 13n), 'delta.header'],
    ['more entries than can be counted', u64(48, 2n ** 53n), 'delta.header'],
    ['a beat beyond 2^53', u64(56, 2n ** 64n - 1n), 'delta.header'],
    ['a lag beyond 2^53', u64(64, 2n ** 53n), 'delta.header'],
    ['no first seq', u64(72, 0n), 'delta.header'],
    ['entries after the seq', u64(72, 11n), 'delta.header'],
    ['a first seq beyond 2^53', u64(72, 2n ** 53n), 'delta.header'],
    ['a key of kind 0', u32(80, 0x109), 'delta.header'],
    ['a kind given that is not there', u32(84, 0x300), 'delta.header'],
    ['an epoch with a space', u8(88, 0x20), 'delta.header'],
    ['something after the epoch', u8(123, 1), 'delta.header'],
    ['an entry at a time beyond 2^53', u64(124, 2n ** 53n), 'delta.header'],
    ['4097 changes', u16(132, 4097), 'delta.header'],
    ['a change less than there is', u16(132, 2), 'delta.header'],
    ['an entry flag that is not known', u16(134, 2), 'delta.header'],
    ['a high word that is not minted', u32(firstChange, 2 ** 25), 'delta.header'],
    ['a low word that is not minted', u32(firstChange + 4, 0), 'delta.header'],
    ['version 0', u64(firstChange + 8, 0n), 'delta.header'],
    ['a version beyond 2^53', u64(firstChange + 8, 2n ** 53n), 'delta.header'],
    ['tag 0', u8(firstChange + 16, 0), 'delta.header'],
    ['tag 32', u8(firstChange + 16, 32), 'delta.header'],
    ['rights before of 128', u8(firstChange + 17, 128), 'delta.header'],
    ['rights of 128', u8(firstChange + 18, 128), 'delta.header'],
    ['a change flag that is not known', u8(firstChange + 19, 2), 'delta.header'],
  ])('%s is refused', (_, change, code) => {
    const hostile = forged(bytes, change);
    expect(codeOf(() => decodeFrame(hostile))).toBe(code);
    expect(plainDecode(hostile)).toBe(code);
  });

  test('an epoch that fills its field, and says that it is longer, is refused', () => {
    const full = encodeFrame({ head: { ...HEAD, epoch: 'x'.repeat(36) }, entries: [] });
    expect(decodeFrame(full).head.epoch).toHaveLength(36);
    const longer = forged(full, u8(10, 37));
    expect([codeOf(() => decodeFrame(longer)), plainDecode(longer)]).toEqual(['delta.header', 'delta.header']);
  });

  test('a first seq without entries is refused', () => {
    const heartbeat = encodeFrame({ head: HEAD, entries: [] });
    expect(codeOf(() => decodeFrame(forged(heartbeat, u64(72, 1n))))).toBe('delta.header');
  });

  test.each([
    ['shorter than any frame', 127, 'delta.header'],
    ['of none', 0, 'delta.header'],
    ['over the limit', FRAME_BYTES_MAX + 1, 'delta.too_large'],
    ['of 4 GiB', 2 ** 32 - 1, 'delta.too_large'],
    ['at the limit, and not there', FRAME_BYTES_MAX, 'delta.truncated'],
  ])('a length %s is refused', (_, frameBytes, code) => {
    expect(codeOf(() => decodeFrame(forged(bytes, u32(4, frameBytes))))).toBe(code);
  });
});

describe('limits', () => {
  test('an entry of the most changes is written and read, one more is refused', () => {
    const head = { ...HEAD, seq: 20 };
    const { entries } = decodeFrame(encodeFrame({ head, entries: [entryOf(10, ENTRY_CHANGES_MAX)] }));
    expect(entries[0]?.changes.length).toBe(ENTRY_CHANGES_MAX * CHANGE_BYTES);
    const over = { head, entries: [entryOf(10, ENTRY_CHANGES_MAX + 1)] };
    expect(codeOf(() => encodeFrame(over))).toBe('delta.header');
    const made = plainEncode(plainOf(over));
    expect([codeOf(() => decodeFrame(made)), plainDecode(made)]).toEqual(['delta.header', 'delta.header']);
  });

  test('a frame of the most bytes is written and read, one byte more is refused', () => {
    const full = ENTRY_HEADER_BYTES + ENTRY_CHANGES_MAX * CHANGE_BYTES;
    const room = FRAME_BYTES_MAX - FRAME_HEADER_BYTES - 4;
    const fullCount = Math.floor(room / full);
    const rest = room - fullCount * full;
    // the rest is filled to the byte: a few entries without changes, then changes
    const emptyCount = [1, 2, 3, 4, 5].find((count) => (rest - count * ENTRY_HEADER_BYTES) % CHANGE_BYTES === 0) ?? 0;
    const lastChanges = (rest - emptyCount * ENTRY_HEADER_BYTES) / CHANGE_BYTES;
    const sizes = [
      ...Array<number>(fullCount).fill(ENTRY_CHANGES_MAX),
      ...Array<number>(emptyCount - 1).fill(0),
      lastChanges,
    ];
    const entries = sizes.map((changeCount, index) => entryOf(index + 1, changeCount));
    const bytes = encodeFrame({ head: { ...HEAD, seq: 1000 }, entries });
    expect(bytes.length).toBe(FRAME_BYTES_MAX);
    expect(decodeFrame(bytes).entries).toHaveLength(entries.length);
    const over = { head: { ...HEAD, seq: 1000 }, entries: [...entries, entryOf(entries.length + 1, 0)] };
    expect(codeOf(() => encodeFrame(over))).toBe('delta.too_large');
  });
});

describe('what no reader would take is not written', () => {
  const withHead = (part: Partial<Head>): Frame => ({ head: { ...HEAD, ...part }, entries: [] });
  const withEntry = (part: Partial<Entry>): Frame => ({ head: HEAD, entries: [{ ...entryOf(10, 1), ...part }] });

  test.each<[string, Frame]>([
    ['no epoch', withHead({ epoch: '' })],
    ['an epoch with a space', withHead({ epoch: 'a b' })],
    ['a seed of 65 bits', withHead({ seed: 2n ** 64n })],
    ['a seed below 0', withHead({ seed: -1n })],
    ['half a seq', withHead({ seq: 12.5 })],
    ['a settled seq beyond the seq', withHead({ settledSeq: 13 })],
    ['a digest of 15 digits', withHead({ stateDigest: '123456789012345' })],
    ['a digest in capitals', withHead({ stateDigest: '00000000DEADBEEF' })],
    ['less than no entries', withHead({ entryCount: -1 })],
    ['a key of kind 0', withHead({ kindMask: 0x109 })],
    ['a mask of 33 bits', withHead({ kindMask: 2 ** 32 })],
    ['a kind given that is not there', withHead({ givenKindMask: 2 })],
    ['a beat that is no number', withHead({ beat: Number.NaN })],
    ['half a millisecond', withHead({ lagMs: 0.5 })],
    ['a lag below 0', withHead({ lagMs: -1 })],
    ['entry 0', withEntry({ seq: 0 })],
    ['an entry after the seq', withEntry({ seq: 13 })],
    ['a time before 1970', withEntry({ atMs: -1 })],
    ['part of a change', withEntry({ changes: new Uint8Array(19) })],
    ['a change of zeros', withEntry({ changes: new Uint8Array(20) })],
    ['entries out of order', { head: HEAD, entries: [entryOf(11, 1), entryOf(10, 1)] }],
    ['a gap', { head: HEAD, entries: [entryOf(10, 1), entryOf(12, 1)] }],
    ['one entry twice', { head: HEAD, entries: [entryOf(10, 1), entryOf(10, 1)] }],
  ])('%s', (_, frame) => expect(codeOf(() => encodeFrame(frame))).toBe('delta.header'));

  test('masks with the highest bit are taken as signed or unsigned numbers', () => {
    const mask = 0x80000100;
    for (const kindMask of [mask, mask | 0]) {
      const { head } = decodeFrame(encodeFrame(withHead({ kindMask, givenKindMask: kindMask })));
      expect([head.kindMask, head.givenKindMask]).toEqual([mask | 0, mask | 0]);
    }
  });
});
