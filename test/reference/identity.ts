/**
 * The slow, obvious version of identity keys: regular expressions, BigInt and strings. The fast code is held against it.
 * @module
 */
import { createHash } from 'node:crypto';

/** `ok` with the 32 hexadecimal digits of a key, or why there is none. */
export type ReferenceKey = { outcome: 'ok'; hex: string } | { outcome: 'absent' | 'malformed' };

const ABSENT: ReferenceKey = { outcome: 'absent' };
const MALFORMED: ReferenceKey = { outcome: 'malformed' };
const LENGTH_MAX = 2048;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** A MAID: hyphens, white space and braces do not count; 32 hexadecimal digits must be left. */
export function referenceMaid(value: unknown): ReferenceKey {
  if (value === undefined || value === null) return ABSENT;
  if (typeof value !== 'string' || value.length > LENGTH_MAX) return MALFORMED;
  const digits = value.replace(/[\s{}-]/g, '').toLowerCase();
  if (namesNobody(value)) return ABSENT;
  return /^[0-9a-f]{32}$/.test(digits) ? { outcome: 'ok', hex: digits } : MALFORMED;
}

/** A digest in hex or Base64, white space around it. */
export function referenceDigest(algorithm: 'sha256' | 'sha1' | 'md5', value: unknown): ReferenceKey {
  if (value === undefined || value === null) return ABSENT;
  if (typeof value !== 'string' || value.length > LENGTH_MAX) return MALFORMED;
  if (namesNobody(value)) return ABSENT;
  const byteCount = { sha256: 32, sha1: 20, md5: 16 }[algorithm];
  const text = value.trim();
  const digitCount = Math.ceil((byteCount * 8) / 6);
  const padding = '='.repeat((4 - (digitCount % 4)) % 4);
  const unpadded = padding !== '' && text.endsWith(padding) ? text.slice(0, -padding.length) : text;
  let hex: string;
  if (new RegExp(`^[0-9a-fA-F]{${byteCount * 2}}$`).test(text)) hex = text.toLowerCase();
  else if (new RegExp(`^[0-9A-Za-z+/_-]{${digitCount}}$`).test(unpadded)) {
    hex = Buffer.from(unpadded.replaceAll('-', '+').replaceAll('_', '/'), 'base64').toString('hex');
  } else return MALFORMED;
  const junk = ['', '0'.repeat(32), NIL_UUID].map((junkText) => digestHex(algorithm, junkText));
  if (/^0{32}/.test(hex) || junk.includes(hex)) return ABSENT;
  return { outcome: 'ok', hex: hex.slice(0, 32) };
}

/** An eid or an account id: the hash of the qualifier is the state the hash of the id starts from. */
export function referenceQualified(qualifier: unknown, id: unknown): ReferenceKey {
  if (id === undefined || id === null) return ABSENT;
  if (typeof id !== 'string') return MALFORMED;
  const text = id.trim();
  if (text === '' || text.replaceAll('-', '') === '0'.repeat(32)) return ABSENT;
  if (typeof qualifier !== 'string' || qualifier.length > LENGTH_MAX || text.length > LENGTH_MAX) return MALFORMED;
  const canonical = qualifier.trim().toLowerCase();
  if (canonical === '' || canonical.length > LENGTH_MAX) return MALFORMED;
  const state = murmur3(Buffer.from(canonical, 'utf8'), [0n, 0n, 0n, 0n]);
  return { outcome: 'ok', hex: stateHex(murmur3(Buffer.from(text, 'utf8'), state)) };
}

/** A CTV id: letters and digits in lower case, 8 to 32. */
export function referenceCtv(value: unknown): ReferenceKey {
  if (value === undefined || value === null) return ABSENT;
  if (typeof value !== 'string' || value.length > LENGTH_MAX) return MALFORMED;
  if (namesNobody(value)) return ABSENT;
  const text = value.replace(/[^0-9A-Za-z]/g, '').toLowerCase();
  return text.length < 8 || text.length > 32 || /^0+$/.test(text)
    ? MALFORMED
    : { outcome: 'ok', hex: referenceTextHex(text) };
}

/** The key of canonical text. */
export function referenceTextHex(text: string): string {
  return stateHex(murmur3(Buffer.from(text, 'utf8'), [0n, 0n, 0n, 0n]));
}

export function digestHex(algorithm: string, text: string): string {
  return createHash(algorithm).update(text, 'utf8').digest('hex');
}

/** Blank, or nothing but zeros and what separates them. */
function namesNobody(value: string): boolean {
  return value.replace(/[\s0(){}+.-]/g, '') === '';
}

export type Murmur3State = readonly [bigint, bigint, bigint, bigint];

/** MurmurHash3_x86_128, as its author's C++ reads, with a whole state instead of a seed. */
export function murmur3(bytes: Uint8Array, seed: Murmur3State): Murmur3State {
  const c = [0x239b961bn, 0xab0e9789n, 0x38b34ae5n, 0xa1e38b93n] as const;
  const added = [0x561ccd1bn, 0x0bcaa747n, 0x96cd1c35n, 0x32ac3b17n] as const;
  const laneTurns = [15n, 16n, 17n, 18n] as const;
  const stateTurns = [19n, 17n, 15n, 13n] as const;
  const h = [...seed];
  const laneAt = (at: number): bigint => {
    let lane = 0n;
    for (let i = 0; i < 4; i++) lane |= BigInt(bytes[at + i] ?? 0) << BigInt(8 * i);
    return lane;
  };
  const mixed = (lane: bigint, i: number): bigint =>
    u32(turn(u32(lane * c[i as 0]), laneTurns[i as 0]) * c[((i + 1) % 4) as 0]);

  const blockCount = Math.floor(bytes.length / 16);
  for (let block = 0; block < blockCount; block++) {
    for (let i = 0; i < 4; i++) {
      const turned = turn(h[i]! ^ mixed(laneAt(block * 16 + i * 4), i), stateTurns[i as 0]);
      h[i] = u32(u32(turned + h[(i + 1) % 4]!) * 5n + added[i as 0]);
    }
  }
  for (let i = 0; i < 4; i++) h[i] = h[i]! ^ mixed(laneAt(blockCount * 16 + i * 4), i) ^ BigInt(bytes.length);
  return spread(spread(h).map(finalMix)) as unknown as Murmur3State;
}

function spread(h: readonly bigint[]): bigint[] {
  const sum = u32(h.reduce((total, word) => total + word, 0n));
  return h.map((word, i) => (i === 0 ? sum : u32(word + sum)));
}

function finalMix(word: bigint): bigint {
  const once = u32((word ^ (word >> 16n)) * 0x85ebca6bn);
  const twice = u32((once ^ (once >> 13n)) * 0xc2b2ae35n);
  return twice ^ (twice >> 16n);
}

function u32(value: bigint): bigint {
  return BigInt.asUintN(32, value);
}

function turn(word: bigint, bits: bigint): bigint {
  return u32(word << bits) | (word >> (32n - bits));
}

export function stateHex(state: Murmur3State): string {
  return state.map((word) => word.toString(16).padStart(8, '0')).join('');
}
