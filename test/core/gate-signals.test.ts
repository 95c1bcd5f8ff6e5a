/**
 * The gate on signals alone: every place, conflicts, malformed strings, and never less strict than Prebid.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type CheckContext, createGate } from '../../src/core/gate.js';
import { STRIP_GROUPS } from '../../src/core/vocabulary.js';
import { parsePolicy } from '../../src/policy-file.js';

const NOW_MS = Date.parse('2026-11-23');
const gateWith = (policy: object = {}) => createGate({ table: 'none', policy: parsePolicy(policy), now: () => NOW_MS });
const gate = gateWith();
const request = (regs: unknown, rest: object = {}) => ({ id: 'r', imp: [{ id: '1' }], regs, ...rest });

const OPTED_OUT = 'DBABBg~BVWSSSVY.YA'; // usca, SaleOptOut 1, GPC
const CLEAN = 'DBABLA~BVVqAAAAAgA.QA'; // usnat, everything noticed, nothing opted out

type Case = readonly [
  name: string,
  request: object,
  expected: { action: string; reasons: readonly string[] },
  context?: CheckContext,
  policy?: object,
];
const allow = (...reasons: string[]) => ({ action: 'allow', reasons });
const restrict = (...reasons: string[]) => ({ action: 'restrict', reasons });

const CASES: readonly Case[] = [
  ['nothing said', request(undefined), allow()],
  ['us_privacy, 2.6 place', request({ us_privacy: '1YYN' }), restrict('usp.sale_opt_out')],
  ['us_privacy, 2.5 place', request({ ext: { us_privacy: '1YYN' } }), restrict('usp.sale_opt_out')],
  ['us_privacy, lower case', request({ us_privacy: '1yyn' }), restrict('usp.sale_opt_out')],
  ['us_privacy, not opted out', request({ us_privacy: '1YNN' }), allow()],
  ['us_privacy, not applicable', request({ us_privacy: '1---' }), allow()],
  ['us_privacy, malformed', request({ us_privacy: '1YZN' }), restrict('signal.us_privacy.malformed')],
  ['us_privacy, wrong type', request({ us_privacy: 1 }), restrict('signal.us_privacy.malformed')],
  ['us_privacy, empty', request({ us_privacy: '' }), restrict('signal.us_privacy.malformed')],
  ['us_privacy, empty, counted as absent', request({ us_privacy: '' }), allow(), {}, { signals: { empty: 'absent' } }],
  [
    'us_privacy, malformed, ignored by policy',
    request({ us_privacy: 'x' }),
    allow('signal.us_privacy.malformed'),
    {},
    { signals: { malformed: 'ignore' } },
  ],
  [
    'us_privacy: the two places disagree',
    request({ us_privacy: '1YNN', ext: { us_privacy: '1YYN' } }),
    restrict('usp.sale_opt_out', 'conflict.us_privacy'),
  ],
  [
    'us_privacy and GPP section 6 disagree',
    request({ us_privacy: '1YNN', gpp: 'DBABTA~1YYN', gpp_sid: [6] }),
    restrict('conflict.us_privacy', 'gpp.uspv1.sale_opt_out'),
  ],
  ['regs.ext.gpc "1"', request({ ext: { gpc: '1' } }), restrict('gpc.regs')],
  ['regs.ext.gpc 1', request({ ext: { gpc: 1 } }), restrict('gpc.regs')],
  ['regs.ext.gpc true', request({ ext: { gpc: true } }), restrict('gpc.regs')],
  ['regs.ext.gpc "0"', request({ ext: { gpc: '0' } }), allow()],
  ['regs.ext.gpc junk', request({ ext: { gpc: 'yes' } }), restrict('signal.gpc.malformed')],
  ['Sec-GPC: 1', request({}), restrict('gpc.header'), { secGpc: '1' }],
  ['Sec-GPC sent twice', request({}), restrict('gpc.header'), { secGpc: ['0', '1'] }],
  ['Sec-GPC: "1" in quotes', request({}), restrict('gpc.header'), { secGpc: '"1"' }],
  ['Sec-GPC: true is not the signal', request({}), allow(), { secGpc: 'true' }],
  [
    'Sec-GPC: 1 beside regs.ext.gpc 0',
    request({ ext: { gpc: 0 } }),
    restrict('gpc.header', 'conflict.gpc'),
    { secGpc: '1' },
  ],
  ['GPC from Canada', request({ ext: { gpc: '1' } }, { device: { geo: { country: 'CAN' } } }), restrict('gpc.regs')],
  [
    'GPC from Canada, not honoured there',
    request({ ext: { gpc: '1' } }, { device: { geo: { country: 'CAN' } } }),
    allow(),
    {},
    { gpcOutsideUs: 'ignore' },
  ],
  [
    'GPC from Virginia, by state',
    request({ ext: { gpc: '1' } }, { device: { geo: { country: 'USA', region: 'VA' } } }),
    allow(),
    {},
    { honor: 'by_state' },
  ],
  [
    'GPC from California, by state',
    request({ ext: { gpc: '1' } }, { device: { geo: { country: 'USA', region: 'CA' } } }),
    restrict('gpc.regs'),
    {},
    { honor: 'by_state' },
  ],
  [
    'GPC from Virginia of a Californian, by state',
    request(
      { ext: { gpc: '1' } },
      { device: { geo: { country: 'USA', region: 'VA' } }, user: { geo: { country: 'USA', region: 'CA' } } },
    ),
    restrict('gpc.regs'),
    {},
    { honor: 'by_state' },
  ],
  [
    'GPC, the caller knows the state, by state',
    request({ ext: { gpc: '1' } }),
    allow(),
    { state: 'US-VA' },
    { honor: 'by_state' },
  ],
  [
    'GPC from nobody knows where, by state',
    request({ ext: { gpc: '1' } }),
    restrict('gpc.regs'),
    {},
    { honor: 'by_state' },
  ],
  ['GPP, listed and clean', request({ gpp: CLEAN, gpp_sid: [7] }), allow()],
  [
    'GPP, listed and opted out',
    request({ gpp: OPTED_OUT, gpp_sid: [8] }),
    restrict(
      'gpp.usca.sale_opt_out',
      'gpp.usca.sharing_opt_out',
      'gpp.usca.sensitive_out_of_scope',
      'gpp.usca.sensitive_no_consent',
      'gpp.usca.child_no_consent',
      'gpp.usca.gpc',
    ),
  ],
  ['GPP in the 2.5 place', request({ ext: { gpp: 'DBABTA~1YYN', gpp_sid: '6' } }), restrict('gpp.uspv1.sale_opt_out')],
  ['GPP, not listed', request({ gpp: 'DBABTA~1YYN', gpp_sid: [2] }), allow()],
  ['GPP, [-1]', request({ gpp: 'DBABTA~1YYN', gpp_sid: [-1] }), allow()],
  ['GPP without gpp_sid', request({ gpp: 'DBABTA~1YYN' }), restrict('gpp.uspv1.sale_opt_out')],
  [
    'GPP without gpp_sid, not judged by policy',
    request({ gpp: 'DBABTA~1YYN' }),
    allow(),
    {},
    { gpp: { withoutSid: 'ignore' } },
  ],
  [
    'GPP with gpp_sid that cannot be read',
    request({ gpp: 'DBABTA~1YYN', gpp_sid: ['x'] }),
    restrict('signal.gpp_sid.malformed', 'gpp.uspv1.sale_opt_out'),
  ],
  ['GPP, listed but missing', request({ gpp: CLEAN, gpp_sid: [8] }), restrict('gpp.usca.section_missing')],
  [
    'GPP, listed but missing, Prebid Server Java',
    request({ gpp: CLEAN, gpp_sid: [8] }),
    allow('gpp.usca.section_missing'),
    {},
    { gpp: { sectionMissing: 'ignore' } },
  ],
  ['gpp_sid without a string', request({ gpp_sid: [7] }), restrict('gpp.usnat.section_missing')],
  ['GPP, an id nobody assigned', request({ gpp: CLEAN, gpp_sid: [7, 31] }), restrict('gpp.section_unknown')],
  ['GPP, junk', request({ gpp: 'gppstring', gpp_sid: [7] }), restrict('signal.gpp.malformed')],
  ['GPP, junk, and no US section applies', request({ gpp: 'gppstring', gpp_sid: [2] }), allow()],
  ['GPP, a number', request({ gpp: 7 }), restrict('signal.gpp.malformed')],
  ['GPP, 8 kB and more', request({ gpp: `DBABLA~${'A'.repeat(9000)}` }), restrict('signal.gpp.malformed')],
  [
    'GPP, the string that kills other decoders',
    request({ gpp: 'DBAB4AAAAAAD~BVQqAAAAAgA.QA', gpp_sid: [7] }),
    restrict('signal.gpp.malformed'),
  ],
  [
    'GPP, one section of two unreadable',
    request({ gpp: 'DBACLMA~BVVqAAAAAgA~BVV', gpp_sid: [7, 9] }),
    restrict('gpp.usva.section_malformed'),
  ],
  [
    'GPP, unknown version',
    request({ gpp: 'DBABLA~DVVqAAAAAgA.QA', gpp_sid: [7] }),
    restrict('gpp.usnat.version_unknown'),
  ],
  [
    'GPP: the two places disagree',
    request({ gpp: CLEAN, gpp_sid: [7], ext: { gpp: 'DBABTA~1YYN', gpp_sid: [6] } }),
    restrict('conflict.gpp', 'conflict.gpp_sid', 'gpp.uspv1.sale_opt_out'),
  ],
  ['COPPA', request({ coppa: 1 }), restrict('coppa')],
  ['COPPA, malformed', request({ coppa: 'maybe' }), restrict('signal.coppa.malformed')],
  ['LMT', request({}, { device: { lmt: 1 } }), restrict('device.lmt')],
  ['LMT, not heard', request({}, { device: { lmt: 1 } }), allow(), {}, { signals: { lmt: 'ignore' } }],
  ['DNT', request({}, { device: { dnt: 1 } }), restrict('device.dnt')],
  ['ATT denied', request({}, { device: { ext: { atts: 2 } } }), restrict('device.att')],
  ['ATT authorised', request({}, { device: { ext: { atts: 3 } } }), allow()],
  ['regs is a text', request('1YYN'), restrict('request.malformed')],
  ['user is an array', request({}, { user: [{ id: 'x' }] }), restrict('request.malformed')],
  [
    'AdCOM',
    { openrtb: { request: { id: '1', item: [], context: { regs: { us_privacy: '1YYN' } } } } },
    restrict('usp.sale_opt_out'),
  ],
  [
    'a destination nobody described',
    request({ ext: { gpc: '1' } }),
    restrict('gpc.regs', 'destination.unknown'),
    { destination: 'nobody' },
  ],
  [
    'a destination nobody described, nothing said',
    request({}),
    allow('destination.unknown'),
    { destination: 'nobody' },
  ],
];

for (const [name, bidRequest, expected, context = {}, policy = {}] of CASES) {
  test(name, () => {
    const { action, reasons } = gateWith(policy).check(bidRequest, context);
    expect({ action, reasons }).toEqual(expected);
  });
}

describe.each([undefined, null, 0, 'x', [], Number.NaN])('%j for a request', (value) => {
  test('is restricted, not thrown', () => {
    expect(gate.check(value as never).action).toBe('restrict');
  });
});

describe('executed verdicts of Prebid.js and Prebid Server Java', () => {
  const rows = readFileSync('test/vectors/gpp-verdicts.ndjson', 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  /** What Prebid's denial of an activity takes out of a request, in our groups. */
  const ACTIVITIES = {
    transmitEids: ['ids', 'eids'],
    transmitUfpd: ['ufpd'],
    transmitPreciseGeo: ['geo', 'ip'],
  } as const;

  test('there are rows', () => expect(rows.length).toBeGreaterThan(800));

  test.each(rows.map((row, index) => [`${index}: ${row.note}`, row] as const))('%s', (_, row) => {
    const decision = gate.check(request({ gpp: row.gpp, gpp_sid: row.gpp_sid }));
    for (const [activity, groups] of Object.entries(ACTIVITIES)) {
      if (row.pbsJava[activity] !== 'deny' && row.prebidJs[activity] !== 'deny') continue;
      expect(decision.action).toBe('restrict');
      expect(decision.strip).toEqual(expect.arrayContaining([...groups]));
    }
    // Where we are stricter, a reason says which fact led to it: every group that goes is asked for by one.
    const asked = new Set(decision.explain().flatMap(({ strip }) => strip));
    expect(decision.strip).toEqual(STRIP_GROUPS.filter((group) => asked.has(group)));
  });
});

