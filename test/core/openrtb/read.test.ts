import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendAccount, appendEid, appendMaid, createKeyList, type KeyList } from '../../../src/core/identity/key.js';
import { createFacts, IDENTIFIER_COUNT_MAX, type RequestFacts, resetFacts } from '../../../src/core/openrtb/facts.js';
import { READ_DEFAULTS, type ReadOptions, readRequest } from '../../../src/core/openrtb/read.js';
import { SIDS_LISTED } from '../../../src/core/signals/gpp/sids.js';
import { type BASE_KINDS, KIND_TAG } from '../../../src/core/vocabulary.js';
import { cases } from '../../cases.js';
import { plainFactsOf, plainRead } from '../../reference/openrtb-read.js';
import { anyRequest, deepFreeze, REAL_REQUESTS } from './requests.js';

function read(request: unknown, options: Partial<ReadOptions> = {}): RequestFacts {
  const facts = createFacts();
  readRequest(request, facts, { ...READ_DEFAULTS, ...options });
  return facts;
}

describe('signals', () => {
  test('2.6, 2.5 and 3.0 places of everything', () => {
    const facts = read({
      regs: {
        us_privacy: '1YNN',
        gpp: 'A',
        gpp_sid: [7],
        ext: { us_privacy: '1nyn', gpp: 'B', gpp_sid: '8_9', gpc: '1' },
      },
      device: { lmt: '1', dnt: true, geo: { country: 'USA', region: 'CA' }, ext: { atts: 2 } },
      user: { geo: { country: 'FRA' } },
      openrtb: { request: { context: { regs: { coppa: 1 }, user: { geo: { region: 'IDF' } } } } },
    });
    expect(facts).toMatchObject({
      malformed: false,
      usPrivacy: { text: '1YNN' },
      usPrivacyExt: { text: '1NYN' },
      gpp: 'A',
      gppExt: 'B',
      gppSid: SIDS_LISTED | (1 << 7),
      gppSidExt: SIDS_LISTED | (1 << 8) | (1 << 9),
      gpc: 'on',
      coppa: 'on',
      lmt: 'on',
      dnt: 'on',
      att: 'on',
      deviceCountry: 'USA',
      deviceRegion: 'CA',
      userCountry: 'FRA',
      userRegion: 'IDF',
    });
  });

  test.each([
    ['on beats off', { gpc: 0, ext: { gpc: '1' } }, 'on'],
    ['on beats malformed', { gpc: 1, ext: { gpc: 'x' } }, 'on'],
    ['malformed beats off', { gpc: 'x', ext: { gpc: '0' } }, 'malformed'],
    ['off beats absent', { gpc: false, ext: {} }, 'off'],
    ['null is absent', { gpc: null, ext: null }, 'absent'],
  ])('GPC in two places: %s', (_name, regs, gpc) => expect(read({ regs }).gpc).toBe(gpc));

  test.each([
    ['opt-out beats none', '1YNN', '1YYN', '1YYN'],
    ['opt-out beats malformed', '1YYN', 'junk', '1YYN'],
    ['malformed beats none', '1YNN', 'junk', undefined],
    ['anything beats absent', undefined, '1---', '1---'],
  ])('US Privacy in 2.x and 3.0: %s', (_name, first, second, text) => {
    for (const [a, b] of [
      [first, second],
      [second, first],
    ]) {
      const { usPrivacy } = read({
        regs: { us_privacy: a },
        openrtb: { request: { context: { regs: { us_privacy: b } } } },
      });
      expect(usPrivacy).toMatchObject(text === undefined ? { kind: 'malformed' } : { text });
    }
  });

  test('GPP strings: two that differ are kept, a third makes the request malformed', () => {
    const adcom = (gpp: unknown, ext?: unknown) => ({ request: { context: { regs: { gpp, ext: { gpp: ext } } } } });
    expect(read({ regs: { gpp: 'A', ext: { gpp: 'A' } }, openrtb: adcom('B') })).toMatchObject({
      gpp: 'A',
      gppExt: 'B',
    });
    expect(read({ regs: { gpp: 'A' }, openrtb: adcom('B', 'A') })).toMatchObject({
      gpp: 'A',
      gppExt: 'B',
      malformed: false,
    });
    expect(read({ regs: { gpp: 'A', ext: { gpp: 'B' } }, openrtb: adcom('C') }).malformed).toBe(true);
    expect(read({ regs: { gpp: 1 } })).toMatchObject({ gpp: null, gppWrongType: true, malformed: false });
    expect(read({ regs: { gpp: null } })).toMatchObject({ gpp: null, gppWrongType: false });
  });

  test('empty text is malformed, or absent where the policy says so', () => {
    const request = { regs: { us_privacy: '', gpp: '', ext: { us_privacy: '', gpp: '' } } };
    expect(read(request)).toMatchObject({ gpp: '', gppExt: '', usPrivacy: { kind: 'malformed' } });
    expect(read(request, { emptyIsAbsent: true })).toMatchObject({
      ...{ gpp: null, gppExt: null },
      ...{ usPrivacy: { kind: 'absent' }, usPrivacyExt: { kind: 'absent' } },
    });
  });

  test.each([
    ['iOS', '14.0', undefined, 'on'],
    ['IOS', '14.1.2', '', 'on'],
    ['ios', '14.0.1', '00000000-0000-0000-0000-000000000000', 'on'],
    ['iOS', '14.1', '6d92078a-8246-4ba4-ae5b-76104861e7dc', 'off'],
    ['iOS', '14.2', undefined, 'off'],
    ['iOS', '14.10', undefined, 'off'],
    ['iOS', '13.7', undefined, 'off'],
    ['Android', '14.0', undefined, 'off'],
    ['iOS', 14, undefined, 'off'],
  ])('an app on %s %s that shows the id %s: lmt is %s', (os, osv, ifa, lmt) => {
    const device = { os, osv, ifa, lmt: 0 };
    expect(read({ app: {}, device }).lmt).toBe(lmt);
    expect(read({ openrtb: { request: { context: { app: {}, device } } } }).lmt).toBe(lmt);
    expect(read({ site: {}, device }).lmt).toBe('off');
  });

  test('places that disagree on the country leave it unknown', () => {
    const openrtb = { request: { context: { device: { geo: { country: 'FRA', region: 'CA' } } } } };
    const facts = read({ device: { geo: { country: 'USA', region: 'CA' } }, openrtb });
    expect(facts).toMatchObject({ deviceCountry: '', deviceRegion: 'CA' });
  });
});

