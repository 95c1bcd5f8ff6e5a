/**
 * What every door is asked: real bid requests and crafted ones, so that every cause there is comes up, in every state of
 * the table. What is expected is what the library says.
 * @module
 */
import type { Identifier } from '../../src/core/index.js';
import { parsePolicy } from '../../src/policy-file.js';
import { REAL_REQUESTS } from '../core/openrtb/requests.js';
import { SUPPRESSED_EMAIL, SUPPRESSED_MAID, type TestDesk, testDesk } from '../sidecar/socket/stand.js';

export type TableState = 'fresh' | 'stale' | 'not_loaded';

export interface ContractContext {
  readonly destination?: string;
  readonly secGpc?: string;
  readonly state?: string;
  readonly country?: string;
  readonly minSeq?: string;
  readonly identifiers?: readonly Identifier[];
}

export interface ContractCase {
  readonly name: string;
  readonly table: TableState;
  readonly bytes: Buffer;
  /** What the bytes are the JSON of; `undefined`: they are none. */
  readonly value: object | undefined;
  readonly context: ContractContext;
}

/** What a door answered. A door that does not say all of it leaves the rest out. */
export interface Answer {
  /** Of a request that was refused. */
  readonly code?: string;
  readonly decision?: object;
  /** What may go out, parsed. */
  readonly request?: unknown;
}

const NOW_MS = Date.UTC(2026, 10, 26);
const DAY_MS = 86_400_000;
const POLICY = parsePolicy({
  version: 'contract-1',
  destinations: [
    { id: 'dsp' },
    { id: 'strict', whenOptedOut: 'block' },
    provider('provider', 'service_provider', '2030-01-01'),
    provider('expired', 'service_provider', '2020-01-01'),
    provider('contractor', 'contractor', null),
    { id: 'no-contract', role: 'service_provider', purposes: ['fraud_security'] },
    { id: 'by-state', states: { CA: { whenOptedOut: 'block' } } },
  ],
});

function provider(id: string, role: string, expires: string | null): object {
  return { id, role, purposes: ['fraud_security'], contract: { reference: 'MSA-1', expires } };
}

const ENTRIES: readonly Identifier[] = [
  { kind: 'eid:pubcid.org', value: 'pubcid-suppressed' },
  { kind: 'account:user.id', value: 'user-suppressed' },
  { kind: 'ctv', value: '5d92078a-8246-4ba4-ae5b-000000000001' },
  { kind: 'phone', value: '+14155551234' },
];

/** A desk in each state; every door, and the expectation, has its own. */
export function contractDesk(table: TableState): TestDesk {
  return testDesk({
    policy: POLICY,
    loaded: table !== 'not_loaded',
    freshAtMs: table === 'stale' ? NOW_MS - 60 * DAY_MS : NOW_MS,
    now: () => NOW_MS,
    entries: ENTRIES,
  });
}

/** What the library answers. */
export function expectedOf(desk: TestDesk, { value, context }: ContractCase): Required<Omit<Answer, 'code'>> {
  if (value === undefined) throw new Error('the library takes objects');
  const decision = desk.gate.check(value, context);
  const request = desk.gate.restrict(value, decision);
  return { decision: decision.toJSON(), request: JSON.parse(JSON.stringify(request)) };
}

const imp = [{ id: '1', banner: { w: 300, h: 250 } }];
const CONTEXTS: readonly ContractContext[] = [
  {},
  { destination: 'dsp' },
  { destination: 'strict', secGpc: '1' },
  { destination: 'provider' },
  { destination: 'by-state', state: 'CA' },
  { destination: 'nobody' },
];

const real = REAL_REQUESTS.map(({ source, request }, index) =>
  caseOf(`real ${index} ${source}`, request, CONTEXTS[index % CONTEXTS.length] ?? {}),
);

const device = (fields: object) => ({ id: 'd', imp, device: fields });
const regs = (fields: object, more: object = {}) => ({ id: 'r', imp, regs: fields, ...more });
const suppressed = device({
  ifa: SUPPRESSED_MAID,
  ua: 'Mozilla/5.0',
  ip: '192.0.2.77',
  geo: { country: 'USA', region: 'CA' },
});
const manyEids = Array.from({ length: 200 }, (_, index) => ({
  source: 'pubcid.org',
  uids: [{ id: `somebody-${index}` }],
}));