describe('every switch of the policy', () => {
  const KIDS = { country: 'CAN' };
  const SWITCHES: readonly (readonly [string, object, object, string, CheckContext?])[] = [
    ['gpcOutsideUs', { gpcOutsideUs: 'ignore' }, request({ ext: { gpc: 1 } }, { device: { geo: KIDS } }), 'allow'],
    ['signals.lmt', { signals: { lmt: 'ignore' } }, request({}, { device: { lmt: 1 } }), 'allow'],
    ['signals.dnt', { signals: { dnt: 'ignore' } }, request({}, { device: { dnt: 1 } }), 'allow'],
    ['signals.att', { signals: { att: 'ignore' } }, request({}, { device: { ext: { atts: 1 } } }), 'allow'],
    ['signals.malformed', { signals: { malformed: 'ignore' } }, request({ us_privacy: 'x' }), 'allow'],
    [
      'signals.malformed, not for containers',
      { signals: { malformed: 'ignore' } },
      request({}, { user: [] }),
      'restrict',
    ],
    ['signals.empty', { signals: { empty: 'absent' } }, request({ gpp: '', us_privacy: '' }), 'allow'],
    ['gpp.sectionMissing', { gpp: { sectionMissing: 'ignore' } }, request({ gpp: CLEAN, gpp_sid: [9] }), 'allow'],
    [
      'gpp.sectionMalformed',
      { gpp: { sectionMalformed: 'ignore' } },
      request({ gpp: 'DBABLA~BVV', gpp_sid: [7] }),
      'allow',
    ],
    [
      'gpp.versionUnknown',
      { gpp: { versionUnknown: 'ignore' } },
      request({ gpp: 'DBABLA~DVVqAAAAAgA.QA', gpp_sid: [7] }),
      'allow',
    ],
    ['gpp.sectionUnknown', { gpp: { sectionUnknown: 'ignore' } }, request({ gpp: CLEAN, gpp_sid: [7, 31] }), 'allow'],
    ['gpp.withoutSid', { gpp: { withoutSid: 'ignore' } }, request({ gpp: 'DBABTA~1YYN' }), 'allow'],
    [
      'gpp.personalDataConsent',
      { gpp: { personalDataConsent: 'allow' } },
      request({ gpp: 'DBABLA~BVVqAAAACgA.QA', gpp_sid: [7] }),
      'allow',
    ],
    [
      'gpp.coveredTransactionZero',
      { gpp: { coveredTransactionZero: 'allow' } },
      request({ gpp: 'DBABLA~BVVqAAAAAAA.QA', gpp_sid: [7] }),
      'allow',
    ],
    [
      'table.onStale: allow',
      { table: { onStale: 'allow' } },
      request({}, { device: { ifa: 'x' } }),
      'allow',
      { minSeq: 'e.1', identifiers: [{ kind: 'ctv', value: 'abcdefgh' }] },
    ],
  ];
  for (const [name, policy, bidRequest, action, context] of SWITCHES) {
    test(name, () => {
      expect(gate.check(bidRequest, context).action).toBe('restrict');
      expect(gateWith(policy).check(bidRequest, context).action).toBe(action);
    });
  }
});

