/**
 * What Prebid Server (Go, Java) and Prebid.js take out of a request, optgate takes out too.
 *
 * The cases come from their own test suites, or from running their code. Every value of a case's input that the
 * reference removes or changes must be gone, or be no finer than the reference leaves it, when the groups that stand
 * for the denied activity are stripped. Where a reference does something else than protecting the person, it is listed
 * in `NOT_PRIVACY`.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createFacts } from '../../../src/core/openrtb/facts.js';
import { READ_DEFAULTS, readRequest } from '../../../src/core/openrtb/read.js';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { STRIP_GROUPS, type StripGroup } from '../../../src/core/vocabulary.js';
import type { Json } from './requests.js';

interface Case {
  readonly id: string;
  readonly impl: string;
  readonly kind: string;
  readonly in?: unknown;
  readonly out?: unknown;
  readonly assert?: readonly { readonly path: string; readonly absent?: boolean; readonly equals?: unknown }[];
  readonly path?: string;
  readonly removed?: boolean;
  readonly scrubbed?: boolean;
  readonly function?: string;
  readonly signals?: { readonly deniedActivities?: readonly string[]; readonly activity?: string };
  readonly config?: { readonly activity?: string };
}

const { cases } = JSON.parse(readFileSync('test/vectors/privacy-cases.json', 'utf8')) as { cases: readonly Case[] };

/** The groups that stand for a denied activity; Prebid Server denies ids and eids together with first-party data. */
const GROUPS_OF_ACTIVITY: Readonly<Record<string, readonly StripGroup[]>> = {
  transmitUfpd: ['ids', 'eids', 'ufpd'],
  transmitEids: ['eids'],
  transmitPreciseGeo: ['geo', 'ip'],
  transmitTid: ['tid'],
};

/** Changes of the references that take nothing from the person, with the reason why they are not followed. */
const NOT_PRIVACY: readonly (readonly [place: RegExp, reason: string])[] = [
  [/^imp\.\d+\.ext\.prebid\.bidder\./, 'Prebid Server hands the parameters of a bidder over as imp.ext.bidder'],
  [/^imp\.\d+\.ext\.prebid\.tid$/, 'dropped with imp.ext.prebid for every bidder; optgate removes it with tid'],
  [/^imp\.\d+\.ext\.prebid\.is_rewarded_inventory$/, 'moved to imp.rwdd (2.5 to 2.6)'],
  [/^regs\.ext\.(gdpr|us_privacy)$/, 'moved to regs (2.5 to 2.6); optgate passes regs as it came'],
  [/^user\.ext\.consent$/, 'moved to user.consent (2.5 to 2.6)'],
  [/^source\.ext\.schain\./, 'moved to source.schain (2.5 to 2.6)'],
  [/^ext$/, 'an empty object left out by the encoder'],
  [/^ext\.prebid\.aliases\./, 'resolved by Prebid Server before it calls the bidder'],
  [
    /^device\.lmt$/,
    'set from the iOS version and atts (lmt.ModifyForIOS), which optgate reads instead: see "lmt" below',
  ],
];

const compared: string[] = [];
const excepted = new Set<unknown>();

describe('whole requests and fragments', () => {
  test.each(
    cases.filter(
      (one) =>
        one.in !== undefined && one.out !== undefined && one.path === undefined && one.kind !== 'signal-resolution',
    ),
  )('$id $impl $function', (one) => {
    const input = asRequest(one.in);
    const output = leaves(asRequest(one.out));
    const ours = leaves(restrictRequest(input, groupsOf(one), RESTRICT_DEFAULTS));
    for (const [place, before] of leaves(input)) {
      const theirs = output.get(place);
      if (JSON.stringify(theirs) === JSON.stringify(before)) continue;
      const exception = NOT_PRIVACY.find(([pattern]) => pattern.test(place));
      if (exception !== undefined) {
        excepted.add(exception);
        continue;
      }
      compared.push(one.id);
      expectNoFiner(place, before, theirs, ours.get(place));
    }
  });
});

