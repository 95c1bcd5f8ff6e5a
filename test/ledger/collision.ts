/**
 * Texts made to collide: MurmurHash3 mixes each block into its state by steps that can be undone, so for any start a last
 * block can be computed that leads to any state.
 * @module
 */
import { hashText } from '../../src/core/identity/string-hash.js';

const C = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
const ADDED = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17] as const;
/** Rotation of a lane, and of the state word it goes into. */
const LANE_BITS = [15, 16, 17, 18] as const;
const STATE_BITS = [19, 17, 15, 13] as const;

const rotl = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits));

/** The inverse of an odd number modulo 2^32. */
function inverse(odd: number): number {
  let result = odd;
  for (let round = 0; round < 5; round++) result = Math.imul(result, 2 - Math.imul(odd, result));
  return result;
}

const at = (words: ArrayLike<number>, index: number) => words[index] ?? 0;

/** The state after one block of four lanes. */
function mixBlock(state: readonly number[], lanes: readonly number[]): number[] {
  const next = [...state];
  for (let i = 0; i < 4; i++) {
    const mixed = Math.imul(rotl(Math.imul(at(lanes, i), at(C, i)), at(LANE_BITS, i)), at(C, (i + 1) % 4));
    const turned = rotl(at(next, i) ^ mixed, at(STATE_BITS, i)) + at(next, (i + 1) % 4);
    next[i] = (Math.imul(turned, 5) + at(ADDED, i)) | 0;
  }
  return next;
}

/** The lanes that lead from one state to another. */
function lanesBetween(from: readonly number[], to: readonly number[]): number[] {
  const state = [...from];
  const lanes: number[] = [];
  for (let i = 0; i < 4; i++) {
    const turned = Math.imul((at(to, i) - at(ADDED, i)) | 0, inverse(5)) - at(state, (i + 1) % 4);
    const mixed = rotl(turned | 0, 32 - at(STATE_BITS, i)) ^ at(state, i);
    const unmixed = rotl(Math.imul(mixed, inverse(at(C, (i + 1) % 4))), 32 - at(LANE_BITS, i));
    lanes.push(Math.imul(unmixed, inverse(at(C, i))));
    state[i] = at(to, i);
  }
  return lanes;
}

function lanesOf(text: string): number[] {
  const bytes = Buffer.from(text, 'latin1');
  return [0, 4, 8, 12].map((offset) => bytes.readInt32LE(offset));
}

function textOf(lanes: readonly number[]): string {
  const bytes = Buffer.alloc(16);
  for (const [index, lane] of lanes.entries()) bytes.writeInt32LE(lane, index * 4);
  return bytes.toString('latin1');
}

/**
 * Two ids of the same source (or account name space) with all 128 bits of their keys in common. `salt` makes others.
 * @example const [victim, attacker] = collidingIds('example.com', '1');
 */
export function collidingIds(qualifier: string, salt: string): readonly [string, string] {
  const start = new Int32Array(4);
  hashText(qualifier, start, 0);
  const begin = `victim-${salt}`.padEnd(16, '-').slice(0, 16);
  const end = 'is-a-usual-id-16';
  const target = mixBlock(mixBlock([...start], lanesOf(begin)), lanesOf(end));
  for (let attempt = 0; ; attempt++) {
    const other = `x${attempt}-${salt}`.padEnd(16, '.').slice(0, 16);
    const last = textOf(lanesBetween(mixBlock([...start], lanesOf(other)), target));
    // of ASCII, so that the text has these bytes in UTF-8, and with nothing at its end that would be trimmed
    if (/^\p{ASCII}{15}[!-~]$/u.test(last)) return [begin + end, other + last];
  }
}