describe('who a service provider is, where and when', () => {
  const policy = {
    destinations: [
      {
        id: 'sp',
        role: 'service_provider',
        purposes: ['fraud_security'],
        contract: { reference: 'MSA-1' },
        states: { CA: { role: 'third_party' } },
      },
    ],
  };
  const sp = gateWith(policy);
  const actionFor = (geo: { device?: object; user?: object }, context: CheckContext = {}) =>
    sp.check(request({ us_privacy: '1YYN' }, { device: { geo: geo.device }, user: { geo: geo.user } }), {
      destination: 'sp',
      ...context,
    }).action;
  const CA = { country: 'USA', region: 'CA' };
  const TX = { country: 'USA', region: 'TX' };
  const PLACES: readonly (readonly [string, string, { device?: object; user?: object }, CheckContext?])[] = [
    ['in California', 'restrict', { device: CA }],
    ['in Texas', 'allow', { device: TX }],
    ['in Canada', 'allow', { device: { country: 'CAN' } }],
    ['in Texas, at home in California', 'restrict', { device: TX, user: CA }],
    ['nobody knows where', 'restrict', {}],
    ['in the US, state spelt out', 'restrict', { device: { country: 'USA', region: 'California' } }],
    ['in a state there is not', 'restrict', { device: { country: 'USA', region: 'ZZ' } }],
    ['in California, the caller knows only the country', 'restrict', { device: CA }, { country: 'USA' }],
    ['in California, the caller says nothing readable', 'restrict', { device: CA }, { state: 'California' }],
    ['in California, the caller says null', 'restrict', { device: CA }, { state: null, country: null }],
    ['the caller knows better: Texas', 'allow', { device: CA }, { state: 'TX' }],
    ['the caller knows better: California', 'restrict', { device: TX }, { state: 'US-CA' }],
    ['the caller knows better: Canada', 'allow', { device: CA }, { country: 'CAN' }],
  ];
  for (const [name, action, geo, context] of PLACES) test(name, () => expect(actionFor(geo, context)).toBe(action));

  const UNREADABLE: readonly (readonly [string, object])[] = [
    ['an array for a device', request({}, { device: [{ ifa: 'x' }] })],
    ['COPPA', request({ coppa: 'yes' })],
    ['LMT', request({}, { device: { lmt: 'x' } })],
    ['a GPP string', request({ gpp: 'garbage', gpp_sid: [7] })],
    ['a GPP section', request({ gpp: 'DBABLA~BVV', gpp_sid: [7] })],
    ['a section that is not there', request({ gpp: CLEAN, gpp_sid: [8] })],
  ];
  test.each(UNREADABLE)('is not exempt from what might hide a child or a deletion: %s', (_, bidRequest) => {
    expect(sp.check(bidRequest, { destination: 'sp', state: 'TX' }).action).toBe('restrict');
  });
});

