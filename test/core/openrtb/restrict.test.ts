import { describe, expect, test } from 'vitest';
import { RESTRICT_DEFAULTS, type RestrictOptions, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { STRIP_GROUPS, type StripGroup } from '../../../src/core/vocabulary.js';
import { deepFreeze, type Json } from './requests.js';

const ID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const restrict = <T extends object>(
  request: T,
  strip: readonly StripGroup[] = STRIP_GROUPS,
  options?: Partial<RestrictOptions>,
): T => restrictRequest(deepFreeze(request), strip, { ...RESTRICT_DEFAULTS, ...options });

describe('groups', () => {
  test('none: the very same object', () => {
    const request = { user: { id: ID } };
    expect(restrict(request, [])).toBe(request);
  });

  test('nothing to take out: the very same object', () => {
    const request = {
      id: '1',
      imp: [{ id: '1', banner: {} }],
      site: { page: 'https://a.example' },
      device: { ua: 'x' },
    };
    expect(restrict(request)).toBe(request);
  });

  test('only what is asked goes, and the rest is shared', () => {
    const request = {
      imp: [{ id: '1' }],
      site: { page: 'https://a.example/?gclid=1' },
      device: { ip: '8.8.8.8', geo: { lat: -33.86889, lon: 151.20929, city: 'Sydney', country: 'AUS' } },
      user: { id: ID, eids: [], ext: { consent: 'x' } },
    };
    const rest = restrict(request, ['geo', 'ip']);
    expect(rest.device).toEqual({ ip: '8.8.8.0', geo: { lat: -33.87, lon: 151.21, country: 'AUS' } });
    expect([rest.imp, rest.site, rest.user]).toEqual([request.imp, request.site, request.user]);
    expect(rest.imp).toBe(request.imp);
    expect(rest.user).toBe(request.user);
  });

  test.each<[string, StripGroup[], Json, Json]>([
    ['empty user goes', ['ids'], { id: 'r', user: { id: 'u' } }, { id: 'r' }],
    ['empty user goes, even if it came empty', ['ids'], { id: 'r', user: {} }, { id: 'r' }],
    [
      'consent stays',
      ['ids'],
      { user: { id: 'u', consent: 'C', ext: { consent: 'C', gdpr: 1, x: 1 } } },
      { user: { consent: 'C', ext: { consent: 'C', gdpr: 1 } } },
    ],
    ['members of user nobody knows', ['ids'], { user: { consent: 'C', fingerprint: 'x' } }, { user: { consent: 'C' } }],
    [
      'eids of 2.6 and 2.5',
      ['eids'],
      { user: { id: 'u', eids: [{}], ext: { eids: [{}], consent: 'C' } } },
      { user: { id: 'u', ext: { consent: 'C' } } },
    ],
    [
      'eid permissions',
      ['eids'],
      { ext: { prebid: { data: { eidpermissions: [], bidders: ['a'] } } } },
      { ext: { prebid: { data: { bidders: ['a'] } } } },
    ],
    [
      'user data',
      ['ufpd'],
      {
        user: {
          id: 'u',
          data: [1],
          keywords: 'a',
          kwarray: ['a'],
          yob: 1980,
          gender: 'F',
          customdata: 'x',
          geo: { country: 'USA' },
          ext: { data: {} },
        },
      },
      { user: { id: 'u' } },
    ],
    [
      'segments of the content',
      ['ufpd'],
      { site: { keywords: 'k', content: { title: 't', data: [1] }, ext: { data: {}, amp: 0 } } },
      { site: { keywords: 'k', content: { title: 't' }, ext: { amp: 0 } } },
    ],
    ['a site without anything left is still a site', ['ufpd'], { site: { ext: { data: {} } } }, { site: {} }],
    [
      'device by allow-list',
      ['ids'],
      {
        device: {
          ...{ ua: 'u', sua: { model: 'M' }, geo: { lat: 1.234 }, dnt: 0, lmt: 0, ip: '8.8.8.8', ipv6: '2001:db8::1' },
          ...{ devicetype: 1, type: 2, make: 'A', model: 'B', os: 'iOS', osv: '17', hwv: '5S', h: 1, w: 2, ppi: 3 },
          ...{ pxratio: 2, js: 1, geofetch: 0, flashver: '9', language: 'en', lang: 'en', langb: 'en', contype: 2 },
          ...{ connectiontype: 2, carrier: 'V', mccmnc: '310-005', mccmncsim: '310-005', xff: '1.1.1.1', iptr: 1 },
          ...{ mac: '02:00:00:44:55:66', udid: 'UD-1', caid: 'CA-1', serial: 'F2LXYZ12345', name: "Jane's iPhone" },
          ...{ id: 'device-1', ssid: 'Home of Jane', macsha256: 'b4c9', vendorThing: { deep: 'Deep-Id-1' } },
        },
        ext: { a: '02:00:00:44:55:66', b: 'f2lxyz12345', c: "jane's iphone", d: 'home of jane', e: 'deep-id-1', f: 1 },
      },
      {
        device: {
          ...{ ua: 'u', sua: { model: 'M' }, geo: { lat: 1.234 }, dnt: 0, lmt: 0, ip: '8.8.8.8', ipv6: '2001:db8::1' },
          ...{ devicetype: 1, type: 2, make: 'A', model: 'B', os: 'iOS', osv: '17', hwv: '5S', h: 1, w: 2, ppi: 3 },
          ...{ pxratio: 2, js: 1, geofetch: 0, flashver: '9', language: 'en', lang: 'en', langb: 'en', contype: 2 },
          ...{ connectiontype: 2, carrier: 'V', mccmnc: '310-005', mccmncsim: '310-005', xff: '1.1.1.1', iptr: 1 },
        },
        ext: { f: 1 },
      },
    ],
    [
      'device extension by allow-list',
      ['ids'],
      {
        device: {
          ext: {
            atts: 0,
            ifv: ID,
            ifa_type: 'dpid',
            vpw: 320,
            vph: '640',
            orientation: 1,
            tpid: 5,
            prebid: { interstitial: { minwidthperc: 50 }, x: 1 },
          },
        },
      },
      { device: { ext: { atts: 0, vpw: 320, orientation: 1, prebid: { interstitial: { minwidthperc: 50 } } } } },
    ],
    [
      'the user agent in the extension is no id',
      ['ids'],
      { device: { ext: { sua: { mobile: 1, model: 'X' } } } },
      { device: { ext: { sua: { mobile: 1, model: 'X' } } } },
    ],
    [
      'geo by allow-list',
      ['geo'],
      {
        user: {
          geo: {
            lat: 51.123456,
            lon: -0.005,
            type: 2,
            utcoffset: -360,
            country: 'GBR',
            region: 'L',
            zip: 'z',
            metro: 'm',
            accuracy: 5,
            lastfix: 1,
            ipservice: 3,
            ext: {},
            accur: 5,
            ipserv: 3,
          },
        },
      },
      { user: { geo: { lat: 51.12, lon: -0.01, type: 2, utcoffset: -360, country: 'GBR', region: 'L' } } },
    ],
    [
      'coordinates that are no numbers',
      ['geo'],
      { device: { geo: { lat: '51.123456', lon: [1], country: 'GBR' } } },
      { device: { geo: { country: 'GBR' } } },
    ],
    [
      'addresses',
      ['ip'],
      { device: { ip: '8.8.8.8', ipv6: '2001:db8:85a3::8a2e:370:7334', xff: '1.2.3.4', iptr: 1 } },
      { device: { ip: '8.8.8.0', ipv6: '2001:db8:85a3::' } },
    ],
    [
      'an address of the wrong family',
      ['ip'],
      { device: { ua: 'u', ip: '2001:db8::1', ipv6: '8.8.8.8' } },
      { device: { ua: 'u' } },
    ],
    ['an address that is none', ['ip'], { device: { ua: 'u', ip: 'localhost', ipv6: 7 } }, { device: { ua: 'u' } }],
    [
      'transaction ids',
      ['tid'],
      {
        id: 'r',
        source: { tid: 't', fd: 1, ext: { tidSource: 'pbjs', schain: {} } },
        imp: [{ id: '1', ext: { tid: 't', tidSource: 'x', gpid: 'g', prebid: { tid: 't', bidder: {} } } }],
      },
      {
        id: 'r',
        source: { fd: 1, ext: { schain: {} } },
        imp: [{ id: '1', ext: { gpid: 'g', prebid: { bidder: {} } } }],
      },
    ],
    [
      'URLs',
      ['urls'],
      {
        site: {
          page: 'https://a.example/?q=1&email=x',
          ref: 'https://u:p@b.example/#f',
          search: 'jane@doe.com',
          content: { url: 'https://c.example/?uid=7' },
        },
        app: { storeurl: 'https://s.example/?id=com.x&gaid=1' },
      },
      {
        site: { page: 'https://a.example/?q=1', ref: 'https://b.example/', content: { url: 'https://c.example/' } },
        app: { storeurl: 'https://s.example/?id=com.x' },
      },
    ],
    [
      'user agent',
      ['ua'],
      {
        device: {
          ua: 'stays',
          carrier: 'V',
          mccmnc: '310-005',
          sua: {
            source: 2,
            mobile: 0,
            model: 'M',
            architecture: 'x86',
            bitness: '64',
            browsers: [{ brand: 'Chromium', version: ['124', '0', '6367', '60'], ext: {} }, 'junk'],
            platform: { brand: 'macOS', version: ['14.4', '1'] },
            ext: {},
          },
        },
      },
      {
        device: {
          ua: 'stays',
          sua: {
            source: 2,
            mobile: 0,
            browsers: [{ brand: 'Chromium', version: ['124'] }],
            platform: { brand: 'macOS', version: ['14'] },
          },
        },
      },
    ],
    ['containers of a wrong type', ['ids', 'geo'], { id: 'r', user: 'x', device: [{ ifa: ID }] }, { id: 'r' }],
    [
      'containers of a wrong type, if the group is not theirs',
      ['urls'],
      { user: 'x', device: [1] },
      { user: 'x', device: [1] },
    ],
    [
      'an imp of a wrong type stays',
      STRIP_GROUPS.slice(),
      { imp: ['x', { id: '1' }, 7] },
      { imp: ['x', { id: '1' }, 7] },
    ],
    [
      'an imp encoded as an object',
      ['tid'],
      { imp: { 0: { id: '1', ext: { tid: 't' } } } },
      { imp: { 0: { id: '1', ext: {} } } },
    ],
    [
      'names in any case',
      ['ids', 'tid'],
      { source: { TID: 't', fd: 1 }, device: { IFA: ID, ua: 'u' }, User: { buyerUid: 'b' } },
      { source: { fd: 1 }, device: { ua: 'u' } },
    ],
    [
      'names of ids in parameters of bidders',
      ['ids'],
      {
        imp: [
          { id: '1', ext: { prebid: { bidder: { acme: { idfa: 'x', placementId: 1, nested: [{ Email: 'e' }] } } } } },
        ],
        ext: { phone: '555', x: 1 },
      },
      { imp: [{ id: '1', ext: { prebid: { bidder: { acme: { placementId: 1, nested: [{}] } } } } }], ext: { x: 1 } },
    ],
    [
      'ambiguous names',
      ['ids'],
      { imp: [{ id: '1', ext: { a: { uid: '1234' }, b: { uid: ID }, c: { userId: { pubcid: 'x' } } } }] },
      { imp: [{ id: '1', ext: { a: { uid: '1234' }, b: {}, c: {} } }] },
    ],
    [
      '3.0',
      STRIP_GROUPS.slice(),
      {
        openrtb: {
          ver: '3.0',
          request: {
            id: 'r',
            cdata: 'c',
            source: { tid: 't', ts: 1 },
            item: [{ id: '1', ext: { tid: 't' } }],
            context: {
              user: { id: 'u' },
              device: { ifa: ID, ip: '8.8.8.8', xff: '1.1.1.1', geo: { lat: 1.2345, accur: 3 } },
              regs: { coppa: 0 },
            },
          },
        },
      },
      {
        openrtb: {
          ver: '3.0',
          request: {
            id: 'r',
            source: { ts: 1 },
            item: [{ id: '1', ext: {} }],
            context: { device: { ip: '8.8.8.0', geo: { lat: 1.23 } }, regs: { coppa: 0 } },
          },
        },
      },
    ],
    [
      'copies for some bidders',
      STRIP_GROUPS.slice(),
      {
        ext: {
          prebid: {
            bidderconfig: [
              {
                bidders: ['a'],
                config: { ortb2: { user: { id: 'u', data: [1] }, site: { keywords: 'k', ext: { data: {} } } } },
              },
            ],
          },
        },
      },
      { ext: { prebid: { bidderconfig: [{ bidders: ['a'], config: { ortb2: { site: { keywords: 'k' } } } }] } } },
    ],
  ])('%s', (_name, strip, request, rest) => expect(restrict(request, strip)).toEqual(rest));

  test.each(['ext', 'openrtb.request.ext'])('copies for some bidders in %s: transaction ids', (place) => {
    const requestWith = (source: Json) => {
      const ext = { prebid: { bidderconfig: [{ bidders: ['a'], config: { ortb2: { source } } }] } };
      return place === 'ext' ? { ext } : { openrtb: { request: { ext } } };
    };
    expect(restrict(requestWith({ tid: 't', fd: 1 }), ['tid'])).toEqual(requestWith({ fd: 1 }));
  });

  test('options: coordinates and kept bits', () => {
    const request = { device: { ip: '8.8.8.8', ipv6: '2001:db8:85a3::1', geo: { lat: 1.234, country: 'USA' } } };
    expect(restrict(request, ['ip', 'geo'], { ipv4KeepBits: 16, ipv6KeepBits: 32, coordinates: 'remove' })).toEqual({
      device: { ip: '8.8.0.0', ipv6: '2001:db8::', geo: { country: 'USA' } },
    });
  });

  test.each([
    [-122.419416, -122.42],
    [122.419416, 122.42],
    [-0.001, 0],
    [-0.005, -0.01],
    [37.8, 37.8],
    [123.456, 123.46],
    [-85.34321, -85.34],
    [1e300, 1e300],
  ])('coordinate %d becomes %d', (lat, rounded) => {
    expect(restrict({ device: { geo: { lat, country: 'USA' } } }, ['geo']).device.geo.lat).toBe(rounded);
  });

  test('several requests in an array', () => {
    expect(restrict([{ user: { id: 'u' }, id: '1' }], ['ids'])).toEqual([{ id: '1' }]);
  });

  test('inherited members are not sent', () => {
    const request = Object.assign(Object.create({ inherited: 1 }) as Json, { id: 'r', user: { id: 'u' } });
    expect(Object.keys(restrictRequest(request, ['ids'], RESTRICT_DEFAULTS))).toEqual(['id']);
  });

  test('a member called __proto__ stays a member', () => {
    const request = JSON.parse(
      `{"user":{"id":"u"},"__proto__":{"polluted":1},"x":{"email":1,"__proto__":{"y":2}}}`,
    ) as Json;
    const rest = restrict(request);
    expect(JSON.stringify(rest)).toBe('{"__proto__":{"polluted":1},"x":{"__proto__":{"y":2}}}');
    expect((rest as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
