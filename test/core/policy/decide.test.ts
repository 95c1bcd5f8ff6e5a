/**
 * The decision held against its plain twin, and the properties that must hold of every policy and destination.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CAUSE, compileRules } from '../../../src/core/policy/compile.js';
import { decide, type Evidence } from '../../../src/core/policy/decide.js';
import { compileDestination, type Destination, PURPOSES, ROLES } from '../../../src/core/policy/destinations.js';
import type { Policy } from '../../../src/core/policy/policy.js';
import { CAUSE_RULES, type CauseName } from '../../../src/core/policy/rules.js';
import { GPP_FINDINGS } from '../../../src/core/signals/gpp/findings.js';
import { prefixOf } from '../../../src/core/signals/gpp/sections.js';
import { KIND_TAG, RIGHTS, rightsMask, STRIP_GROUPS } from '../../../src/core/vocabulary.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { cases } from '../../cases.js';
import { decidePlainly, type PlainEvidence } from '../../reference/decide.js';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const names = { findings: GPP_FINDINGS, prefixOf };
const CAUSE_NAMES = Object.keys(CAUSE_RULES) as CauseName[];

function toEvidence(plain: PlainEvidence): Evidence {
  const hits = plain.hits.flatMap((rights) => [KIND_TAG.maid, rightsMask(rights)]);
  const findings = plain.findings.reduce((mask, name) => mask | (1 << GPP_FINDINGS.indexOf(name)), 0);
  return {
    causes: plain.causes.reduce((mask, name) => mask | CAUSE[name], 0),
    verdict: { malformed: null, presentMask: 1 << 8, sectionIds: [8], findings: [findings] },
    verdictExt: null,
    sectionMask: 1 << 8,
    missingMask: plain.sectionMissing ? 1 << 9 : 0,
    hits: Int32Array.from(hits),
    hitCount: plain.hits.length,
    jurisdiction: plain.state,
    placeDisputed: plain.placeDisputed,
    seq: 7,
    stale: false,
    nowMs: plain.nowMs,
  };
}

function decideFast(plain: PlainEvidence, destination: Destination, policy: Policy) {
  return decide(toEvidence(plain), compileDestination(destination, policy.exemptPurposes), compileRules(policy, names));
}

const purposes = fc.uniqueArray(fc.constantFrom(...PURPOSES), { minLength: 1 });
const terms = {
  role: fc.constantFrom(...ROLES),
  purposes,
  whenOptedOut: fc.constantFrom('restrict', 'block'),
} as const;
const contract = fc.option(
  fc.record({
    reference: fc.constant('MSA-1'),
    expires: fc.constantFrom(null, '2026-11-22', '2026-11-23', '2027-01-01'),
  }),
);
const destinations: fc.Arbitrary<Destination> = fc.record({
  id: fc.constant('acme'),
  ...terms,
  contract,
  states: fc.dictionary(fc.constantFrom('CA', 'TX'), fc.record(terms, { requiredKeys: [] }), { maxKeys: 2 }),
}) as fc.Arbitrary<Destination>;
const onOff = fc.boolean();
const policies = fc
  .record({
    signals: fc.record({ lmt: fc.constantFrom('honor', 'ignore'), malformed: fc.constantFrom('restrict', 'ignore') }),
    gpp: fc.record({
      sectionMissing: fc.constantFrom('restrict', 'ignore'),
      sectionMalformed: fc.constantFrom('restrict', 'ignore'),
      personalDataConsent: fc.constantFrom('restrict', 'allow'),
    }),
    table: fc.record({ onStale: fc.constantFrom('restrict', 'block', 'allow') }),
    exemptPurposes: fc.record({ contextual_ads: onOff, measurement: onOff, fraud_security: onOff, legal: onOff }),
  })
  .map(parsePolicy);
const evidences: fc.Arbitrary<PlainEvidence> = fc.record({
  causes: fc.uniqueArray(fc.constantFrom(...CAUSE_NAMES), { maxLength: 4 }),
  findings: fc.uniqueArray(fc.constantFrom(...GPP_FINDINGS), { maxLength: 4 }),
  sectionMissing: fc.boolean(),
  hits: fc.array(fc.uniqueArray(fc.constantFrom(...RIGHTS), { minLength: 1 }), { maxLength: 3 }),
  state: fc.constantFrom('CA', 'TX', 'NY', 'US', 'unknown', 'outside_us'),
  placeDisputed: fc.boolean(),
  nowMs: fc.constant(NOW_MS),
});
const STRICTNESS = { allow: 0, restrict: 1, block: 2 } as const;

test('the decision is that of the plain twin', () => {
  fc.assert(
    fc.property(evidences, destinations, policies, (evidence, destination, policy) => {
      const expected = decidePlainly(evidence, destination, policy);
      const { action, strip } = decideFast(evidence, destination, policy);
      expect(action).toBe(expected.action);
      expect(strip).toEqual(STRIP_GROUPS.filter((group) => expected.strip.has(group)));
    }),
    { numRuns: cases(20_000) },
  );
});

test('one more opt-out never makes a decision looser, whatever the policy and the destination', () => {
  const more = fc.oneof(
    fc.constantFrom(...CAUSE_NAMES).map((cause) => ({ cause })),
    fc.constantFrom(...GPP_FINDINGS).map((finding) => ({ finding })),
    fc.constantFrom(...RIGHTS).map((right) => ({ right })),
  );
  fc.assert(
    fc.property(evidences, destinations, policies, more, (evidence, destination, policy, extra) => {
      const before = decideFast(evidence, destination, policy);
      const after = decideFast(
        {
          ...evidence,
          causes: 'cause' in extra ? [...evidence.causes, extra.cause] : evidence.causes,
          findings: 'finding' in extra ? [...evidence.findings, extra.finding] : evidence.findings,
          hits: 'right' in extra ? [...evidence.hits, [extra.right]] : evidence.hits,
        },
        destination,
        policy,
      );
      expect(STRICTNESS[after.action]).toBeGreaterThanOrEqual(STRICTNESS[before.action]);
      expect(after.strip).toEqual(expect.arrayContaining([...before.strip]));
    }),
    { numRuns: cases(20_000) },
  );
});

describe('destinations', () => {
  const policy = parsePolicy({});
  const soldTo = (over: Partial<Destination>) =>
    decideFast(
      {
        causes: ['gpcHeader'],
        findings: [],
        sectionMissing: false,
        hits: [],
        state: 'CA',
        placeDisputed: false,
        nowMs: NOW_MS,
      },
      {
        id: 'acme',
        role: 'service_provider',
        purposes: ['fraud_security'],
        whenOptedOut: 'restrict',
        contract: { reference: 'MSA-1', expires: null },
        states: {},
        ...over,
      },
      policy,
    );

  const CASES: readonly (readonly [string, Partial<Destination>, string, readonly string[]])[] = [
    [
      'a service provider with a live contract and an exempt purpose',
      {},
      'allow',
      ['gpc.header', 'exempt.service_provider'],
    ],
    ['a contractor likewise', { role: 'contractor' }, 'allow', ['gpc.header', 'exempt.contractor']],
    ['a third party', { role: 'third_party' }, 'restrict', ['gpc.header']],
    ['no contract', { contract: null }, 'restrict', ['gpc.header', 'contract.missing']],
    [
      'a contract that ended yesterday',
      { contract: { reference: 'x', expires: '2026-11-22' } },
      'restrict',
      ['gpc.header', 'contract.expired'],
    ],
    [
      'a contract on its last day',
      { contract: { reference: 'x', expires: '2026-11-23' } },
      'allow',
      ['gpc.header', 'exempt.service_provider'],
    ],
    ['one purpose of two not exempt', { purposes: ['fraud_security', 'audience'] }, 'restrict', ['gpc.header']],
    ['a purpose whose switch is off', { purposes: ['measurement'] }, 'restrict', ['gpc.header']],
    ['a state that sees a third party', { states: { CA: { role: 'third_party' } } }, 'restrict', ['gpc.header']],
    [
      'another state that sees a third party',
      { states: { TX: { role: 'third_party' } } },
      'allow',
      ['gpc.header', 'exempt.service_provider'],
    ],
    ['whenOptedOut: block', { role: 'third_party', whenOptedOut: 'block' }, 'block', ['gpc.header']],
  ];
  test.each(CASES)('%s', (_, over, action, reasons) => {
    const decision = soldTo(over);
    expect([decision.action, decision.reasons]).toEqual([action, reasons]);
  });

  test.each(['coppa', 'lmt', 'tableStale'] as const)('no service provider is exempt from %s', (cause) => {
    const evidence = {
      causes: [cause],
      findings: [],
      sectionMissing: false,
      hits: [],
      state: 'CA',
      placeDisputed: false,
      nowMs: NOW_MS,
    };
    const exempt: Destination = {
      id: 'acme',
      role: 'service_provider',
      purposes: ['legal'],
      whenOptedOut: 'restrict',
      contract: { reference: 'MSA-1', expires: null },
      states: {},
    };
    expect(decideFast(evidence, exempt, policy).action).toBe('restrict');
  });
});

test('reasons are built when they are read, and once', () => {
  const policy = parsePolicy({});
  const rules = compileRules(policy, names);
  let built = 0;
  const counting = {
    ...rules,
    explain: (causes: Parameters<typeof rules.explain>[0]) => {
      built++;
      return rules.explain(causes);
    },
  };
  const plain = { causes: ['gpcHeader'], findings: [], sectionMissing: false, hits: [], state: 'CA' } as const;
  const destination = compileDestination(
    { id: 'x', role: 'third_party', purposes: PURPOSES, whenOptedOut: 'restrict', contract: null, states: {} },
    policy.exemptPurposes,
  );
  const decision = decide(toEvidence({ ...plain, placeDisputed: false, nowMs: NOW_MS }), destination, counting);
  expect([decision.action, decision.strip.length, built]).toEqual(['restrict', STRIP_GROUPS.length, 0]);
  expect([decision.reasons, decision.explain().length, built]).toEqual([['gpc.header'], 1, 1]);
});

test('a right restricts only for the purposes it covers', () => {
  const measurement: Destination = {
    id: 'm',
    role: 'third_party',
    purposes: ['measurement'],
    whenOptedOut: 'restrict',
    contract: null,
    states: {},
  };
  const hit = (right: (typeof RIGHTS)[number]) =>
    decideFast(
      {
        causes: [],
        findings: [],
        sectionMissing: false,
        hits: [[right]],
        state: 'VA',
        placeDisputed: false,
        nowMs: NOW_MS,
      },
      measurement,
      parsePolicy({}),
    );
  expect(hit('targeted_ads').action).toBe('allow');
  expect(hit('targeted_ads').reasons).toEqual([]);
  expect(hit('sale').action).toBe('restrict');
  expect(hit('sale').reasons).toEqual(['suppressed.maid']);
  expect(hit('sensitive').strip).toEqual(['ufpd', 'geo', 'ip']);
});
