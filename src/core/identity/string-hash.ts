/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain, https://github.com/aappleby/smhasher) over the UTF-8 bytes of a
 * text.
 *
 * What must stay true: equal bytes give an equal hash, whether they come as a string or as UTF-8, so that a scanner of
 * raw JSON finds the keys which a reader of objects stored. A lone surrogate counts as U+FFFD, as in every UTF-8 encoder.
 *
 * The function starts from four words of state instead of one repeated seed; four equal words give the published
 * function. It spreads well, but whoever chooses a text can make its hash equal to that of another text. A shared key
 * therefore proves nothing about the texts: what is opted in or removed must be found by the text or its digest.
 * @module
 */
import { IDENTIFIER_LENGTH_MAX } from './limits.js';

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** The bytes to hash, four to a lane, first byte lowest; a UTF-16 unit takes at most three bytes of UTF-8. */
const lanes = new Int32Array((3 * IDENTIFIER_LENGTH_MAX) / 4 + 4);

/**
 * HOT. Hashes a text of at most `IDENTIFIER_LENGTH_MAX` units, starting from the state in `words[at..at+3]`, and
 * leaves the hash there. A state of four zeros is the published function with seed 0.
 */
export function hashText(text: string, words: Int32Array, at: number): void {
  hashLanes(packAscii(text) ? text.length : packUtf8(text), words, at);
}

/** HOT. The same for `bytes[from..to)`, which must be UTF-8 and at most three times `IDENTIFIER_LENGTH_MAX` long. */
export function hashUtf8(bytes: Uint8Array, from: number, to: number, words: Int32Array, at: number): void {
  const byteCount = to - from;
  const tailAt = byteCount & ~3;
  clearLastBlock(byteCount);
  for (let i = 0; i < tailAt; i += 4) {
    const at = from + i;
    lanes[i >> 2] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }
  let lane = 0;
  for (let i = tailAt; i < byteCount; i++) lane |= bytes[from + i]! << ((i & 3) << 3);
  if (tailAt < byteCount) lanes[tailAt >> 2] = lane;
  hashLanes(byteCount, words, at);
}

/** HOT. Lays an ASCII text into the lanes; false if it has any other character. */
function packAscii(text: string): boolean {
  const length = text.length;
  const tailAt = length & ~3;
  let seen = 0;
  clearLastBlock(length);
  for (let i = 0; i < tailAt; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    seen |= a | b | c | d;
    lanes[i >> 2] = a | (b << 8) | (c << 16) | (d << 24);
  }
  let lane = 0;
  for (let i = tailAt; i < length; i++) {
    const unit = text.charCodeAt(i);
    seen |= unit;
    lane |= unit << ((i & 3) << 3);
  }
  if (tailAt < length) lanes[tailAt >> 2] = lane;
  return seen < 0x80;
}

/** Lays any text into the lanes as UTF-8 and answers how many bytes that took. */
function packUtf8(text: string): number {
  lanes.fill(0);
  let byteCount = 0;
  const push = (byte: number): void => {
    lanes[byteCount >> 2]! |= byte << ((byteCount & 3) << 3);
    byteCount++;
  };
  for (let i = 0; i < text.length; i++) {
    let codePoint = text.codePointAt(i)!; // in bounds
    if (codePoint > 0xffff) i++;
    else if ((codePoint & 0xf800) === 0xd800) codePoint = 0xfffd;
    if (codePoint < 0x80) {
      push(codePoint);
      continue;
    }
    if (codePoint < 0x800) push(0xc0 | (codePoint >> 6));
    else {
      if (codePoint < 0x10000) push(0xe0 | (codePoint >> 12));
      else {
        push(0xf0 | (codePoint >> 18));
        push(0x80 | ((codePoint >> 12) & 0x3f));
      }
      push(0x80 | ((codePoint >> 6) & 0x3f));
    }
    push(0x80 | (codePoint & 0x3f));
  }
  return byteCount;
}

/** HOT. Zeroes the block that the last `byteCount & 15` bytes only partly fill. */
function clearLastBlock(byteCount: number): void {
  const lane = (byteCount >> 4) << 2;
  lanes[lane] = 0;
  lanes[lane + 1] = 0;
  lanes[lane + 2] = 0;
  lanes[lane + 3] = 0;
}

/** HOT. The hash itself, over `byteCount` bytes in the lanes, the last block filled up with zeros. */
function hashLanes(byteCount: number, words: Int32Array, at: number): void {
  let h1 = words[at]!;
  let h2 = words[at + 1]!;
  let h3 = words[at + 2]!;
  let h4 = words[at + 3]!;
  const tailAt = (byteCount >> 4) << 2;
  for (let i = 0; i < tailAt; i += 4) {
    h1 ^= Math.imul(rotateLeft(Math.imul(lanes[i]!, C1), 15), C2);
    h1 = (Math.imul(rotateLeft(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotateLeft(Math.imul(lanes[i + 1]!, C2), 16), C3);
    h2 = (Math.imul(rotateLeft(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotateLeft(Math.imul(lanes[i + 2]!, C3), 17), C4);
    h3 = (Math.imul(rotateLeft(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotateLeft(Math.imul(lanes[i + 3]!, C4), 18), C1);
    h4 = (Math.imul(rotateLeft(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  // the tail; a lane of zeros changes nothing, so no case is needed for how many bytes there are
  h1 ^= Math.imul(rotateLeft(Math.imul(lanes[tailAt]!, C1), 15), C2) ^ byteCount;
  h2 ^= Math.imul(rotateLeft(Math.imul(lanes[tailAt + 1]!, C2), 16), C3) ^ byteCount;
  h3 ^= Math.imul(rotateLeft(Math.imul(lanes[tailAt + 2]!, C3), 17), C4) ^ byteCount;
  h4 ^= Math.imul(rotateLeft(Math.imul(lanes[tailAt + 3]!, C4), 18), C1) ^ byteCount;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = avalanche(h2 + h1);
  h3 = avalanche(h3 + h1);
  h4 = avalanche(h4 + h1);
  h1 = avalanche(h1);
  h1 = (h1 + h2 + h3 + h4) | 0;
  words[at] = h1;
  words[at + 1] = h2 + h1;
  words[at + 2] = h3 + h1;
  words[at + 3] = h4 + h1;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function avalanche(sum: number): number {
  let word = sum ^ (sum >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}
