/**
 * Writes JSON in every way that means the same, and in ways that do not: for readers that must not be fooled by spelling.
 * @module
 */

/** A deterministic stream of numbers below a bound (xorshift32). */
export type Dice = (sides: number) => number;

export function createDice(seed: number): Dice {
  let state = Math.imul(seed, 0x9e3779b1) | 0 || 1;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

/** Chances, one in so many; 0 is never. */
export interface Oddities {
  readonly space: number;
  readonly escapedKey: number;
  readonly escapedText: number;
  readonly repeatedKey: number;
  readonly otherCase: number;
  readonly oddNumber: number;
  readonly shuffled: number;
}

export const PLAIN: Oddities = {
  space: 0,
  escapedKey: 0,
  escapedText: 0,
  repeatedKey: 0,
  otherCase: 0,
  oddNumber: 0,
  shuffled: 0,
};

/** The text of a value, with oddities. */
export function writeOddly(value: unknown, dice: Dice, odds: Oddities): string {
  const once = (chance: number): boolean => chance > 0 && dice(chance) === 0;
  const space = (): string => (once(odds.space) ? (['', ' ', '\n', '\t', '\r\n  '][dice(5)] ?? '') : '');
  const text = (value: string, chance: number): string =>
    once(chance) ? escapedOddly(value, dice) : JSON.stringify(value);
  const key = (name: string): string =>
    text(once(odds.otherCase) ? (once(2) ? name.toUpperCase() : swappedCase(name, dice)) : name, odds.escapedKey);
  const write = (value: unknown): string => {
    if (typeof value === 'string') return text(value, odds.escapedText);
    if (typeof value === 'number') return once(odds.oddNumber) ? oddNumber(value, dice) : JSON.stringify(value);
    if (Array.isArray(value)) return `[${space()}${value.map((one) => write(one) + space()).join(`,${space()}`)}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
    const entries = Object.entries(value);
    if (once(odds.shuffled)) entries.reverse();
    const members = entries.flatMap(([name, inner]) => {
      const member = `${key(name)}${space()}:${space()}${write(inner)}${space()}`;
      if (!once(odds.repeatedKey)) return [member];
      const again = [null, {}, [], 0, 1, '', 'x', inner, { ifa: '6d92078a-8246-4ba4-ae5b-76104861e7dc' }][dice(9)];
      const other = `${key(name)}${space()}:${write(again)}`;
      return once(2) ? [member, other] : [other, member];
    });
    return `{${space()}${members.join(`,${space()}`)}}`;
  };
  return space() + write(value) + space();
}

/** Some characters as `\uXXXX`, in either case. */
export function escapedOddly(text: string, dice: Dice): string {
  let escaped = '';
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const hex = unit.toString(16).padStart(4, '0');
    if (dice(2) === 0) escaped += `\\u${dice(2) === 0 ? hex.toUpperCase() : hex}`;
    else if (text[index] === '/') escaped += '\\/';
    else escaped += JSON.stringify(text[index]).slice(1, -1);
  }
  return `"${escaped}"`;
}

function swappedCase(text: string, dice: Dice): string {
  return [...text].map((one) => (dice(2) === 0 ? one.toUpperCase() : one.toLowerCase())).join('');
}

/** The same number, or nearly, in another notation. */
function oddNumber(value: number, dice: Dice): string {
  const plain = JSON.stringify(value);
  if (plain === 'null' || plain.includes('e')) return plain;
  switch (dice(6)) {
    case 0:
      return plain.includes('.') ? `${plain}00` : `${plain}.0`;
    case 1:
      return `${plain}e0`;
    case 2:
      return `${plain}E+0`;
    case 3:
      return plain.includes('.') ? plain : `${plain}0e-1`;
    case 4:
      return plain.includes('.') ? `${plain}0000000000000000001` : `${plain}.00000000000000000001`;
    default:
      return plain.startsWith('-') ? plain : `-${plain}`;
  }
}

const TOKENS = [
  ...['"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'null', 'true', ' ', '\n', '%40', '@', '?uid=1&'],
  ...['\\u0069', '\\ud800', '\\"', '"ifa":"6d92078a-8246-4ba4-ae5b-76104861e7dc",', '"device":{},', '"__proto__":{},'],
  ...['"openrtb":{},', '"user":{"id":"x"},', 'jane@example.com', '\u212a', '{"ext":', '\0'],
].map((token) => Buffer.from(token));
const BAD_BYTES = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0xef, 0xbb, 0xbf],
];

/** The bytes with a few of them changed, cut out, doubled, or put in. */
export function damaged(bytes: Buffer, dice: Dice): Buffer {
  let rest = bytes;
  for (let times = dice(3); times >= 0; times--) {
    const at = dice(rest.length + 1);
    const end = Math.min(rest.length, at + 1 + dice(dice(4) === 0 ? 200 : 8));
    switch (dice(6)) {
      case 0:
        rest = Buffer.concat([rest.subarray(0, at), rest.subarray(end)]);
        break;
      case 1:
        rest = Buffer.concat([rest.subarray(0, end), rest.subarray(at)]);
        break;
      case 2:
        rest = rest.subarray(0, at);
        break;
      case 3:
        rest = Buffer.concat([
          rest.subarray(0, at),
          Buffer.from(BAD_BYTES[dice(BAD_BYTES.length)] ?? []),
          rest.subarray(at),
        ]);
        break;
      case 4:
        rest = Buffer.concat([rest.subarray(0, at), TOKENS[dice(TOKENS.length)] ?? Buffer.alloc(0), rest.subarray(at)]);
        break;
      default:
        rest = Buffer.from(rest);
        if (at < rest.length) rest[at] = (rest[at] ?? 0) ^ (1 << dice(8));
    }
  }
  return rest;
}