const crafted: readonly ContractCase[] = [
  caseOf('clean', { id: 'c', imp }),
  caseOf('OpenRTB 3.0', {
    openrtb: { ver: '3.0', request: { id: '3', context: { user: { id: 'user-suppressed' } } } },
  }),
  caseOf('us_privacy opt-out', regs({ us_privacy: '1YYN' })),
  caseOf('us_privacy malformed', regs({ us_privacy: 'nonsense' })),
  caseOf('us_privacy twice', regs({ us_privacy: '1YNN', ext: { us_privacy: '1YYN' } })),
  caseOf('GPC header', { id: 'g', imp }, { secGpc: '1' }),
  caseOf('GPC in regs', regs({ ext: { gpc: '1' } })),
  caseOf('GPC malformed', regs({ ext: { gpc: 'yes' } })),
  caseOf('GPC disputed', regs({ ext: { gpc: 'no' } }), { secGpc: '1' }),
  caseOf('GPP opt-out', regs({ gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7] })),
  caseOf('GPP section not there', regs({ gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7, 8] })),
  caseOf('GPP malformed', regs({ gpp: '!', gpp_sid: [7] })),
  caseOf('GPP section undecodable', regs({ gpp: 'DBABLA~A', gpp_sid: [7] })),
  caseOf('GPP sids malformed', regs({ gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: 'all' })),
  caseOf('GPP section of tomorrow', regs({ gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7, 31] })),
  caseOf(
    'GPP disputed',
    regs({ gpp: 'DBABLA~BVVqAAAAAgA.QA', gpp_sid: [7], ext: { gpp: 'DBABBg~BVWSSSVY.YA', gpp_sid: [8] } }),
  ),
  caseOf('COPPA', regs({ coppa: 1 }, { device: { geo: { lat: 34.0522, lon: -118.2437 } } })),
  caseOf('COPPA malformed', regs({ coppa: 'x' })),
  caseOf('LMT', device({ lmt: 1 })),
  caseOf('LMT malformed', device({ lmt: 'x' })),
  caseOf('DNT', device({ dnt: 1 })),
  caseOf('DNT malformed', device({ dnt: [] })),
  caseOf('ATT', device({ ext: { atts: 2 } })),
  caseOf('ATT malformed', device({ ext: { atts: 'x' } })),
  caseOf('device of the wrong type', { id: 'w', imp, device: 'phone' }),
  caseOf('too many identifiers', { id: 'm', imp, user: { eids: manyEids } }),
  caseOf('suppressed maid', suppressed),
  caseOf('suppressed eid', {
    id: 'e',
    imp,
    user: { eids: [{ source: 'pubcid.org', uids: [{ id: 'pubcid-suppressed' }] }] },
  }),
  caseOf('suppressed account', { id: 'a', imp, user: { id: 'user-suppressed' } }),
  caseOf(
    'suppressed e-mail of the context',
    { id: 'k', imp },
    { identifiers: [{ kind: 'email', value: SUPPRESSED_EMAIL }] },
  ),
  caseOf(
    'suppressed phone of the context',
    { id: 'p', imp },
    { identifiers: [{ kind: 'phone', value: '+14155551234' }] },
  ),
  caseOf('identifier of the context malformed', { id: 'k', imp }, { identifiers: [{ kind: 'maid', value: 'x' }] }),
  caseOf('blocked', suppressed, { destination: 'strict' }),
  caseOf('blocked in California', suppressed, { destination: 'by-state' }),
  caseOf('not blocked in Colorado', suppressed, { destination: 'by-state', state: 'US-CO' }),
  caseOf('unknown destination', suppressed, { destination: 'nobody' }),
  caseOf('a destination that is not ASCII', suppressed, { destination: 'Empfänger é' }),
  caseOf('service provider', suppressed, { destination: 'provider' }),
  caseOf('contractor', suppressed, { destination: 'contractor' }),
  caseOf('exempt service provider', regs({ us_privacy: '1YYN' }), { destination: 'provider' }),
  caseOf('exempt contractor', regs({ us_privacy: '1YYN' }), { destination: 'contractor' }),
  caseOf('contract expired', suppressed, { destination: 'expired' }),
  caseOf('no contract', suppressed, { destination: 'no-contract' }),
  caseOf('outside the US', suppressed, { country: 'DEU' }),
  caseOf('token reached', device({ ifa: '11111111-2222-4333-8444-555555555555' }), { minSeq: 'stand.42' }),
  caseOf('token not reached', device({ ifa: '11111111-2222-4333-8444-555555555555' }), { minSeq: 'stand.43' }),
  caseOf('token of another history', device({ ifa: '11111111-2222-4333-8444-555555555555' }), { minSeq: 'other.1' }),
  caseOf('text of every plane', { id: 'ü\u{1f512}\u0000"\\', imp, site: { name: '\u2028\ud7ff' } }),
  ...(['stale', 'not_loaded'] as const).flatMap((table) => [
    { ...caseOf(`hit, ${table}`, suppressed), table },
    { ...caseOf(`miss, ${table}`, device({ ifa: '11111111-2222-4333-8444-555555555555' })), table },
    { ...caseOf(`nobody named, ${table}`, { id: 'n', imp }), table },
    { ...caseOf(`blocked, ${table}`, suppressed, { destination: 'strict' }), table },
  ]),
];

/** Decided on: the library says how. */
export const DECIDED: readonly ContractCase[] = [...crafted, ...real];

/** Refused: with this code, by every door. */
export const REFUSED: readonly (readonly [code: string, asked: ContractCase])[] = [
  ['json.invalid', rawCase('{"id":"1","imp":[')],
  ['json.invalid', rawCase('')],
  ['json.invalid', rawCase('{"imp":[]}}')],
  ['json.not_utf8', rawCase(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))],
  ['request.invalid', rawCase('{"id":"1"}')],
  ['request.invalid', rawCase('[]')],
  ['request.invalid', rawCase('7')],
  ['request.invalid', rawCase('null')],
];

function caseOf(name: string, value: object, context: ContractContext = {}): ContractCase {
  return { name, table: 'fresh', bytes: Buffer.from(JSON.stringify(value)), value, context };
}

function rawCase(text: string | Buffer): ContractCase {
  return { name: String(text), table: 'fresh', bytes: Buffer.from(text), value: undefined, context: {} };
}
