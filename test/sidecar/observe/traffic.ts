/**
 * The real requests of the vectors, through a gate of which every other identifier is suppressed: decisions of all kinds.
 * @module
 */
import { readFileSync } from 'node:fs';
import { createGate, type Gate } from '../../../src/core/gate.js';
import {
  appendIdentifier,
  createKeyList,
  KEY_WORDS,
  KEYS_PER_IDENTIFIER_MAX,
} from '../../../src/core/identity/index.js';
import type { Decision } from '../../../src/core/policy/decision.js';
import { SuppressionTable } from '../../../src/core/suppression/index.js';
import { type Identifier, RIGHTS_ALL } from '../../../src/core/vocabulary.js';
import { parsePolicy } from '../../../src/policy-file.js';

export type Json = Record<string, unknown>;

export const REQUESTS: readonly Json[] = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);

/** GPP strings in great number: every one may come with its own reasons. */
const GPP_STRINGS: readonly { readonly gpp: string }[] = readFileSync('test/vectors/gpp-verdicts.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

export const POLICY = parsePolicy({
  version: 'test-7',
  destinations: [
    { id: 'acme-dsp', whenOptedOut: 'block' },
    {
      id: 'fraudwatch',
      role: 'service_provider',
      purposes: ['fraud_security'],
      contract: { reference: 'MSA', expires: '2199-01-01' },
    },
  ],
});
/** `nowhere` is not in the policy. */
export const DESTINATIONS = [null, 'acme-dsp', 'fraudwatch', 'nowhere'] as const;

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

export function identifiersOf(request: Json): readonly Identifier[] {
  const device = object(request.device);
  const user = object(request.user);
  const eids = [user.eids, object(user.ext).eids].flat().map(object);
  const found = [
    { kind: 'maid', value: device.ifa },
    { kind: 'account:user.id', value: user.id },
    { kind: 'account:user.buyeruid', value: user.buyeruid },
    ...eids.flatMap(({ source, uids }) =>
      [uids].flat().map((uid) => ({ kind: `eid:${source}`, value: object(uid).id })),
    ),
  ];
  return found.filter(({ value }) => typeof value === 'string' && value !== '') as Identifier[];
}

export function suppressEveryOther(): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 10_000, seed: 1n, epoch: 'epoch-1' });
  for (const identifier of REQUESTS.filter((_, index) => index % 2 === 0).flatMap(identifiersOf)) {
    const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
    appendIdentifier(keys, identifier);
    for (let at = 0; at < keys.count * KEY_WORDS; at += KEY_WORDS) {
      const [tag = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = keys.words.subarray(at, at + KEY_WORDS);
      table.set(tag, w0, w1, w2, w3, RIGHTS_ALL, at > 0);
    }
  }
  table.publish(7, null);
  return table;
}

export function trafficGate(): Gate {
  return createGate({ policy: POLICY, table: suppressEveryOther() });
}

/** Every request as it is, to each destination in turn, and with each GPP string. */
export function* traffic(gate: Gate): Generator<{ readonly decision: Decision; readonly destination: string | null }> {
  let turn = 0;
  for (const request of REQUESTS) {
    const destination = DESTINATIONS[turn++ % DESTINATIONS.length] ?? null;
    const secGpc = turn % 5 === 0 ? '1' : null;
    yield { decision: gate.check(request, { destination, secGpc }), destination };
  }
  for (const [index, { gpp }] of GPP_STRINGS.entries()) {
    const request = REQUESTS[index % REQUESTS.length]!;
    const other = GPP_STRINGS[(index * 7) % GPP_STRINGS.length]!;
    const ext = index % 3 === 0 ? { gpp: other.gpp } : {};
    for (const sids of [undefined, [7, 8], [8, 9, 10, 11, 12]]) {
      const regs = { gpp, ext, ...(sids === undefined ? {} : { gpp_sid: sids }) };
      yield { decision: gate.check({ ...request, regs }, { destination: 'acme-dsp' }), destination: 'acme-dsp' };
    }
  }
}
