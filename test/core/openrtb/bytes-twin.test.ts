/**
 * Many requests, real, generated, oddly written and damaged, by way of bytes and by way of objects.
 *
 * `OPTGATE_CASES` multiplies how many: `npm run test:nightly` has over a million.
 * @module
 */
import fc from 'fast-check';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { createGate, type Gate } from '../../../src/core/gate.js';
import { READ_DEFAULTS } from '../../../src/core/openrtb/read.js';
import { RESTRICT_DEFAULTS, type RestrictOptions } from '../../../src/core/openrtb/restrict.js';
import { enterIdentifier } from '../../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../../src/core/suppression/index.js';
import { type IdentifierKind, RIGHTS_ALL, STRIP_ALL } from '../../../src/core/vocabulary.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { cases, casesTimeoutMs, HAS_MORE_CASES } from '../../cases.js';
import { expectSameAnswer, expectSameFacts, expectSameRest, expectSameTape } from '../../reference/bytes-twin.js';
import { createDice, type Dice, damaged, type Oddities, PLAIN, writeOddly } from '../../reference/odd-json.js';
import { anyRequest, IDENTIFIERS, type Json, REAL_REQUESTS } from './requests.js';

vi.setConfig({ testTimeout: casesTimeoutMs(120_000) });
const REAL_BYTES = REAL_REQUESTS.map(({ request }) => Buffer.from(JSON.stringify(request)));
const OPTIONS: readonly RestrictOptions[] = [
  RESTRICT_DEFAULTS,
  { ipv4KeepBits: 16, ipv6KeepBits: 56, coordinates: 'remove' },
  { ipv4KeepBits: 32, ipv6KeepBits: 128, coordinates: 'round' },
  { ipv4KeepBits: 0, ipv6KeepBits: 0, coordinates: 'round' },
];
const ODDITIES: readonly Oddities[] = [
  { ...PLAIN, space: 2, shuffled: 3 },
  { ...PLAIN, escapedText: 6, oddNumber: 3 },
  { ...PLAIN, escapedKey: 30 },
  { ...PLAIN, repeatedKey: 40 },
  { ...PLAIN, otherCase: 30 },
  { space: 9, escapedKey: 60, escapedText: 9, repeatedKey: 60, otherCase: 60, oddNumber: 9, shuffled: 9 },
];
/** A gate whose set holds many of the identifiers in the requests. */
function gateWithSet(): Gate {
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 20_000, seed: 7n, epoch: 'twin' }) });
  const enter = (kind: string, value: unknown): void => {
    if (typeof value !== 'string') return;
    try {
      enterIdentifier(holder, { kind: kind as IdentifierKind, value }, RIGHTS_ALL);
    } catch {
      // not one of its kind
    }
  };
  for (const [index, { request }] of REAL_REQUESTS.entries()) {
    if (index % 2 === 0) continue;
    const { device, user } = request as Record<string, Json | undefined>;
    enter('maid', device?.ifa);
    enter('ctv', device?.ifa);
    enter('account:user.id', user?.id);
    enter('account:user.buyeruid', user?.buyeruid);
  }
  for (const id of IDENTIFIERS) {
    enter('maid', id);
    enter('email', id);
    enter('email_sha256', id);
    enter('maid_sha1', id);
    enter('eid:liveramp.com', id);
    enter('account:user.id', id);
  }
  return createGate({ table: holder, now: () => 0 });
}

const gates: readonly Gate[] = [
  gateWithSet(),
  createGate({ table: 'none', now: () => 0 }),
  createGate({
    table: 'none',
    now: () => 0,
    policy: parsePolicy({ destinations: [{ id: 'strict', whenOptedOut: 'block' }], signals: { empty: 'absent' } }),
  }),
];
const CONTEXTS = [{}, {}, { secGpc: '1' }, { secGpc: '1', destination: 'strict' }, { country: 'USA', state: 'CA' }];

let scannedCount = 0;
let splicedCount = 0;
let caseCount = 0;

/** Everything that is compared of one request. */
function expectTwins(bytes: Buffer, dice: Dice): void {
  caseCount++;
  expectSameTape(bytes);
  const options =
    dice(4) === 0 ? { ...READ_DEFAULTS, kindMask: -1 >>> 1, emptyIsAbsent: true, digestMask: 0 } : READ_DEFAULTS;
  if (expectSameFacts(bytes, options)) scannedCount++;
  const mask = dice(3) === 0 ? STRIP_ALL : 1 + dice(STRIP_ALL);
  if (expectSameRest(bytes, mask, OPTIONS[dice(OPTIONS.length)] ?? RESTRICT_DEFAULTS)) splicedCount++;
  expectSameAnswer(gates[dice(gates.length)] as Gate, bytes, CONTEXTS[dice(CONTEXTS.length)] ?? {});
}

