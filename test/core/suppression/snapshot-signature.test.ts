/**
 * Signed snapshots: in memory and in files, whoever changes what.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSigner, createVerifier } from '../../../src/core/suppression/signature.js';
import {
  decodeSnapshot,
  encodeSnapshot,
  SnapshotReader,
  SnapshotWriter,
} from '../../../src/core/suppression/snapshot.js';
import { dataOffset, readSnapshotHeader } from '../../../src/core/suppression/snapshot-header.js';
import { SuppressionTable } from '../../../src/core/suppression/table.js';
import { readSnapshotFile, readSnapshotFileHeader, writeSnapshotFile } from '../../../src/snapshot-file.js';
import { snapshotSignatureHolds } from '../../reference/suppression-snapshot.js';
import { codeOf, codeOfPromise } from './codes.js';
import { keyAt, rightsAt, SEED } from './keys.js';
import { FIRST_KEY, SECOND_KEY } from './signing-keys.js';

const CREATED_AT_MS = 1_750_000_000_000;
const BLOCK_BYTES = 4096;
const signer = createSigner(FIRST_KEY.privatePem);
const verifier = createVerifier([FIRST_KEY.publicPem]);
const stranger = createVerifier([SECOND_KEY.publicPem]);

function tableOf(keyCount: number): SuppressionTable {
  const table = SuppressionTable.create({ capacity: keyCount, seed: SEED, epoch: 'signed' });
  for (let index = 0; index < keyCount; index++) table.set(...keyAt(index), rightsAt(index));
  table.publish(keyCount, 5);
  return table;
}

const table = tableOf(3000);
const unsigned = encodeSnapshot(table, CREATED_AT_MS, { blockBytes: BLOCK_BYTES });
const signed = encodeSnapshot(table, CREATED_AT_MS, { blockBytes: BLOCK_BYTES, signer });
const { blockCount } = readSnapshotHeader(signed, signed.length);
const sectionsAt = 256 + 4 * blockCount;
const payloadAt = sectionsAt + 8;
const dataAt = dataOffset(readSnapshotHeader(signed, signed.length));

/** A copy with some bytes changed and every checksum made right again, as anyone can. */
function forged(bytes: Uint8Array, change: (view: DataView, copy: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  change(view, copy);
  for (let index = 0; index < blockCount; index++) {
    const block = copy.subarray(dataAt + index * BLOCK_BYTES, dataAt + (index + 1) * BLOCK_BYTES);
    view.setUint32(256 + index * 4, crc32(block), true);
  }
  view.setUint32(28, crc32(copy.subarray(256, sectionsAt)), true);
  view.setUint32(36, crc32(copy.subarray(sectionsAt, sectionsAt + view.getUint32(32, true))), true);
  view.setUint32(252, crc32(copy.subarray(0, 252)), true);
  return copy;
}

describe('a signed snapshot', () => {
  test('is read by who trusts the key, and by who asks for no signature', () => {
    for (const trusted of [verifier, undefined, createVerifier([SECOND_KEY.publicPem, FIRST_KEY.publicPem])]) {
      for (const bytes of [signed, Buffer.from(signed)]) {
        const loaded = decodeSnapshot(bytes, { verifier: trusted });
        expect([loaded.stateDigest, loaded.seq, loaded.rightsOf(...keyAt(7))]).toEqual([table.stateDigest, 3000, 8]);
      }
    }
  });

  test('holds the same as one without, but for the section', () => {
    expect(signed.length).toBe(unsigned.length);
    const header = readSnapshotHeader(signed, signed.length);
    const plain = readSnapshotHeader(unsigned, unsigned.length);
    expect({ ...header, sectionsBytes: 0, sectionsChecksum: 0 }).toEqual(plain);
    expect(Buffer.from(signed.subarray(dataAt)).equals(unsigned.subarray(dataAt))).toBe(true);
    expect(encodeSnapshot(table, CREATED_AT_MS, { blockBytes: BLOCK_BYTES, signer })).toEqual(signed);
  });

  test('is verified by a second reader, written from the description', () => {
    expect(snapshotSignatureHolds(signed, FIRST_KEY.publicKey)).toBe(true);
    expect(snapshotSignatureHolds(signed, SECOND_KEY.publicKey)).toBe(false);
    expect(snapshotSignatureHolds(unsigned, FIRST_KEY.publicKey)).toBe(false);
    const changed = forged(signed, (_, copy) => {
      copy[dataAt + 100]! ^= 1;
    });
    expect(snapshotSignatureHolds(changed, FIRST_KEY.publicKey)).toBe(false);
  });
});

describe('who has a key', () => {
  test('refuses what is not signed, and what a stranger has signed', () => {
    expect(codeOf(() => decodeSnapshot(unsigned, { verifier }))).toBe('signature.missing');
    expect(codeOf(() => decodeSnapshot(signed, { verifier: stranger }))).toBe('signature.unknown_key');
  });

  test('refuses it before there is a table to fill', () => {
    const head = signed.subarray(0, dataAt);
    expect(codeOf(() => new SnapshotReader(head, signed.length, { verifier: stranger }))).toBe('signature.unknown_key');
    const wrong = forged(signed, (_, copy) => {
      copy[payloadAt + 8 + 32 + 63]! ^= 1;
    });
    const wrongHead = wrong.subarray(0, dataAt);
    expect(codeOf(() => new SnapshotReader(wrongHead, signed.length, { verifier }))).toBe('signature.wrong');
  });

  test('refuses another byte in a block, although every checksum agrees', () => {
    fc.assert(
      fc.property(fc.integer({ min: dataAt, max: signed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = forged(signed, (_, copy) => {
          copy[at]! ^= bits;
        });
        expect(codeOf(() => decodeSnapshot(changed, { verifier }))).toBe('signature.wrong');
      }),
      { numRuns: 60 },
    );
  });

  test('refuses another byte in the head, although every checksum agrees', () => {
    const free = [48, 52, 56, 64, 72, 80, 88, 96, 104, 140]; // fields that can have another value
    const signature = Array.from({ length: 104 }, (_, index) => payloadAt + index);
    for (const at of [...free, ...signature]) {
      const changed = forged(signed, (_, copy) => {
        copy[at]! ^= at === 48 || at === 140 ? 0 : 1;
        if (at === 48) copy[at + 2]! ^= 1;
        if (at === 140) copy[at + 1]! ^= 1;
      });
      expect(codeOf(() => decodeSnapshot(changed))).toBe('nothing thrown');
      const isKeyId = at >= payloadAt && at < payloadAt + 8;
      expect(codeOf(() => decodeSnapshot(changed, { verifier }))).toBe(
        isKeyId ? 'signature.unknown_key' : 'signature.wrong',
      );
    }
  });

  test('refuses a signature from another snapshot', () => {
    const other = encodeSnapshot(tableOf(2999), CREATED_AT_MS, { blockBytes: BLOCK_BYTES, signer });
    const mixed = forged(other, (_, copy) => copy.set(signed.subarray(payloadAt, payloadAt + 104), payloadAt));
    expect(codeOf(() => decodeSnapshot(other, { verifier }))).toBe('nothing thrown');
    expect(codeOf(() => decodeSnapshot(mixed, { verifier }))).toBe('signature.wrong');
  });

  test('refuses a section that was renamed to be skipped', () => {
    const renamed = forged(signed, (view) => view.setUint32(sectionsAt, 2, true));
    expect(codeOf(() => decodeSnapshot(renamed))).toBe('nothing thrown');
    expect(codeOf(() => decodeSnapshot(renamed, { verifier }))).toBe('signature.missing');
  });
});

test('damage to any byte of the head is found by checksums, as in any snapshot', () => {
  const head = signed.slice(0, dataAt);
  for (let at = 0; at < dataAt; at++) {
    head[at]! ^= 1 << (at % 8);
    expect(codeOf(() => new SnapshotReader(head, signed.length))).toMatch(/^snapshot\./);
    expect(codeOf(() => new SnapshotReader(head, signed.length, { verifier }))).toMatch(/^snapshot\./);
    head[at]! ^= 1 << (at % 8);
  }
});

describe('sections of the wrong shape', () => {
  test('a signature of another size is refused', () => {
    const longer = forged(signed, (view) => {
      view.setUint32(32, 120, true);
      view.setUint32(sectionsAt + 4, 112, true);
    });
    for (const trusted of [verifier, undefined])
      expect(codeOf(() => decodeSnapshot(longer, { verifier: trusted }))).toBe('snapshot.header');
  });

  test('two signatures are refused', () => {
    const two = forged(signed, (view, copy) => {
      copy.copyWithin(sectionsAt + 112, sectionsAt, sectionsAt + 112);
      view.setUint32(32, 224, true);
    });
    expect(codeOf(() => decodeSnapshot(two, { verifier }))).toBe('snapshot.header');
  });

  test('a section that is not known, beside the signature, is skipped and not signed for', () => {
    const added = forged(signed, (view) => {
      view.setUint32(32, 120, true);
      view.setUint32(sectionsAt + 112, 77, true);
    });
    expect(codeOf(() => decodeSnapshot(added))).toBe('nothing thrown');
    expect(codeOf(() => decodeSnapshot(added, { verifier }))).toBe('signature.wrong');
  });
});

describe('misuse', () => {
  test('blocks hashed out of order, before all checksums are taken, or not at all', () => {
    const options = { blockBytes: BLOCK_BYTES, signer };
    const writer = new SnapshotWriter(table, CREATED_AT_MS, options);
    expect(() => writer.hash(0)).toThrow(TypeError);
    for (let index = 0; index < writer.blockCount; index++) writer.checksum(index);
    writer.hash(0);
    expect(() => writer.hash(2)).toThrow(TypeError);
    expect(() => writer.head()).toThrow(TypeError);
  });

  test('blocks verified out of order', () => {
    const reader = new SnapshotReader(signed.subarray(0, dataAt), signed.length, { verifier });
    reader.block(1).set(signed.subarray(dataAt + BLOCK_BYTES, dataAt + 2 * BLOCK_BYTES));
    expect(() => reader.verify(1)).toThrow(TypeError);
  });

  test('a table written to between the two passes', () => {
    const busy = tableOf(100);
    const writer = new SnapshotWriter(busy, CREATED_AT_MS, { signer });
    for (let index = 0; index < writer.blockCount; index++) writer.checksum(index);
    busy.set(...keyAt(100), 1);
    for (let index = 0; index < writer.blockCount; index++) writer.hash(index);
    expect(codeOf(() => writer.head())).toBe('snapshot.table_changed');
  });
});

describe('files', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'optgate-signed-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const large = tableOf(500_000); // six blocks

  test('are what encodeSnapshot makes, and are read by who trusts the key', async () => {
    const path = join(folder, 'set.ogs');
    await writeSnapshotFile(path, large, CREATED_AT_MS, { signer });
    expect(readFileSync(path).equals(encodeSnapshot(large, CREATED_AT_MS, { signer }))).toBe(true);
    for (const trusted of [verifier, undefined]) {
      expect((await readSnapshotFile(path, { verifier: trusted })).stateDigest).toBe(large.stateDigest);
    }
    expect(await codeOfPromise(readSnapshotFile(path, { verifier: stranger }))).toBe('signature.unknown_key');
    expect((await readSnapshotFileHeader(path, { verifier })).entryCount).toBe(500_000);
    expect(readdirSync(folder)).toEqual(['set.ogs']);
  });

  test('without a signature, or with another byte under right checksums, are refused', async () => {
    const path = join(folder, 'other.ogs');
    await writeSnapshotFile(path, large, CREATED_AT_MS);
    expect(await codeOfPromise(readSnapshotFile(path, { verifier }))).toBe('signature.missing');
    writeFileSync(
      path,
      forged(signed, (_, copy) => {
        copy[signed.length - 1]! ^= 1;
      }),
    );
    expect(await codeOfPromise(readSnapshotFile(path, { verifier }))).toBe('signature.wrong');
    expect(await codeOfPromise(readSnapshotFile(path))).toBe('nothing thrown');
  });

  test('are written and read without stopping the event loop for long', async () => {
    const path = join(folder, 'long.ogs');
    const many = SuppressionTable.create({ capacity: 4_000_000, seed: SEED, epoch: 'signed' });
    const memory = new Uint8Array(many.share().memory.buffer);
    const startMs = performance.now();
    crc32(memory);
    const checksumMs = performance.now() - startMs;
    const longestMs = async (work: () => Promise<unknown>): Promise<number> => {
      let longest = 0;
      let lastMs = performance.now();
      let isRunning = true;
      const turn = (): void => {
        longest = Math.max(longest, performance.now() - lastMs);
        lastMs = performance.now();
        if (isRunning) setImmediate(turn);
      };
      setImmediate(turn);
      await work();
      isRunning = false;
      return longest;
    };
    // the quietest of some tries, as other work on the machine only makes a pause longer
    const works = [() => writeSnapshotFile(path, many, 1, { signer }), () => readSnapshotFile(path, { verifier })];
    for (const work of works) {
      let quietestMs = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < 6 && quietestMs > checksumMs / 2; attempt++) {
        quietestMs = Math.min(quietestMs, await longestMs(work));
      }
      expect(quietestMs).toBeLessThan(checksumMs / 2); // of some 40 blocks
    }
  });
});
