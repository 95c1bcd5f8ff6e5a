/**
 * Policy files: complete defaults, strict keys, errors that name the path.
 * @module
 */
import { expect, test } from 'vitest';
import { createGate } from '../src/core/gate.js';
import { DEFAULT_POLICY, type Policy } from '../src/core/policy/policy.js';
import { PolicyError, parsePolicy } from '../src/policy-file.js';

test('an empty file is the default policy', () => expect(parsePolicy({})).toEqual(DEFAULT_POLICY));

test('a policy is frozen to the bottom', () => {
  const policy = parsePolicy({ destinations: [{ id: 'acme' }] });
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(policy)).toBe(true);
});

const REFUSED: readonly (readonly [string, unknown, readonly string[]])[] = [
  ['an unknown key', { honour: 'everywhere' }, ['honour']],
  ['an unknown key deep down', { gpp: { sectionMising: 'ignore' } }, ['gpp.sectionMising']],
  ['an unknown key in a destination', { destinations: [{ id: 'a' }, { id: 'b', rol: 'x' }] }, ['destinations[1].rol']],
  ['a value not on the list', { honor: 'sometimes' }, ['honor']],
  ['a purpose that can never be exempt', { exemptPurposes: { audience: true } }, ['exemptPurposes.audience']],
  ['a looser address than Prebid sends', { restrict: { ipv4KeepBits: 32 } }, ['restrict.ipv4KeepBits']],
  [
    'a day that does not exist',
    { destinations: [{ id: 'a', contract: { reference: 'x', expires: '2026-02-30' } }] },
    ['destinations[0].contract.expires'],
  ],
  ['the same id twice', { destinations: [{ id: 'a' }, { id: 'a' }] }, ['destinations[1].id']],
  ['no purposes', { destinations: [{ id: 'a', purposes: [] }] }, ['destinations[0].purposes']],
  [
    'a state in full',
    { destinations: [{ id: 'a', states: { California: {} } }] },
    ['destinations[0].states.California'],
  ],
  ['several faults at once', { honor: 1, table: { staleAfterMs: 0 } }, ['honor', 'table.staleAfterMs']],
  ['no object', [], ['']],
  ['nothing', null, ['']],
];
test.each(REFUSED)('%s is refused with its path', (_, input, paths) => {
  let refused: unknown;
  try {
    parsePolicy(input);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(PolicyError);
  expect((refused as PolicyError).issues.map(({ path }) => path)).toEqual(paths);
});

test('a key that does not look like one is not shown', () => {
  const paths = (input: unknown) => {
    try {
      parsePolicy(input);
    } catch (error) {
      return (error as PolicyError).issues.map(({ path }) => path);
    }
    return [];
  };
  expect(paths({ 'jane@example.com': 1 })).toEqual(['<key of 16 characters>']);
  expect(paths({ gpp: { 'a b': 1, ok_key: 1 } })).toEqual(['gpp.<key of 3 characters>', 'gpp.ok_key']);
  expect(paths({ ['x'.repeat(41)]: 1 })).toEqual(['<key of 41 characters>']);
  expect(paths({ destinations: [{ id: 'a', states: { 'jane@example.com': {} } }] })).toEqual([
    'destinations[0].states.<key of 16 characters>',
  ]);
  expect(() => parsePolicy({ destinations: [{ id: 'a', states: { 'jane@example.com': { role: 'x' } } }] })).toThrow(
    /^(?!.*jane)/,
  );
});

test('a gate takes no policy that was not checked', () => {
  expect(() => createGate({ table: 'none', policy: { ...DEFAULT_POLICY } as Policy })).toThrow(TypeError);
  expect(() => createGate({ table: undefined as never })).toThrow(/expected a TableHolder/);
});