describe('a container of a wrong type makes the request malformed', () => {
  test.each([
    [null],
    [undefined],
    ['x'],
    [[]],
    [{ regs: 'x' }],
    [{ regs: { ext: [] } }],
    [{ user: [] }],
    [{ device: 3 }],
    [{ device: { geo: 'x' } }],
    [{ device: { ext: true } }],
    [{ user: { ext: 'x' } }],
    [{ user: { geo: [] } }],
    [{ user: { eids: {} } }],
    [{ user: { ext: { eids: 'x' } } }],
    [{ user: { eids: ['x'] } }],
    [{ user: { eids: [null] } }],
    [{ user: { eids: [{ source: 'a', uids: {} }] } }],
    [{ user: { eids: [{ source: 'a', uids: ['x'] }] } }],
    [{ user: { ext: { prebid: { buyeruids: ['x'] } } } }],
    [{ openrtb: '3.0' }],
    [{ openrtb: { request: { context: { user: 1 } } } }],
  ])('%j', (request) => expect(read(request).malformed).toBe(true));

  test.each([
    [{}],
    [{ regs: null, user: null, device: null, openrtb: null, ext: null }],
    [{ user: { eids: null, ext: null, geo: null }, device: { ext: null } }],
    [{ user: { eids: [{ source: 'a' }, { uids: null }, {}] } }],
    [{ ext: 'x' }],
    [{ openrtb: {} }],
  ])('but not %j', (request) => expect(read(request).malformed).toBe(false));
});

