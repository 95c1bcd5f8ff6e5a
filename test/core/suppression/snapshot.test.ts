/**
 * Snapshots in memory: what was written comes back; whatever is damaged, cut or made up is refused.
 * @module
 */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auditTable } from '../../../src/core/suppression/copy.js';
import { BUCKET_COUNT_MAX } from '../../../src/core/suppression/layout.js';
import {
  decodeSnapshot,
  encodeSnapshot,
  SnapshotReader,
  SnapshotWriter,
} from '../../../src/core/suppression/snapshot.js';
import {
  dataOffset,
  readSnapshotHeader,
  SNAPSHOT_HEADER_BYTES,
} from '../../../src/core/suppression/snapshot-header.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { rightsInSnapshot } from '../../reference/suppression-snapshot.js';
import { codeOf } from './codes.js';
import { keyAt, keysOfBucket, rightsAt, SEED } from './keys.js';

const KEYS = 3000;
const CREATED_AT_MS = 1_750_000_000_000;
const BLOCK_BYTES = 4096;

function smallTable(): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 0, seed: SEED, epoch: 'epoch-1' });
  for (let index = 0; index < KEYS; index++) table.set(...keyAt(index), rightsAt(index));
  for (let index = 0; index < KEYS; index += 9) table.remove(...keyAt(index));
  table.set(5, 1, 2, 3, 4, 1, true);
  table.publish(2 ** 33 + 5, 1_760_000_000_000);
  return table;
}

/** A copy with some header bytes changed and the header's checksum made right again. */
function forged(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  change(view);
  view.setUint32(252, crc32(copy.subarray(0, 252)), true);
  return copy;
}

const table = smallTable();
const bytes = encodeSnapshot(table, CREATED_AT_MS, { blockBytes: BLOCK_BYTES });
const headBytes = dataOffset(readSnapshotHeader(bytes, bytes.length));

describe('round trip', () => {
  test.each([4096, 64 * 100, 2 ** 20, 2 ** 26])('in blocks of %d bytes', (blockBytes) => {
    const loaded = decodeSnapshot(encodeSnapshot(table, CREATED_AT_MS, { blockBytes }));
    expect(auditTable(loaded)).toEqual({ ...auditTable(table), misplacedCount: 0 });
    for (let index = 0; index < KEYS + 1000; index++) {
      expect(loaded.rightsOf(...keyAt(index))).toBe(table.rightsOf(...keyAt(index)));
    }
    const { seed, epoch, seq, freshAtMs, entryCount, tombstoneCount, stateDigest } = table;
    expect(loaded).toMatchObject({ seed, epoch, seq, freshAtMs, entryCount, tombstoneCount, stateDigest });
    expect([loaded.kindMask, loaded.givenKindMask]).toEqual([(1 << 8) | (1 << 5), 1 << 8]);
  });

  test('a loaded table takes writes', () => {
    const loaded = decodeSnapshot(bytes);
    expect([loaded.set(...keyAt(0), 3), loaded.set(...keyAt(KEYS), 4)]).toEqual(['added', 'added']);
    expect(auditTable(loaded).stateDigest).toBe(loaded.stateDigest);
  });

  test('the header alone says what is inside', () => {
    expect(readSnapshotHeader(bytes.subarray(0, SNAPSHOT_HEADER_BYTES), bytes.length)).toMatchObject({
      ...{ blockBytes: BLOCK_BYTES, blockCount: 64, bucketCount: 4096, sectionsBytes: 0 },
      ...{ epoch: 'epoch-1', seq: 2 ** 33 + 5, createdAtMs: CREATED_AT_MS, freshAtMs: 1_760_000_000_000 },
      ...{ entryCount: table.entryCount, tombstoneCount: table.tombstoneCount, stateDigest: table.stateDigest },
    });
  });

  test('a second reader, written from the description, finds the same', () => {
    const crowded = smallTable();
    const keys = [...keysOfBucket(crowded, 4095, 20), ...Array.from({ length: 1200 }, (_, index) => keyAt(index * 3))];
    for (const key of keys.slice(0, 20)) crowded.set(...key, 77);
    const file = encodeSnapshot(crowded, CREATED_AT_MS, { blockBytes: BLOCK_BYTES });
    for (const key of keys) expect(rightsInSnapshot(file, key)).toBe(crowded.rightsOf(...key));
  });
});