test('under COPPA no coordinates go out, country and region do', () => {
  const geo = { lat: 37.7749, lon: -122.4194, country: 'USA', region: 'CA', zip: '94103' };
  const child = request({ coppa: 1 }, { device: { geo } });
  expect(gate.restrict(child, gate.check(child))).toMatchObject({ device: { geo: { country: 'USA', region: 'CA' } } });
  expect(JSON.stringify(gate.restrict(child, gate.check(child)))).not.toMatch(/lat|lon|zip/);
  const adult = request({ us_privacy: '1YYN' }, { device: { geo } });
  expect(gate.restrict(adult, gate.check(adult))).toMatchObject({ device: { geo: { lat: 37.77, lon: -122.42 } } });
});

test('what is no bid request is restricted', () => {
  for (const value of [{}, Buffer.from('x'), { request: { imp: [] } }, { imp: {} }]) {
    expect(gate.check(value).reasons).toEqual(['request.malformed']);
  }
});

test('a context of the wrong shape never throws and never helps', () => {
  const clean = request({});
  expect(gate.check(clean, null).action).toBe('allow');
  expect(
    gate.check(clean, { destination: null, secGpc: null, state: null, identifiers: null, minSeq: null }).action,
  ).toBe('allow');
  for (const context of [{ identifiers: {} }, { identifiers: [null] }, { identifiers: [{ kind: 7, value: 7 }] }]) {
    expect(gate.check(clean, context as never).reasons).toEqual(['signal.identifier.malformed']);
  }
});

