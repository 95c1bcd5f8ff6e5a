/**
 * New inputs from old ones: bytes damaged or joined, values moved from one request into another, names and spellings changed.
 * @module
 */
import { FIELDS } from '../../src/core/openrtb/fields.js';
import { CLASS_OF_NAME } from '../../src/core/openrtb/id-names.js';
import { IDENTIFIERS } from '../core/openrtb/requests.js';
import { type Dice, damaged, type Oddities, PLAIN, writeOddly } from '../reference/odd-json.js';

/** Longest input that is kept on evolving. */
export const INPUT_BYTES_MAX = 4_096;

const ODDITIES: readonly Oddities[] = [
  { ...PLAIN, space: 6, shuffled: 4 },
  { ...PLAIN, escapedText: 8, oddNumber: 4 },
  { ...PLAIN, otherCase: 20 },
  { ...PLAIN, escapedKey: 40, repeatedKey: 60 },
];
/** Every name the tables know. */
const NAMES = [...new Set([...FIELDS.flatMap(({ path }) => path.split(/[.[\]]+/)), ...CLASS_OF_NAME.keys()])].filter(
  (name) => name !== '' && name !== '*',
);
const VALUES: readonly unknown[] = [
  ...IDENTIFIERS,
  ...['193.168.244.1', '127.0.0.1', '2001:db8:85a3::8a2e:370:7334', '1YYN', '1YNN', 'DBABLA~BVQqAAAAAmA.QA', 'USA', ''],
  ...[
    'https://a.example/p?uid=6d92078a-8246-4ba4-ae5b-76104861e7dc&x=1#f',
    'http://',
    'a%40b.example',
    'jane@b.example',
  ],
  ...['iOS', '14.1', '{"a":{"ifa":"testuser1"}}', '\\u0040', 'ž', '\u0000', ' lead'],
  ...[0, 1, 2, 3, -1, 37.789123, -122.41945, 1e-7, 1e21, 12345678901, 0.1, true, false, null],
  ...[{}, [], [[]], [{}], { id: 'x' }, { uids: [{ id: 'testuser1', atype: 2 }] }],
];

type Container = Record<string, unknown> | unknown[];

/** A mutant of `input`, with parts of `other`. */
export function mutate(input: Buffer, other: Buffer, dice: Dice): Buffer {
  const kind = dice(8);
  if (kind === 0) return damaged(input, dice);
  if (kind === 1) {
    const at = dice(input.length + 1);
    return Buffer.concat([input.subarray(0, at), other.subarray(dice(other.length + 1))]);
  }
  const request = parsed(input);
  if (request === undefined) return damaged(input, dice);
  for (let times = dice(4); times >= 0; times--) change(request, other, dice);
  const text = kind < 5 ? JSON.stringify(request) : writeOddly(request, dice, ODDITIES[dice(ODDITIES.length)] ?? PLAIN);
  const bytes = Buffer.from(text);
  return kind === 7 ? damaged(bytes, dice) : bytes;
}

function change(request: Container, other: Buffer, dice: Dice): void {
  const containers = containersOf(request);
  const target = containers[dice(containers.length)] ?? request;
  const donors = containersOf(parsed(other) ?? {});
  const donor = Object.values(donors[dice(donors.length)] ?? {});
  const drawn = dice(2) === 0 && donor.length > 0 ? donor[dice(donor.length)] : VALUES[dice(VALUES.length)];
  const value = structuredClone(drawn);
  if (Array.isArray(target)) {
    target.splice(dice(target.length + 1), dice(2), value);
    return;
  }
  const keys = Object.keys(target);
  const key = keys[dice(keys.length)] ?? 'imp';
  const name = NAMES[dice(NAMES.length)] ?? 'id';
  switch (dice(4)) {
    case 0:
      target[name] = value;
      return;
    case 1:
      target[name] = structuredClone(target[key]);
      return;
    case 2:
      delete target[key];
      return;
    default:
      target[key] = value;
  }
}

function parsed(bytes: Buffer): Container | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? (value as Container) : undefined;
  } catch {
    return undefined;
  }
}

function containersOf(value: Container): Container[] {
  const found: Container[] = [value];
  for (let index = 0; index < found.length && found.length < 1_000; index++) {
    for (const inner of Object.values(found[index] ?? {})) {
      if (typeof inner === 'object' && inner !== null) found.push(inner as Container);
    }
  }
  return found;
}