describe('damage', () => {
  test('of any byte of the head is found, before there is a table to fill', () => {
    const head = bytes.slice(0, headBytes);
    for (let at = 0; at < headBytes; at++) {
      head[at]! ^= 1 << (at % 8);
      expect(codeOf(() => new SnapshotReader(head, bytes.length))).toMatch(/^snapshot\./);
      head[at]! ^= 1 << (at % 8);
    }
    expect(codeOf(() => new SnapshotReader(head, bytes.length))).toBe('nothing thrown');
  });

  test('of any byte of any block is found', () => {
    const reader = new SnapshotReader(bytes.subarray(0, headBytes), bytes.length);
    for (let index = 0; index < reader.header.blockCount; index++) {
      const block = reader.block(index);
      block.set(bytes.subarray(headBytes + index * BLOCK_BYTES, headBytes + (index + 1) * BLOCK_BYTES));
      reader.verify(index);
      for (let at = 0; at < block.length; at++) {
        block[at]! ^= 1 << (at % 8);
        expect(codeOf(() => reader.verify(index))).toBe('snapshot.checksum');
        block[at]! ^= 1 << (at % 8);
      }
    }
    expect(reader.finish().entryCount).toBe(table.entryCount);
  });

  test('of any byte to any value is found, head or block', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flipped) => {
        const damaged = bytes.slice();
        damaged[at]! ^= flipped;
        expect(codeOf(() => decodeSnapshot(damaged))).toMatch(/^snapshot\./);
      }),
      { numRuns: 300 },
    );
  });

  test('two blocks in each other’s place are found', () => {
    const swapped = bytes.slice();
    swapped.copyWithin(headBytes, headBytes + BLOCK_BYTES, headBytes + 2 * BLOCK_BYTES);
    swapped.set(bytes.subarray(headBytes, headBytes + BLOCK_BYTES), headBytes + BLOCK_BYTES);
    expect(codeOf(() => decodeSnapshot(swapped))).toBe('snapshot.checksum');
  });

  test('truncation at every length is found', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(codeOf(() => decodeSnapshot(bytes.subarray(0, length)))).toBe('snapshot.truncated');
    }
  });

  test.each([1, 7, 64, 4096])('%d bytes too many are found', (count) => {
    const longer = new Uint8Array(bytes.length + count);
    longer.set(bytes);
    expect(codeOf(() => decodeSnapshot(longer))).toBe('snapshot.trailing_bytes');
  });

  test('any bytes at all are refused with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (noise) => {
        expect(codeOf(() => decodeSnapshot(noise))).toMatch(/^snapshot\.(truncated|magic)$/);
        const withMagic = new Uint8Array(noise.length + 8);
        withMagic.set(bytes.subarray(0, 8));
        withMagic.set(noise, 8);
        expect(codeOf(() => decodeSnapshot(withMagic))).toMatch(/^snapshot\./);
      }),
    );
  });
});

