/**
 * Under which terms rows leave: the decisions of the gate, for a destination and a purpose.
 * @module
 */
import { expect, test } from 'vitest';
import { createGate } from '../../src/core/gate.js';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { PURPOSES } from '../../src/core/policy/destinations.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS, RIGHTS_ALL, rightsMask, rightsOfMask } from '../../src/core/vocabulary.js';
import { exportTerms } from '../../src/exports/index.js';
import { parsePolicy } from '../../src/policy-file.js';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const live = { reference: 'C-1', expires: '2026-11-23' };
const policy = parsePolicy({
  exemptPurposes: { measurement: true, fraud_security: true },
  destinations: [
    { id: 'partner', role: 'third_party', purposes: ['audience', 'contextual_ads', 'fraud_security'] },
    { id: 'vendor', role: 'service_provider', purposes: ['measurement', 'audience'], contract: live },
    { id: 'helper', role: 'contractor', purposes: ['fraud_security'], contract: { reference: 'C-2' } },
    {
      id: 'lapsed',
      role: 'service_provider',
      purposes: ['measurement'],
      contract: { reference: 'C-3', expires: '2026-11-22' },
    },
    { id: 'bare', role: 'service_provider', purposes: ['measurement'] },
    {
      id: 'state by state',
      role: 'service_provider',
      purposes: ['measurement'],
      contract: live,
      states: { TX: { role: 'third_party' } },
    },
  ],
});
const terms = (destination: string, purpose: (typeof PURPOSES)[number], now = NOW) =>
  exportTerms({ policy, destination, purpose, now });
const BINDING = rightsMask(['child', 'deletion']);

test.each([
  ['a third party', 'partner', 'audience', 'destination.third_party', RIGHTS],
  [
    'a third party, for a purpose that fewer rights cover',
    'partner',
    'fraud_security',
    'destination.third_party',
    ['sale', 'child', 'deletion'],
  ],
  ['a destination nobody described', 'stranger', 'measurement', 'destination.unknown', RIGHTS],
  ['a purpose the inventory does not name', 'vendor', 'contextual_ads', 'purpose.undeclared', RIGHTS],
  ['a service provider, for a purpose that cannot be exempt', 'vendor', 'audience', 'purpose.not_exempt', RIGHTS],
  [
    'a contract that ended yesterday',
    'lapsed',
    'measurement',
    'contract.expired',
    ['sale', 'share', 'sensitive', 'child', 'deletion'],
  ],
  ['no contract', 'bare', 'measurement', 'contract.missing', ['sale', 'share', 'sensitive', 'child', 'deletion']],
  [
    'a third party in one state, for rows that name no state',
    'state by state',
    'measurement',
    'destination.third_party',
    ['sale', 'share', 'sensitive', 'child', 'deletion'],
  ],
] as const)('%s is filtered', (_, destination, purpose, reason, rights) => {
  const { rightsMask: mask, ...rest } = terms(destination, purpose);
  expect(rest).toEqual({ kind: 'filter', reason });
  expect(rightsOfMask(mask)).toEqual(rights);
});

test('a service provider or contractor under a live contract receives all but what binds it, too', () => {
  expect(terms('vendor', 'measurement')).toEqual({
    kind: 'exempt',
    exemption: 'exempt.service_provider',
    rightsMask: BINDING,
  });
  expect(terms('helper', 'fraud_security')).toEqual({
    kind: 'exempt',
    exemption: 'exempt.contractor',
    rightsMask: BINDING,
  });
  const lastMoment = Date.parse('2026-11-24T00:00:00Z') - 1;
  expect(terms('vendor', 'measurement', lastMoment).kind).toBe('exempt');
  expect(terms('vendor', 'measurement', lastMoment + 1)).toMatchObject({ kind: 'filter', reason: 'contract.expired' });
});

test('a purpose that the policy has switched off is not exempt', () => {
  const strict = parsePolicy({
    exemptPurposes: { measurement: false },
    destinations: [{ id: 'vendor', role: 'service_provider', purposes: ['measurement'], contract: live }],
  });
  expect(exportTerms({ policy: strict, destination: 'vendor', purpose: 'measurement', now: NOW }).kind).toBe('filter');
});

test('each right keeps a row back where it makes the gate restrict a request, for destinations of one purpose', () => {
  const destinations = PURPOSES.flatMap((purpose) =>
    (['third_party', 'service_provider', 'contractor'] as const).flatMap((role) =>
      [live, null].map((contract) => ({
        id: `${purpose} ${role} ${contract === null}`,
        role,
        purposes: [purpose],
        contract,
      })),
    ),
  );
  const all = parsePolicy({ exemptPurposes: { measurement: true, legal: true, fraud_security: false }, destinations });
  for (const right of RIGHTS) {
    const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 10, seed: 1n, epoch: 'terms' }) });
    enterIdentifier(holder, { kind: 'account:a', value: 'x' }, rightsMask([right]));
    const gate = createGate({ policy: all, table: holder, now: () => NOW });
    const context = { identifiers: [{ kind: 'account:a', value: 'x' }] } as const;
    for (const { id, purposes } of destinations) {
      const { action } = gate.check({ imp: [] }, { ...context, destination: id });
      const mask = exportTerms({ policy: all, destination: id, purpose: purposes[0]!, now: NOW }).rightsMask;
      expect((mask & rightsMask([right])) !== 0, `${right} at ${id}`).toBe(action !== 'allow');
    }
  }
  expect(RIGHTS_ALL).toBe(rightsMask(RIGHTS));
});