const anySeed = fc.integer({ min: 1 });
const pickReal = (dice: Dice): number => dice(REAL_BYTES.length);

describe('by way of bytes and by way of objects', () => {
  test('real requests, damaged', () => {
    fc.assert(
      fc.property(anySeed, (seed) => {
        const dice = createDice(seed);
        expectTwins(damaged(REAL_BYTES[pickReal(dice)] as Buffer, dice), dice);
      }),
      { numRuns: cases(45_000) },
    );
  });

  test('real requests, written oddly', () => {
    fc.assert(
      fc.property(anySeed, (seed) => {
        const dice = createDice(seed);
        const request = mixed(REAL_REQUESTS[pickReal(dice)]?.request ?? {}, dice);
        const text = writeOddly(request, dice, ODDITIES[dice(ODDITIES.length)] ?? PLAIN);
        expectTwins(Buffer.from(dice(20) === 0 ? `\ufeff${text}` : text), dice);
      }),
      { numRuns: cases(45_000) },
    );
  });

  test('generated requests, with everything everywhere', () => {
    fc.assert(
      fc.property(anyRequest, anySeed, (request, seed) => {
        const dice = createDice(seed);
        expectTwins(Buffer.from(JSON.stringify(request)), dice);
        expectTwins(Buffer.from(writeOddly(request, dice, ODDITIES[dice(ODDITIES.length)] ?? PLAIN)), dice);
      }),
      { numRuns: cases(4_000) },
    );
  });

  test('any JSON at all', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), anySeed, (text, seed) => {
        const dice = createDice(seed);
        expectTwins(Buffer.from(text), dice);
        expectTwins(damaged(Buffer.from(`{"imp":[],"device":${text},"user":{"ext":${text}}}`), dice), dice);
      }),
      { numRuns: cases(4_000) },
    );
  });

  test('every real request, every set of groups', () => {
    const step = HAS_MORE_CASES ? 1 : 8;
    for (const [index, bytes] of REAL_BYTES.entries()) {
      for (let mask = 1 + (index % step); mask <= STRIP_ALL; mask += step) {
        expectSameRest(bytes, mask, OPTIONS[mask % OPTIONS.length] ?? RESTRICT_DEFAULTS);
      }
      expectSameRest(bytes, STRIP_ALL, RESTRICT_DEFAULTS);
      for (const gate of gates) for (const context of CONTEXTS) expectSameAnswer(gate, bytes, context);
    }
  });

  test('nearly all real requests are decided on and restricted without building objects', () => {
    const gate = createGate({ table: 'none' });
    for (const bytes of REAL_BYTES) gate.filterBytes(bytes, { secGpc: '1' });
    const { scanned, fallbacks, refusals } = gate.stats().bytes;
    expect([scanned, refusals]).toEqual([REAL_BYTES.length, {}]);
    expect(Object.values(fallbacks).reduce((sum, count) => sum + count, 0)).toBeLessThan(REAL_BYTES.length / 50);
  });

  afterAll(() => {
    expect(caseCount).toBeGreaterThanOrEqual(cases(100_000));
    // a twin that is never asked proves nothing
    expect(scannedCount / caseCount).toBeGreaterThan(0.3);
    expect(splicedCount / caseCount).toBeGreaterThan(0.25);
    // what the scanner takes for no JSON is none
    for (const gate of gates) expect(gate.stats().bytes.fallbacks).not.toHaveProperty('invalid');
  });
});

/** The request with one of its texts, or an identifier, put into other places. */
function mixed(request: Json, dice: Dice): Json {
  if (dice(3) > 0) return request;
  const copy = structuredClone(request);
  const texts = [...leaves(copy), ...IDENTIFIERS];
  const text = texts[dice(texts.length)] ?? '';
  const forms = [
    text,
    text.toUpperCase(),
    encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '')),
    `https://a.example/?x=${text}`,
    `x${text.replaceAll('-', '')}y`,
    JSON.stringify({ a: { b: text }, uid: text }),
  ];
  const value = forms[dice(forms.length)] ?? '';
  const containers: Json[] = [copy];
  for (let index = 0; index < containers.length; index++) {
    for (const inner of Object.values(containers[index] ?? {})) {
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) containers.push(inner as Json);
      if (Array.isArray(inner))
        containers.push(...inner.filter((one) => typeof one === 'object' && one !== null && !Array.isArray(one)));
    }
  }
  const names = ['ifa', 'id', 'uid', 'eids', 'vendor', 'page', 'keywords', text, 'email', 'ip', 'gpp', 'tid', 'atts'];
  for (let times = dice(3); times >= 0; times--) {
    const target = containers[dice(containers.length)] ?? copy;
    target[names[dice(names.length)] ?? 'x'] = dice(4) === 0 ? [value, { [value]: 1, id: value }] : value;
  }
  return copy;
}

function leaves(value: unknown): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [];
}