describe('a header made by someone who can compute checksums', () => {
  const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value, true);
  const u64 = (at: number, value: bigint) => (view: DataView) => view.setBigUint64(at, value, true);

  test.each([
    ['a format to come', u32(8, 2), 'snapshot.version'],
    ['the other byte order', u32(12, 0x04030201), 'snapshot.endianness'],
    ['a header of another size', u32(16, 512), 'snapshot.header'],
    ['blocks of 0 bytes', u32(20, 0), 'snapshot.header'],
    ['blocks of part of a bucket', u32(20, 4097), 'snapshot.header'],
    ['more blocks than there are', u32(24, 65), 'snapshot.header'],
    ['2^32 - 1 blocks', u32(24, 2 ** 32 - 1), 'snapshot.header'],
    ['sections over the limit', u32(32, 2 ** 31), 'snapshot.header'],
    ['no buckets', u32(40, 0), 'snapshot.header'],
    ['2^32 - 1 buckets', u32(40, 2 ** 32 - 1), 'snapshot.header'],
    ['one bucket more', u32(40, 4097), 'snapshot.header'],
    ['a reach that loses keys', u32(44, 8), 'snapshot.header'],
    ['an endless reach', u32(44, 2 ** 32 - 1), 'snapshot.header'],
    ['a key of kind 0', u32(48, 1), 'snapshot.header'],
    ['a kind given that is not there', u32(140, 1 << 20), 'snapshot.header'],
    ['more entries than slots', u32(52, 32_769), 'snapshot.header'],
    ['no epoch', u32(60, 0), 'snapshot.header'],
    ['an epoch longer than its field', u32(60, 37), 'snapshot.header'],
    ['an epoch with a space', (view: DataView) => view.setUint8(104, 32), 'snapshot.header'],
    ['a seq beyond 2^53', u64(72, 2n ** 53n), 'snapshot.header'],
    ['a time beyond 2^53', u64(80, 2n ** 64n - 1n), 'snapshot.header'],
    ['something where nothing is defined', (view: DataView) => view.setUint8(200, 1), 'snapshot.header'],
  ])('%s is refused', (_, change, code) => {
    expect(codeOf(() => decodeSnapshot(forged(bytes, change)))).toBe(code);
  });

  test('the largest table there can be is refused before anything is allocated', () => {
    const hostile = forged(bytes, (view) => {
      view.setUint32(20, 2 ** 26, true);
      view.setUint32(24, Math.ceil((BUCKET_COUNT_MAX * 64) / 2 ** 26), true);
      view.setUint32(40, BUCKET_COUNT_MAX, true);
    });
    expect(codeOf(() => decodeSnapshot(hostile))).toBe('snapshot.truncated');
    expect(codeOf(() => decodeSnapshot(bytes, { bytesMax: bytes.length - 1 }))).toBe('snapshot.too_large');
    expect(decodeSnapshot(bytes, { bytesMax: bytes.length }).entryCount).toBe(table.entryCount);
  });
});

describe('sections', () => {
  /** The snapshot with sections between the block checksums and the first block. */
  function withSections(sections: Uint8Array): Uint8Array {
    const longer = new Uint8Array(bytes.length);
    longer.set(bytes);
    longer.set(sections, SNAPSHOT_HEADER_BYTES + 64 * 4);
    return forged(longer, (view) => {
      view.setUint32(32, sections.length, true);
      view.setUint32(36, crc32(sections), true);
    });
  }
  const section = (type: number, byteLength: number, payloadBytes: number): Uint8Array => {
    const made = new Uint8Array(8 + payloadBytes);
    new DataView(made.buffer).setUint32(0, type, true);
    new DataView(made.buffer).setUint32(4, byteLength, true);
    return made;
  };

  test('that are optional are skipped', () => {
    const two = Uint8Array.from([...section(1, 104, 104), ...section(0x7fffffff, 3, 8)]);
    expect(decodeSnapshot(withSections(two)).stateDigest).toBe(table.stateDigest);
  });
  test('that must be understood are refused', () => {
    expect(codeOf(() => decodeSnapshot(withSections(section(0x80000001, 8, 8))))).toBe('snapshot.version');
  });
  test('that are longer than they can be are refused', () => {
    for (const byteLength of [9, 2 ** 32 - 1]) {
      expect(codeOf(() => decodeSnapshot(withSections(section(1, byteLength, 8))))).toBe('snapshot.header');
    }
  });
  test('that are damaged are refused', () => {
    const damaged = withSections(section(1, 8, 8));
    damaged[SNAPSHOT_HEADER_BYTES + 64 * 4 + 9]! ^= 1;
    expect(codeOf(() => decodeSnapshot(damaged))).toBe('snapshot.checksum');
  });
});

describe('misuse', () => {
  test('a table written to meanwhile gives no snapshot', () => {
    const busy = smallTable();
    const writer = new SnapshotWriter(busy, CREATED_AT_MS);
    for (let index = 0; index < writer.blockCount; index++) writer.block(index);
    busy.set(...keyAt(KEYS + 1), 1);
    expect(codeOf(() => writer.head())).toBe('snapshot.table_changed');
  });

  test('a head before all blocks, a table before all are verified, blocks of no legal size', () => {
    expect(() => new SnapshotWriter(table, CREATED_AT_MS).head()).toThrow(TypeError);
    expect(() => new SnapshotReader(bytes.subarray(0, headBytes), bytes.length).finish()).toThrow(TypeError);
    expect(() => new SnapshotWriter(table, CREATED_AT_MS, { blockBytes: 100 })).toThrow(RangeError);
    expect(() => new SnapshotWriter(table, -1)).toThrow(RangeError);
  });
});