test('long strings are judged and not kept', () => {
  const counting = gateWith();
  counting.check(request({ gpp: `DBACNYA~${'A'.repeat(2000)}~1YYN`, gpp_sid: [6] }));
  expect(counting.stats().memo).toEqual({ hits: 0, misses: 0, entryCount: 0 });
});

test('a decision can be written down: stable JSON without anything of the request', () => {
  const decision = gate.check(
    request({ us_privacy: '1YYN' }, { device: { ifa: '6d92078a-8246-4ba4-ae5b-76104861e7dc' } }),
  );
  expect(JSON.parse(JSON.stringify(decision))).toEqual({
    action: 'restrict',
    strip: [...STRIP_GROUPS],
    reasons: ['usp.sale_opt_out'],
    seq: null,
    stale: false,
    jurisdiction: 'unknown',
    policyVersion: 'default-1',
  });
});

test('a decision keeps its reasons when the gate goes on', () => {
  const first = gate.check(request({ us_privacy: '1YYN' }));
  gate.check(request({ coppa: 1 }));
  expect(first.reasons).toEqual(['usp.sale_opt_out']);
});

test('checkMany answers for each destination as check does', () => {
  const policy = {
    destinations: [
      { id: 'blocker', whenOptedOut: 'block' },
      { id: 'fraud', role: 'service_provider', purposes: ['fraud_security'], contract: { reference: 'MSA-1' } },
    ],
  };
  const many = gateWith(policy);
  const destinations = ['blocker', 'fraud', 'nobody'];
  const opted = request({ ext: { gpc: '1' } });
  const decisions = many.checkMany(opted, destinations);
  expect(decisions.map(({ action }) => action)).toEqual(['block', 'allow', 'restrict']);
  expect(decisions.map((decision) => JSON.stringify(decision))).toEqual(
    destinations.map((destination) => JSON.stringify(many.check(opted, { destination }))),
  );
});

test('what is counted: actions, malformed signals by code, memo', () => {
  const counting = gateWith();
  for (let round = 0; round < 3; round++) counting.check(request({ us_privacy: 'zz', gpp: CLEAN, gpp_sid: [7] }));
  counting.check(request({}));
  const { actions, malformed, memo } = counting.stats();
  expect(actions).toEqual({ allow: 1, restrict: 3, block: 0 });
  expect(malformed).toEqual({ 'signal.us_privacy.malformed': 3 });
  counting.check(request({ gpp: 'DBABLA~BVV', gpp_sid: [7] }));
  expect(counting.stats().malformed).toMatchObject({ 'gpp.section_malformed': 1 });
  expect(memo).toEqual({ hits: 2, misses: 1, entryCount: 1 });
});

test('the memo is bounded', () => {
  const small = gateWith({ memo: { entryCountMax: 2 } });
  for (const text of ['DBABTA~1YNN', 'DBABTA~1YYN', 'DBABTA~1NNN', 'DBABTA~1NYN']) small.check(request({ gpp: text }));
  expect(small.stats().memo.entryCount).toBe(2);
});
