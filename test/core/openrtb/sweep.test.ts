import { describe, expect, test } from 'vitest';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { SWEEP_EXACT_COUNT_MAX } from '../../../src/core/openrtb/search.js';
import { STRIP_GROUPS, type StripGroup } from '../../../src/core/vocabulary.js';
import { deepFreeze, type Json } from './requests.js';

const ID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const restrict = <T extends object>(request: T, strip: readonly StripGroup[] = STRIP_GROUPS): T =>
  restrictRequest(deepFreeze(request), strip, RESTRICT_DEFAULTS);

describe('the sweep', () => {
  const user = { id: ID };

  test.each<[string, Json, Json]>([
    ['in a text', { app: { keywords: `a,${ID},b`, bundle: 'b' } }, { app: { bundle: 'b' } }],
    ['in another case', { ext: { x: ID.toUpperCase() } }, {}],
    ['in a key', { ext: { [`seen-${ID}`]: 1, y: 2 } }, { ext: { y: 2 } }],
    ['in an array', { badv: ['a.example', `${ID}.example`] }, { badv: ['a.example'] }],
    ['percent-encoded', { ext: { x: [...ID].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('') } }, {}],
    [
      'in a URL of which only the parameter goes',
      { site: { page: `https://a.example/?x=${ID}&q=1` } },
      { site: { page: 'https://a.example/?q=1' } },
    ],
    [
      'in the path of a URL',
      { site: { page: `https://a.example/${ID}/`, domain: 'a.example' } },
      { site: { domain: 'a.example' } },
    ],
    [
      'in a native request',
      { imp: [{ id: '1', native: { request: `{"ver":"1.2","x":"${ID}"}` } }] },
      { imp: [{ id: '1', native: { request: '{"ver":"1.2"}' } }] },
    ],
    [
      'in a native request behind escapes',
      { imp: [{ id: '1', native: { request: `{"ver":"1.2","x":"\\u0036${ID.slice(1)}"}` } }] },
      { imp: [{ id: '1', native: { request: '{"ver":"1.2"}' } }] },
    ],
    ['in what looks like JSON', { ext: { x: `{"ver":"1.2","x":"${ID}` } }, {}],
    [
      'not in the ids that a request needs',
      { id: ID, imp: [{ id: ID }], regs: { ext: { x: ID } } },
      { id: ID, imp: [{ id: ID }], regs: { ext: { x: ID } } },
    ],
    ['a transaction id that is a user id, though tid stays', { source: { tid: ID, fd: 1 } }, { source: { fd: 1 } }],
  ])('%s', (_name, request, rest) => expect(restrict({ ...request, user }, ['ids', 'urls'])).toEqual(rest));

  test.each<[string, StripGroup[], Json]>([
    ['an eid', ['eids'], { user: { eids: [{ source: 'a', uids: [{ id: ID }] }] } }],
    ['an eid of 2.5', ['eids'], { user: { ext: { eids: [{ source: 'a', uids: [{ id: ID }] }] } } }],
    ['a buyer id', ['ids'], { user: { ext: { prebid: { buyeruids: { acme: ID } } } } }],
    ['an id of a vendor', ['ids'], { user: { ext: { vendor: { sessionId: ID } } } }],
    ['an id by its shape', ['ids'], { user: { ext: { vendor: ['x', ID] } } }],
    ['an id by its name in a bidder parameter', ['ids'], { imp: [{ ext: { bidder: { hem: ID } } }] }],
    ['an id in what other groups remove', ['ids', 'ufpd'], { user: { ext: { data: { email: [ID] } } } }],
    ['an id of 3.0', ['ids'], { openrtb: { request: { context: { device: { ifa: ID } } } } }],
    ['a container that is a text', ['ids'], { device: ID }],
  ])('looks for %s', (_name, strip, request) => {
    expect(JSON.stringify(restrict({ ...request, app: { name: `x${ID}`, bundle: 'b' } }, strip))).not.toContain(ID);
  });

  const ADDRESS = {
    device: { ip: '203.0.113.77', ipv6: '2001:db8:85a3::8a2e:370:7334', xff: '198.51.100.9, 192.0.2.55' },
  };
  const COARSE = { device: { ip: '203.0.113.0', ipv6: '2001:db8:85a3::' } };
  test.each(['203.0.113.77', '2001:DB8:85a3::8a2e:370:7334', '198.51.100.9', 'https://a.example/?x=192.0.2.55'])(
    'a copy of an address before it was coarsened: %s',
    (copy) => {
      const imp = [{ id: '1', ext: { b: { client_ip: copy } } }];
      const once = restrict({ ...ADDRESS, imp, ext: { ip: copy, y: 1 } }, ['ip']);
      expect(once).toEqual({ ...COARSE, imp: [{ id: '1', ext: { b: {} } }], ext: { y: 1 } });
      expect(restrict(once, ['ip'])).toBe(once);
      expect(restrict({ ...ADDRESS, ext: { x: copy } }, ['ua']).ext).toEqual({ x: copy });
    },
  );

  test.each<[string, unknown, string, string]>([
    ['an object', { id: 'Abc Def 123' }, 'Abc Def 123', 'Abc Def'],
    ['an object, a part of its text', { id: 'id with space/slash?' }, 'space/slash?', 'id with'],
    ['a list of short ones', '1.1.1.1, 2.2.2.2', 'from 1.1.1.1, 2.2.2.2', '2.2.2.2'],
    ['the loopback address and a short one', '127.0.0.1, 1.1.1.1', '127.0.0.1, 1.1.1.1', '127.0.0.1'],
    ['a short one and the loopback address', '1.1.1.1, 127.0.0.1', '1.1.1.1, 127.0.0.1', '127.0.0.1'],
    ['a long one after a short one', '1.1.1.1, 198.51.100.9', 'from 198.51.100.9', '1.1.1.1'],
  ])('what stands in the place of an address: %s', (_name, value, copy, other) => {
    for (const name of ['ip', 'ipv6', 'xff', 'XFF']) {
      const rest = restrict({ device: { [name]: value, os: 'x' }, ext: { x: copy, y: { z: other } } }, ['ip']);
      expect(rest).toEqual({ device: { os: 'x' }, ext: { y: { z: other } } });
    }
  });

  test.each(['not available', 'unknown, unknown', '127.0.0.1, 127.0.0.1', ' , ,, , , , ,'])(
    'what says of an address that there is none is not looked for: %s',
    (value) => {
      const ext = { x: `it says ${value} today` };
      expect(restrict({ device: { xff: value, os: 'x' }, ext }, ['ip'])).toEqual({ device: { os: 'x' }, ext });
    },
  );

  test('an address that stays as it is, and the loopback address, are not looked for', () => {
    const ext = { a: '203.0.113.0', ua: 'Chrome/127.0.0.1' };
    expect(restrict({ device: { ip: '203.0.113.0' }, ext }, ['ip']).ext).toEqual(ext);
    expect(restrict({ device: { ip: '127.0.0.1' }, ext }, ['ip']).ext).toEqual(ext);
  });

  test('copies of a transaction id, but not the ids of the request', () => {
    const request = { id: ID, source: { tid: ID, fd: 1 }, imp: [{ id: ID, ext: { transactionId: ID, gpid: 'g' } }] };
    expect(restrict(request, ['tid'])).toEqual({ id: ID, source: { fd: 1 }, imp: [{ id: ID, ext: { gpid: 'g' } }] });
    expect(restrict(request, ['ip'])).toBe(request);
  });

  test('a UUID with hyphens or without', () => {
    const bare = ID.replaceAll('-', '');
    expect(restrict({ user: { id: ID }, ext: { x: bare, y: 1 } }, ['ids'])).toEqual({ ext: { y: 1 } });
    expect(restrict({ user: { id: bare }, ext: { x: `_${ID.toUpperCase()}_`, y: 1 } }, ['ids'])).toEqual({
      ext: { y: 1 },
    });
  });

  test('escapes of JSON in what is no JSON, and "+" for a space', () => {
    const escaped = [...ID].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    expect(restrict({ user: { id: ID }, ext: { x: `cut off: "${escaped}` } }, ['ids'])).toEqual({});
    const ext = { x: 'https://a.example/?who=Jane+Q.+Doe+7', y: 'Jane%20Q.+Doe%207' };
    expect(restrict({ user: { id: 'Jane Q. Doe 7' }, ext }, ['ids'])).toEqual({});
  });

  test.each(['00000000', '--------0000', 'undefined', 'application', 'text/html', 'test-user', 'https://', 'HTTPS://'])(
    'what names nobody is not looked for: %s',
    (id) => {
      const ext = { x: `a ${id} b`, url: 'https://a.example/' };
      expect(restrict({ user: { id, buyeruid: id, ext: { eids: [{ uids: [{ id }] }] } }, ext })).toEqual({ ext });
    },
  );

  test('numbers', () => {
    const rest = restrict({ user: { id: 12345678901 }, tmax: 12345678901, ext: { x: 'n12345678901', y: 1234567 } }, [
      'ids',
    ]);
    expect(rest).toEqual({ ext: { y: 1234567 } });
  });

  test('short values and sources of eids are not looked for', () => {
    const request = {
      user: { id: 'seven77', eids: [{ source: 'adserver.org', uids: [{ id: '1' }] }] },
      site: { name: 'seven77', domain: 'adserver.org' },
    };
    expect(restrict(request)).toEqual({ site: { name: 'seven77', domain: 'adserver.org' } });
  });

  test('not done when neither ids nor eids go', () => {
    const request = { user, app: { name: ID } };
    expect(restrict(request, ['ufpd', 'geo', 'ip', 'tid', 'urls', 'ua'])).toBe(request);
  });

  test('text that is not ASCII, and half a surrogate pair', () => {
    const ids = ['Žluťoučký-kůň', 'half-\ud800-pair'];
    const texts = ids.flatMap((id) => [
      id,
      id.toUpperCase(),
      `x ${id.toLowerCase()} y`,
      encodeURIComponent(id.replace('\ud800', '\ufffd')),
    ]);
    const eids = ids.map((id) => ({ source: 'a', uids: [{ id }] }));
    expect(restrict({ user: { eids }, ext: { texts: [...texts, 'stays'] } })).toEqual({ ext: { texts: ['stays'] } });
  });

  test('many identifiers: beyond the limit, anything that begins like one', () => {
    const ids = Array.from({ length: SWEEP_EXACT_COUNT_MAX + 1 }, (_, index) => `identifier-of-one-${index}`);
    const eids = [{ source: 'a', uids: ids.map((id) => ({ id })) }];
    const badv = ['b.example', ...ids, 'see IDENTIFIER-OF-ONE-x'];
    expect(restrict({ user: { eids: eids }, badv })).toEqual({ badv: ['b.example'] });
    const fewer = [{ source: 'a', uids: ids.slice(1).map((id) => ({ id })) }];
    expect(restrict({ user: { eids: fewer }, badv })).toEqual({
      badv: ['b.example', 'identifier-of-one-0', 'see IDENTIFIER-OF-ONE-x'],
    });
  });

  test('beyond the limit a scheme is no beginning, and short identifiers count in full', () => {
    const ids = Array.from(
      { length: SWEEP_EXACT_COUNT_MAX },
      (_, index) => `https://vendor-${index}.example/of/one/${index}`,
    );
    const eids = [{ source: 'a', uids: [...ids, 'shorter-1'].map((id) => ({ id })) }];
    const badv = ['https://other.example/', 'https://shorter-2/', 'https://vendor-7.example/of/other'];
    expect(restrict({ user: { eids }, badv }, ['eids'])).toEqual({ badv: badv.slice(0, 2) });
  });

  test('of a long identifier only the first characters count', () => {
    const id = `https://${'a1'.repeat(100)}`;
    const badv = [`${'a1'.repeat(32)}!`, 'a1'.repeat(31)];
    expect(restrict({ user: { id }, badv }, ['ids'])).toEqual({ badv: badv.slice(1) });
  });

  test('in a great deal of text only beginnings count', () => {
    const requestWith = (length: number) => ({
      user: { id: 'identifier-of-one-1' },
      badv: ['identifier-of-one-2', 'y'.repeat(length), 'identifier'],
    });
    expect(restrict(requestWith(100), ['ids']).badv).toHaveLength(3);
    expect(restrict(requestWith(2 ** 21), ['ids']).badv).toHaveLength(2);
  });

  test.each([250_000, 500_000, 1_000_000])('identifiers made to be slow, and %d characters', (length) => {
    const idOf = (index: number) => `${'a'.repeat(500 + index)}b`.repeat(8).slice(0, 4000);
    const uids = Array.from({ length: 60 }, (_, index) => ({ id: `${'a'.repeat(index)}b${idOf(index)}` }));
    const slow = [{ id: 'x' }, ...uids, ...uids.map(({ id }) => ({ id: id.slice(60) }))].slice(0, 61);
    const startMs = performance.now();
    const request = { user: { eids: [{ source: 'a', uids: slow }] }, ext: { x: 'a'.repeat(length) } };
    restrictRequest(request, STRIP_GROUPS, RESTRICT_DEFAULTS);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  test('a great many identifiers and a great deal of text take linear time', () => {
    const uids = Array.from({ length: 20_000 }, (_, index) => ({ id: `identifier-${index}` }));
    const request = {
      user: { eids: [{ source: 'a', uids }] },
      ext: { text: 'identifie '.repeat(40_000), deep: '%41'.repeat(50_000) },
    };
    const startMs = performance.now();
    restrictRequest(request, STRIP_GROUPS, RESTRICT_DEFAULTS);
    expect(performance.now() - startMs).toBeLessThan(15_000);
  });
});

describe('nesting without end', () => {
  test('what lies too deep is not passed on, and nothing overflows', () => {
    const deep = (name: string) => JSON.parse(`${`{"${name}":`.repeat(50_000)}1${'}'.repeat(50_000)}`) as Json;
    const arrays = JSON.parse(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`) as unknown;
    const request = {
      id: 'r',
      ext: deep('a'),
      user: { ext: { eids: arrays, data: deep('uid') } },
      imp: [{ id: '1', ext: arrays, native: { request: JSON.stringify(['x'.repeat(9)]) } }],
    };
    const rest = restrictRequest({ ...request, device: { ext: { x: ID } } }, STRIP_GROUPS, RESTRICT_DEFAULTS);
    expect(JSON.stringify(rest).length).toBeLessThan(2000);
    expect(restrictRequest(rest, STRIP_GROUPS, RESTRICT_DEFAULTS)).toEqual(rest);
  });
});
