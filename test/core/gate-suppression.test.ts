/**
 * The gate with a suppression set: who is found, what a right means, and what an unsure table does.
 * @module
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type CheckContext, createGate } from '../../src/core/gate.js';
import { appendIdentifier, createKeyList, KEY_WORDS } from '../../src/core/identity/index.js';
import { TableHolder } from '../../src/core/suppression/holder.js';
import { SuppressionTable } from '../../src/core/suppression/table.js';
import { type Identifier, RIGHTS_ALL, type Right, rightsMask } from '../../src/core/vocabulary.js';
import { parsePolicy } from '../../src/policy-file.js';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const sha256 = (text: string, encoding: 'hex' | 'base64') => createHash('sha256').update(text).digest(encoding);

function tableWith(identifiers: readonly Identifier[], rights = RIGHTS_ALL, wantedTags = -1): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 1_000, seed: 42n, epoch: 'e1' });
  for (const identifier of identifiers) {
    const keys = createKeyList(16);
    expect(appendIdentifier(keys, identifier, { wantedTags })).toBe('ok');
    for (let at = 0; at < keys.count * KEY_WORDS; at += KEY_WORDS) {
      const [tag, w0, w1, w2, w3] = keys.words.subarray(at, at + KEY_WORDS) as unknown as [
        number,
        number,
        number,
        number,
        number,
      ];
      table.set(tag, w0, w1, w2, w3, rights, at > 0);
    }
  }
  table.publish(42, null);
  return table;
}

const bid = (device: object, user: object = {}) => ({ id: 'r', imp: [{ id: '1' }], device, user });
const check = (table: SuppressionTable, request: object, context: CheckContext = {}) =>
  createGate({ table, now: () => NOW_MS }).check(request, context);

const FOUND: readonly (readonly [string, Identifier, object, string, CheckContext?])[] = [
  ['ifa', { kind: 'maid', value: MAID }, bid({ ifa: MAID }), 'suppressed.maid'],
  ['ifa in upper case', { kind: 'maid', value: MAID }, bid({ ifa: MAID.toUpperCase() }), 'suppressed.maid'],
  ['ifa without hyphens', { kind: 'maid', value: MAID }, bid({ ifa: MAID.replaceAll('-', '') }), 'suppressed.maid'],
  [
    'ifa of a DROP hash (Base64)',
    { kind: 'maid_sha256', value: sha256(MAID.replaceAll('-', ''), 'base64') },
    bid({ ifa: MAID }),
    'suppressed.maid_sha256',
  ],
  [
    'ifa of a hash of the upper-case id (hex)',
    { kind: 'maid_sha256', value: sha256(MAID.toUpperCase(), 'hex') },
    bid({ ifa: MAID }),
    'suppressed.maid_sha256',
  ],
  [
    'dpidsha1',
    { kind: 'maid', value: MAID },
    bid({ dpidsha1: createHash('sha1').update(MAID).digest('hex') }),
    'suppressed.maid_sha1',
  ],
  [
    'dpidmd5',
    { kind: 'maid', value: MAID },
    bid({ dpidmd5: createHash('md5').update(MAID.toUpperCase()).digest('hex') }),
    'suppressed.maid_md5',
  ],
  ['device.ext.ifv', { kind: 'maid', value: MAID }, bid({ ext: { ifv: MAID } }), 'suppressed.maid'],
  ['a CTV id', { kind: 'ctv', value: 'SmartTV_9F8E7D6C' }, bid({ ifa: 'SmartTV_9F8E7D6C' }), 'suppressed.ctv'],
  [
    'eid, 2.6',
    { kind: 'eid:pubcid.org', value: 'abc-123' },
    bid({}, { eids: [{ source: 'pubcid.org', uids: [{ id: 'abc-123' }] }] }),
    'suppressed.eid',
  ],
  [
    'eid, 2.5, second uid',
    { kind: 'eid:pubcid.org', value: 'abc-123' },
    bid({}, { ext: { eids: [{ source: 'PubCid.org', uids: [{ id: 'x' }, { id: 'abc-123' }] }] } }),
    'suppressed.eid',
  ],
  ['user.id', { kind: 'account:user.id', value: 'u-77' }, bid({}, { id: 'u-77' }), 'suppressed.account'],
  [
    'user.buyeruid',
    { kind: 'account:user.buyeruid', value: 'b-77' },
    bid({}, { buyeruid: 'b-77' }),
    'suppressed.account',
  ],
  [
    'hashed e-mail sent as an eid',
    { kind: 'email', value: 'Jane@Example.com' },
    bid({}, { eids: [{ source: 'any.com', uids: [{ id: sha256('jane@example.com', 'hex') }] }] }),
    'suppressed.email_sha256',
  ],
  [
    'e-mail known to the caller',
    { kind: 'email', value: 'jane@example.com' },
    bid({}),
    'suppressed.email',
    { identifiers: [{ kind: 'email', value: ' JANE@example.com ' }] },
  ],
  [
    'e-mail known to the caller, DROP hash in the set',
    { kind: 'email_sha256', value: sha256('jane@example.com', 'base64') },
    bid({}),
    'suppressed.email_sha256',
    { identifiers: [{ kind: 'email', value: 'jane@example.com' }] },
  ],
  [
    'e-mail known to the caller in another spelling',
    { kind: 'email', value: 'jane@gmail.com' },
    bid({}),
    'suppressed.email_sha256',
    { identifiers: [{ kind: 'email', value: 'J.ane+x@gmail.com' }] },
  ],
  [
    'account known to the caller',
    { kind: 'account:shop', value: '4711' },
    bid({}),
    'suppressed.account',
    { identifiers: [{ kind: 'account:shop', value: '4711' }] },
  ],
];
describe('a person is found by', () => {
  for (const [name, identifier, request, reason, context] of FOUND) {
    test(name, () => {
      const decision = check(tableWith([identifier]), request, context);
      expect(decision.action).toBe('restrict');
      expect(decision.reasons).toContain(reason);
      expect(check(tableWith([{ kind: 'maid', value: MAID.replace('6', '7') }]), request, context).action).toBe(
        'allow',
      );
    });
  }
});

test('zero and empty ids are absent', () => {
  const table = tableWith([{ kind: 'maid', value: MAID }]);
  for (const ifa of ['', '00000000-0000-0000-0000-000000000000', null, 0])
    expect(check(table, bid({ ifa })).action).toBe('allow');
});

test('an identifier of the caller that cannot be read restricts', () => {
  const table = tableWith([{ kind: 'maid', value: MAID }]);
  const decision = check(table, bid({}), { identifiers: [{ kind: 'email_sha256', value: 'zz' }] });
  expect([decision.action, decision.reasons]).toEqual(['restrict', ['signal.identifier.malformed']]);
});

test('more identifiers than are checked restrict', () => {
  const table = tableWith([{ kind: 'eid:a.com', value: 'x' }]);
  const eids = Array.from({ length: 200 }, (_, index) => ({ source: 'a.com', uids: [{ id: `id-${index}` }] }));
  expect(check(table, bid({}, { eids })).reasons).toEqual(['limit.identifiers']);
});

test('every right is told apart', () => {
  const policy = parsePolicy({ destinations: [{ id: 'm', purposes: ['measurement'] }] });
  const actionFor = (right: Right) =>
    createGate({
      table: tableWith([{ kind: 'maid', value: MAID }], rightsMask([right])),
      policy,
      now: () => NOW_MS,
    }).check(bid({ ifa: MAID }), { destination: 'm' }).action;
  expect(actionFor('sale')).toBe('restrict');
  expect(actionFor('targeted_ads')).toBe('allow');
});

describe('a table that cannot be trusted', () => {
  const clean = bid({ ifa: MAID.replace('6', '7') });
  const hit = bid({ ifa: MAID });
  const gateOf = (freshAtMs: number | null, onStale: string) => {
    const holder = new TableHolder({ table: tableWith([{ kind: 'maid', value: MAID }]) });
    holder.publish(42, freshAtMs);
    const policy = parsePolicy({ table: { onStale, staleAfterMs: 60_000 } });
    return createGate({ table: holder, policy, now: () => NOW_MS });
  };
  const answer = (gate: ReturnType<typeof gateOf>, request: object, context: CheckContext = {}) => {
    const { action, reasons, stale, seq } = gate.check(request, context);
    return { action, reasons, stale, seq };
  };

  test('fresh enough: a miss is clean', () => {
    expect(answer(gateOf(NOW_MS - 60_000, 'restrict'), clean)).toEqual({
      action: 'allow',
      reasons: [],
      stale: false,
      seq: 42,
    });
  });
  test.each([
    ['restrict', 'restrict'],
    ['block', 'block'],
    ['allow', 'allow'],
  ])('stale, onStale %s: a miss is answered with %s', (onStale, action) => {
    expect(answer(gateOf(NOW_MS - 60_001, onStale), clean)).toEqual({
      action,
      reasons: ['table.stale'],
      stale: true,
      seq: 42,
    });
  });
  test('stale, onStale allow: a hit still counts', () => {
    expect(answer(gateOf(NOW_MS - 60_001, 'allow'), hit)).toMatchObject({
      action: 'restrict',
      reasons: ['table.stale', 'suppressed.maid'],
    });
  });
  test('stale: a request without identifiers does not depend on the table', () => {
    expect(answer(gateOf(NOW_MS - 60_001, 'restrict'), bid({}))).toMatchObject({ action: 'allow', stale: true });
  });
  test('stale: an identifier of a kind the table does not hold yet is a miss, too', () => {
    const eids = [{ source: 'a.com', uids: [{ id: 'new-kind' }] }];
    expect(answer(gateOf(NOW_MS - 60_001, 'restrict'), bid({}, { eids })).action).toBe('restrict');
  });
  test('never loaded: says so for every request', () => {
    const gate = createGate({ table: new TableHolder(), now: () => NOW_MS });
    for (const request of [clean, hit, bid({})]) {
      expect(answer(gate, request)).toEqual({
        action: 'restrict',
        reasons: ['table.not_loaded'],
        stale: true,
        seq: null,
      });
    }
  });
  test('a table its writer has left behind', () => {
    const table = tableWith([{ kind: 'maid', value: MAID }]);
    const gate = createGate({ table, now: () => NOW_MS });
    expect(answer(gate, clean).action).toBe('allow');
    const holder = new TableHolder({ table });
    holder.replace(tableWith([{ kind: 'maid', value: MAID }]));
    expect(answer(gate, clean)).toMatchObject({ action: 'restrict', reasons: ['table.stale'], stale: true });
  });
  test('loaded while the gate is in use', () => {
    const holder = new TableHolder();
    const gate = createGate({ table: holder, now: () => NOW_MS });
    expect(gate.check(clean).reasons).toEqual(['table.not_loaded']);
    holder.replace(tableWith([{ kind: 'maid', value: MAID }]));
    expect(gate.check(clean).action).toBe('allow');
    expect(gate.check(hit).reasons).toEqual(['suppressed.maid']);
  });
  test.each([
    ['e1.42', 'allow'],
    ['e1.41', 'allow'],
    ['e1.43', 'restrict'],
    ['e2.1', 'restrict'],
    ['nonsense', 'restrict'],
    ['e1.', 'restrict'],
  ])('minSeq %s: %s', (minSeq, action) => {
    const decision = answer(gateOf(NOW_MS, 'restrict'), clean, { minSeq });
    expect(decision).toMatchObject({ action, reasons: action === 'allow' ? [] : ['table.behind'] });
  });
});

test('one more opt-out in the set never loosens a decision, whatever the table state and onStale', () => {
  const strictness = { allow: 0, restrict: 1, block: 2 };
  for (const onStale of ['restrict', 'block', 'allow']) {
    for (const ageMs of [0, 120_000]) {
      const policy = parsePolicy({ table: { onStale, staleAfterMs: 60_000 } });
      const actionWith = (value: string) => {
        const holder = new TableHolder({ table: tableWith([{ kind: 'maid', value }]) });
        holder.publish(1, NOW_MS - ageMs);
        return createGate({ table: holder, policy, now: () => NOW_MS }).check(bid({ ifa: MAID })).action;
      };
      expect(strictness[actionWith(MAID)]).toBeGreaterThanOrEqual(strictness[actionWith(MAID.replace('6', '7'))]);
    }
  }
});
