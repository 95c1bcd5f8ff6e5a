import { describe, expect, test } from 'vitest';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { SWEEP_EXACT_COUNT_MAX } from '../../../src/core/openrtb/sweep.js';
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
    const ids = Array.from({ length: SWEEP_EXACT_COUNT_MAX + 1 }, (_, index) => `identifier-${index}`);
    const eids = [{ source: 'a', uids: ids.map((id) => ({ id })) }];
    const badv = ['b.example', ...ids, 'see IDENTIFIER-x'];
    expect(restrict({ user: { eids: eids }, badv })).toEqual({ badv: ['b.example'] });
    const fewer = [{ source: 'a', uids: ids.slice(1).map((id) => ({ id })) }];
    expect(restrict({ user: { eids: fewer }, badv })).toEqual({
      badv: ['b.example', 'identifier-0', 'see IDENTIFIER-x'],
    });
  });

  test('a great many identifiers and a great deal of text take linear time', () => {
    const uids = Array.from({ length: 20_000 }, (_, index) => ({ id: `identifier-${index}` }));
    const request = {
      user: { eids: [{ source: 'a', uids }] },
      ext: { text: 'identifie '.repeat(40_000), deep: '%41'.repeat(50_000) },
    };
    const startMs = performance.now();
    restrictRequest(request, STRIP_GROUPS, RESTRICT_DEFAULTS);
    expect(performance.now() - startMs).toBeLessThan(1500);
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