describe('identifiers', () => {
  const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
  const only = (...kinds: (typeof BASE_KINDS)[number][]) =>
    kinds.reduce((mask, kind) => mask | (1 << KIND_TAG[kind]), 0);
  const words = (keys: KeyList) => [...keys.words.slice(0, keys.count * 5)];
  const expected = (fill: (list: KeyList) => void) => {
    const list = createKeyList(16);
    fill(list);
    return words(list);
  };

  test('device ids', () => {
    const { keys } = read(
      {
        device: { ifa: MAID.toUpperCase(), ext: { ifv: MAID } },
        openrtb: { request: { context: { device: { ifa: MAID } } } },
      },
      { kindMask: only('maid') },
    );
    expect(words(keys)).toEqual(expected((list) => [MAID, MAID, MAID].map((maid) => appendMaid(list, maid))));
  });

  test('a clear device id is also looked up by its digests, where the table holds any', () => {
    expect(read({ device: { ifa: MAID } }, { kindMask: only('maid') }).keys.count).toBe(1);
    expect(read({ device: { ifa: MAID } }, { kindMask: only('maid', 'ctv') }).keys.count).toBe(2);
    expect(read({ device: { ifa: MAID } }, { kindMask: only('maid_sha256') }).keys.count).toBeGreaterThan(1);
    expect(read({ device: { ifa: MAID } }, { kindMask: only('ctv_sha256') }).keys.count).toBeGreaterThan(0);
    expect(read({ device: { ifa: MAID } }, { kindMask: 0 }).keys.count).toBe(0);
    const clearToo = { kindMask: only('maid', 'maid_sha256', 'ctv_sha256'), digestMask: 0 };
    expect(read({ device: { ifa: MAID } }, clearToo).keys.count).toBe(1);
    const given = { kindMask: only('maid_sha1'), digestMask: 0 };
    expect(read({ device: { ifa: MAID, didsha1: 'ab'.repeat(20) } }, given).keys.count).toBe(1);
  });

  test('accounts, under the name spaces of the policy, numbers too', () => {
    const request = { user: { id: 'u-1', buyeruid: 42, ext: { prebid: { buyeruids: { acme: 'b-1' } } } } };
    const { keys } = read(request, { kindMask: only('account'), userIdNamespace: 'shop', buyerUidNamespace: 'dsp' });
    expect(words(keys)).toEqual(
      expected((list) => {
        appendAccount(list, 'shop', 'u-1');
        appendAccount(list, 'dsp', '42');
        appendAccount(list, 'dsp', 'b-1');
      }),
    );
    expect(read(request, { userIdNamespace: null, buyerUidNamespace: null }).keys.count).toBe(0);
  });

  test('eids of 2.6 and 2.5, and of a bidder configuration', () => {
    const eids = (id: string) => [{ source: 'Liveramp.com', uids: [{ id }] }];
    const request = {
      user: { eids: eids('a'), ext: { eids: eids('b') } },
      ext: { prebid: { bidderconfig: [{ bidders: ['acme'], config: { ortb2: { user: { eids: eids('c') } } } }] } },
    };
    expect(words(read(request, { kindMask: only('eid') }).keys)).toEqual(
      expected((list) => ['a', 'b', 'c'].map((id) => appendEid(list, 'liveramp.com', id))),
    );
  });

  test('an eid as long as a digest may be that of an e-mail address or phone number', () => {
    const id = '5837d278eabede28e37b5766399ed0d1a4cdc36acee8d35710a255032f45beda';
    const base64 = Buffer.from(id, 'hex').toString('base64');
    for (const form of [id, id.toUpperCase(), base64, base64.replace('=', '')]) {
      const { keys } = read(
        { user: { eids: [{ source: 'a', uids: [{ id: form }] }] } },
        { kindMask: only('email_sha256') },
      );
      expect(words(keys)).toEqual([KIND_TAG.email_sha256, ...firstWordsOf(id)]);
    }
  });

  test.each([
    [
      'e-mail, white space around it',
      { user: { eids: [{ source: 'a', uids: [{ id: ` ${'ab'.repeat(32)}\n` }] }] } },
      'email_sha256',
    ],
    ['CTV id in the extension', { device: { ext: { ifa: 'Roku-1234-5678' } } }, 'ctv'],
    ['SHA-1 in the extension', { device: { ext: { ifa_sha1: 'ab'.repeat(20) } } }, 'maid_sha1'],
    ['MD5 in the extension', { device: { ext: { ifa_md5: 'ab'.repeat(16) } } }, 'maid_md5'],
    [
      'in-app id among the eids',
      { user: { ext: { eids: [{ source: 'a', uids: [{ id: MAID, atype: 2 }] }] } } },
      'maid',
    ],
    ['digest of an in-app id', { user: { eids: [{ source: 'a', uids: [{ id: MAID, atype: 2 }] }] } }, 'maid_sha256'],
    ['SHA-256 as ifa', { device: { ifa: 'AB'.repeat(32) } }, 'maid_sha256'],
    ['SHA-1 as ifa', { device: { ifa: ` ${'ab'.repeat(20)} ` } }, 'maid_sha1'],
    ['SHA-256 as ifa of the extension', { device: { ext: { ifa: 'ab'.repeat(32) } } }, 'maid_sha256'],
    ['MAID without hyphens', { device: { ifa: 'ab'.repeat(16) } }, 'maid'],
  ] as const)('%s', (_name, request, kind) => {
    expect(read(request, { kindMask: only(kind) }).keys.words[0]).toBe(KIND_TAG[kind]);
    expect(read(request, { kindMask: only(kind) }).keys.count).toBeGreaterThan(0);
    const { keys } = read(request, { kindMask: ~only(kind) });
    for (let index = 0; index < keys.count; index++) expect(keys.words[5 * index]).not.toBe(KIND_TAG[kind]);
  });

  test('an id of another type among the eids is no device id, and a digest of 32 digits no digest of one', () => {
    const eids = [{ source: 'a', uids: [{ id: MAID, atype: 1 }, { id: MAID }, { id: 'no uuid', atype: 2 }] }];
    expect(read({ user: { eids } }, { kindMask: only('maid') }).keys.count).toBe(0);
    expect(read({ device: { ifa: 'ab'.repeat(16) } }, { kindMask: only('maid_md5'), digestMask: 0 }).keys.count).toBe(
      0,
    );
  });

  test('per-bidder copies of 2.x and 3.0', () => {
    const ext = { prebid: { bidderconfig: [{ config: { ortb2: { device: { ifa: MAID } } } }] } };
    expect(read({ ext, openrtb: { request: { ext } } }, { kindMask: only('maid') }).keys.count).toBe(2);
  });

  test('more than fit are said to be too many', () => {
    const uids = Array.from({ length: IDENTIFIER_COUNT_MAX }, (_, index) => ({ id: `id-${index}` }));
    const user = { eids: [{ source: 'a', uids }] };
    const exact = read({ user }, { kindMask: only('eid', 'account') }).keys;
    expect([exact.count, exact.overflowed]).toEqual([IDENTIFIER_COUNT_MAX, false]);
    const over = read({ user: { ...user, id: 'one more' } }, { kindMask: only('eid', 'account') }).keys;
    expect([over.count, over.overflowed]).toEqual([IDENTIFIER_COUNT_MAX, true]);
  });

  test.each([1, 10_000])('reading ends once too many are found: %d a source', (perSource) => {
    let readCount = 0;
    const uids = Array.from({ length: 10_000 }, (_, index) => ({
      get id() {
        readCount++;
        return `id-${index}`;
      },
    }));
    const eids = Array.from({ length: uids.length / perSource }, (_, index) => ({
      source: 'a',
      uids: uids.slice(index * perSource, (index + 1) * perSource),
    }));
    expect(read({ user: { eids } }, { kindMask: only('eid') }).keys.overflowed).toBe(true);
    expect(readCount).toBe(IDENTIFIER_COUNT_MAX + 1);
  });

  function firstWordsOf(hex: string): readonly number[] {
    const bytes = Buffer.from(hex, 'hex');
    return [0, 4, 8, 12].map((at) => bytes.readInt32BE(at));
  }
});

