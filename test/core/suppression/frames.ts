/**
 * Frames for tests: any legal one, and one frame as two notations.
 * @module
 */
import fc from 'fast-check';
import { readChanges, writeChanges } from '../../../src/core/suppression/change.js';
import type { Frame } from '../../../src/core/suppression/delta.js';
import type { PlainChange, PlainEntry, PlainFrame } from '../../reference/delta.js';

const COUNT_MAX = 2n ** 53n - 1n;
const count = (min = 0n): fc.Arbitrary<bigint> => fc.bigInt({ min, max: COUNT_MAX });
const smallCount = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), count());
const word = fc.oneof(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.constantFrom(1, 2 ** 31, 2 ** 32 - 1, 2 ** 25 + 1));
const rights = fc.integer({ min: 0, max: 127 });

const change: fc.Arbitrary<PlainChange> = fc.record({
  high: word.filter((high) => high % 2 ** 25 !== 0),
  low: word,
  version: fc.oneof(fc.bigInt({ min: 1n, max: 9n }), count(1n)),
  tag: fc.integer({ min: 1, max: 31 }),
  rightsBefore: rights,
  rights,
  isDerived: fc.boolean(),
});

const entry = fc.record({ atMs: count(), isCanary: fc.boolean(), changes: fc.array(change, { maxLength: 6 }) });

/** Any legal frame, not too long. */
export const plainFrames: fc.Arbitrary<PlainFrame> = fc
  .record({
    epoch: fc.string({
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 36,
    }),
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    entries: fc.array(entry, { maxLength: 5 }),
    firstSeq: fc.bigInt({ min: 1n, max: COUNT_MAX - 1000n }),
    more: fc.bigInt({ min: 0n, max: 900n }),
    settledBack: fc.bigInt({ min: 0n, max: 2000n }),
    stateDigest: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    counts: fc.tuple(smallCount, smallCount, smallCount),
    kindMask: fc.integer().map((mask) => mask & ~1),
    givenBits: fc.integer(),
  })
  .map(({ epoch, seed, entries, firstSeq, more, settledBack, stateDigest, counts, kindMask, givenBits }) => {
    const seq = firstSeq + BigInt(entries.length) - 1n + more;
    const [entryCount, beat, lagMs] = counts;
    return {
      head: {
        ...{ epoch, seed, seq, entryCount, beat, lagMs, kindMask },
        settledSeq: settledBack > seq ? 0n : seq - settledBack,
        stateDigest: stateDigest.toString(16).padStart(16, '0'),
        givenKindMask: kindMask & givenBits,
      },
      entries: entries.map((plain, index): PlainEntry => ({ ...plain, seq: firstSeq + BigInt(index) })),
    };
  });

/** The frame in the notation of the code. */
export function frameOf({ head, entries }: PlainFrame): Frame {
  const { epoch, seed, stateDigest, kindMask, givenKindMask } = head;
  const [seq, settledSeq, entryCount] = [Number(head.seq), Number(head.settledSeq), Number(head.entryCount)];
  return {
    head: {
      ...{ epoch, seed, seq, settledSeq, stateDigest, entryCount, kindMask, givenKindMask },
      ...{ beat: Number(head.beat), lagMs: Number(head.lagMs) },
    },
    entries: entries.map(({ seq, atMs, isCanary, changes }) => ({
      ...{ seq: Number(seq), atMs: Number(atMs), isCanary },
      changes: writeChanges(changes.map((plain) => ({ ...plain, version: Number(plain.version) }))),
    })),
  };
}

/** The frame in the notation of the slow twin. */
export function plainOf({ head, entries }: Frame): PlainFrame {
  const { epoch, seed, stateDigest, kindMask, givenKindMask } = head;
  const [seq, settledSeq, entryCount] = [BigInt(head.seq), BigInt(head.settledSeq), BigInt(head.entryCount)];
  return {
    head: {
      ...{ epoch, seed, seq, settledSeq, stateDigest, entryCount, kindMask, givenKindMask },
      ...{ beat: BigInt(head.beat), lagMs: BigInt(head.lagMs) },
    },
    entries: entries.map(({ seq, atMs, isCanary, changes }) => ({
      ...{ seq: BigInt(seq), atMs: BigInt(atMs), isCanary },
      changes: readChanges(changes).map((read) => ({
        ...read,
        high: read.high >>> 0,
        low: read.low >>> 0,
        version: BigInt(read.version),
      })),
    })),
  };
}