describe('assertions of the reference test suites', () => {
  test.each(cases.filter((one) => one.assert !== undefined && one.scrubbed === true))('$id $impl', (one) => {
    const input = one.in as Json;
    const before = leaves(input);
    const ours = restrictRequest(input, groupsOf(one), RESTRICT_DEFAULTS);
    for (const { path, absent, equals } of one.assert ?? []) {
      const value = at(ours, path);
      compared.push(one.id);
      if (absent) expect(value, path).toBeUndefined();
      else if (before.has(path)) expectNoFiner(path, before.get(path), equals, value);
    }
  });
});

describe('lmt: wherever a reference sets it, optgate reads that the person has limited tracking', () => {
  const limited = cases.filter(({ in: input, out }) => at(input, 'device') && at(out, 'device.lmt') === 1);
  test('there are such cases', () => expect(limited.length).toBeGreaterThanOrEqual(5));
  test.each(limited)('$id $impl', (one) => {
    const facts = createFacts();
    readRequest(one.in, facts, READ_DEFAULTS);
    expect([facts.lmt, facts.att]).toContain('on');
  });
});

describe('single places', () => {
  test.each(cases.filter((one) => one.path !== undefined))('$id $impl $path', (one) => {
    const path = one.path ?? '';
    const before = one.removed ? 'some-value' : one.in;
    const ours = at(restrictRequest(requestWith(path, before), groupsOf(one), RESTRICT_DEFAULTS), path);
    compared.push(one.id);
    expectNoFiner(path, before, one.removed ? undefined : one.out, ours);
  });
});

test('enough was compared, and every exception was needed', () => {
  expect(new Set(compared).size).toBeGreaterThanOrEqual(133);
  expect([...excepted]).toEqual(expect.arrayContaining([...NOT_PRIVACY]));
});

/** Gone is never finer. What stays must be coarsened as much, or be exactly what the reference sends. */
function expectNoFiner(place: string, before: unknown, theirs: unknown, ours: unknown): void {
  if (ours === undefined) return;
  const label = `${place} of ${typeof before}`;
  expect(theirs, label).toBeDefined();
  if (typeof before === 'number' && /\.(lat|lon)$/.test(place)) {
    expect(ours, label).toBeCloseTo(Number(theirs), 8);
    expect(Number.isInteger(Math.round(Number(ours) * 1e6) / 1e4), label).toBe(true);
  } else if (typeof ours === 'string' && isIP(ours) !== 0) {
    expect(zeroBitsAtEnd(ours), label).toBeGreaterThanOrEqual(
      isIP(String(theirs)) === 0 ? 128 : zeroBitsAtEnd(String(theirs)),
    );
  } else {
    expect(ours, label).toEqual(theirs);
  }
}

function zeroBitsAtEnd(address: string): number {
  const host = isIP(address) === 4 ? address : new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = host.split('::');
  const separator = isIP(address) === 4 ? '.' : ':';
  const groups = (part: string): string[] => (part === '' ? [] : part.split(separator));
  const gap = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const bits = [...groups(head), ...Array<string>(gap).fill('0'), ...groups(tail ?? '')]
    .map((group) =>
      separator === '.'
        ? Number(group).toString(2).padStart(8, '0')
        : Number.parseInt(group, 16).toString(2).padStart(16, '0'),
    )
    .join('');
  return bits.length - bits.replace(/0+$/, '').length;
}

function groupsOf({ signals, config, function: name = '' }: Case): readonly StripGroup[] {
  const activities = signals?.deniedActivities ?? [
    signals?.activity ?? config?.activity ?? /transmit\w+/.exec(name)?.[0] ?? '',
  ];
  const groups = activities.flatMap((activity) => GROUPS_OF_ACTIVITY[activity] ?? STRIP_GROUPS);
  return [...new Set(groups)];
}

/** A fragment of one address is put where such an address stands. */
function asRequest(value: unknown): Json {
  const { ip, ...rest } = value as Json;
  return ip === undefined ? rest : { device: { ipv6: ip } };
}

/** Every value that is no container, and every empty container, by its path. */
function leaves(value: unknown, path = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return new Map([[path, value]]);
  const inner = Object.entries(value).flatMap(([key, one]) => [...leaves(one, path === '' ? key : `${path}.${key}`)]);
  return new Map(inner);
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((here, name) => (here as Json | undefined)?.[name], value);
}

function requestWith(path: string, value: unknown): Json {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Json;
}