describe('the fast and the plain version agree', () => {
  const anyOptions: fc.Arbitrary<ReadOptions> = fc.record({
    kindMask: fc.oneof(fc.constant(-1), fc.integer(), fc.constant(0)),
    digestMask: fc.oneof(fc.constant(-1), fc.integer(), fc.constant(0)),
    userIdNamespace: fc.constantFrom('user.id', 'shop', null),
    buyerUidNamespace: fc.constantFrom('user.buyeruid', null),
    emptyIsAbsent: fc.boolean(),
  });
  const facts = createFacts();
  const expectAgreement = (request: unknown, options: ReadOptions) => {
    resetFacts(facts);
    readRequest(request, facts, options);
    const plain = plainRead(request, options);
    const fast = plainFactsOf(facts);
    // with too many identifiers or GPP strings the rest is not read, since the request is restricted anyway
    if (fast.overflowed || plain.overflowed) expect(fast.overflowed).toBe(plain.overflowed);
    else expect(fast).toEqual(plain.gpps.length > 2 ? { ...plain, gpps: fast.gpps } : plain);
  };

  test('on generated requests', () => {
    fc.assert(
      fc.property(anyRequest, anyOptions, (request, options) => expectAgreement(deepFreeze(request), options)),
      { numRuns: cases(5000) },
    );
  });

  test('on any JSON', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), anyOptions, expectAgreement), { numRuns: cases(2000) });
  });

  test('on every real request, whole and mutated', () => {
    for (const { request } of REAL_REQUESTS) expectAgreement(request, READ_DEFAULTS);
    fc.assert(
      fc.property(fc.constantFrom(...REAL_REQUESTS), anyRequest, anyOptions, ({ request }, other, options) =>
        expectAgreement({ ...request, ...other }, options),
      ),
      { numRuns: cases(2000) },
    );
  });
});
