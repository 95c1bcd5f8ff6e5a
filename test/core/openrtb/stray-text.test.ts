import { describe, expect, test } from 'vitest';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { cleanStrayText, isJsonLike, showsEmail } from '../../../src/core/openrtb/stray-text.js';
import type { StripGroup } from '../../../src/core/vocabulary.js';
import { deepFreeze, type Json } from './requests.js';

const UUID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';

function restrict(request: Json, ...strip: StripGroup[]): Json {
  const once = restrictRequest(deepFreeze(request), strip, RESTRICT_DEFAULTS);
  expect(restrictRequest(once, strip, RESTRICT_DEFAULTS)).toEqual(once);
  return once;
}

test.each(['a@b.de', 'x jane@doe.com y', 'jane%40doe.com', 'jane%2540doe.com', 'jane\\u0040doe.com', 'J@D.EXAMPLE'])(
  '%s shows an e-mail address',
  (text) => {
    expect(showsEmail(text)).toBe(true);
    expect(cleanStrayText(text, true, true)).toBeUndefined();
    expect(cleanStrayText(text, false, true)).toBe(text);
    expect(restrict({ ext: { x: text, y: 'stays', list: [text, 'stays'] } }, 'ids')).toEqual({
      ext: { y: 'stays', list: ['stays'] },
    });
    expect(restrict({ ext: { x: text } }, 'eids', 'ip', 'tid', 'urls')).toEqual({ ext: { x: text } });
  },
);

test('names with an e-mail address go, and places that pass stay', () => {
  const request = { id: 'a@b.de', regs: { ext: { x: 'a@b.de' } }, imp: [{ id: 'a@b.de', ext: { 'jane@doe.com': 1 } }] };
  expect(restrict(request, 'ids')).toEqual({ ...request, imp: [{ id: 'a@b.de', ext: {} }] });
});

test('of a URL only the parameter with an e-mail address goes', () => {
  const request = { site: { page: 'https://a.example/?who=jane@doe.com&q=1' }, ext: { x: 'https://a.example/b' } };
  expect(restrict(request, 'ids')).toEqual({ ...request, site: { page: 'https://a.example/?q=1' } });
});

describe('URLs anywhere lose their ids', () => {
  test.each([
    ['https://a.example/?gclid=1&q=1', 'https://a.example/?q=1'],
    ['HTTP://a.example/?q=1&email=x', 'HTTP://a.example/?q=1'],
    ['https://a.example/#access_token=1&x=2', 'https://a.example/'],
    ['https://jane@a.example/', 'https://a.example/'],
    [`https://a.example/?v=${UUID}`, 'https://a.example/'],
    ['https://a.example/?q=1#top', 'https://a.example/?q=1#top'],
    ['see https://a.example/?gclid=1', 'see https://a.example/?gclid=1'],
    ['ftp://a.example/?gclid=1', 'ftp://a.example/?gclid=1'],
  ])('%s', (url, cleaned) => {
    expect(restrict({ imp: [{ id: '1', ext: { b: { url } } }], badv: [url] }, 'urls')).toEqual({
      imp: [{ id: '1', ext: { b: { url: cleaned } } }],
      badv: [cleaned],
    });
    expect(restrict({ ext: { url } }, 'geo', 'ufpd')).toEqual({ ext: { url } });
  });
});

describe('JSON in a text', () => {
  const native = (value: unknown) => ({ imp: [{ id: '1', native: { request: JSON.stringify(value) } }] });

  test('loses members with the name of an id, and what they identify is looked for', () => {
    const before = { ver: '1.2', ext: { ifa: 'some-id-4', Email: 'x', uid: UUID, eids: [1] }, assets: [{ id: 1 }] };
    const rest = restrict({ ...native(before), ext: { x: 'some-id-4', y: 1 } }, 'ids');
    expect(rest).toEqual({ ...native({ ver: '1.2', ext: { eids: [1] }, assets: [{ id: 1 }] }), ext: { y: 1 } });
    expect(restrict(native(before), 'eids')).toEqual(
      native({ ...before, ext: { ifa: 'some-id-4', Email: 'x', uid: UUID } }),
    );
  });

  test('in JSON in a text', () => {
    const inner = (value: unknown) => native([JSON.stringify(value)]);
    expect(restrict(inner({ gaid: 'x', y: 'https://a.example/?gclid=1', z: 'a@b.de' }), 'ids', 'urls')).toEqual(
      inner({ y: 'https://a.example/' }),
    );
  });

  test('stays byte for byte when it has nothing to lose', () => {
    const request = { imp: [{ id: '1', native: { request: ' { "ver" : "1.2", "n": 1e3 }' } }], ext: { m: '{{page}}' } };
    expect(restrict(request, 'ids', 'eids', 'urls')).toBe(request);
  });

  test('what only looks like it goes by the rules of text', () => {
    expect(
      restrict({ ext: { x: '{"a":"jane@doe.com', y: '{"a":"b', z: '{"a":"jane@doe.com","a":"b"}' } }, 'ids'),
    ).toEqual({
      ext: { y: '{"a":"b' },
    });
    expect(['{"a":1}', '["a"]', ' \n{"a":1}'].every(isJsonLike)).toBe(true);
    expect(['', 'a', '{{page}}', '[300,250]', ' a"'].some(isJsonLike)).toBe(false);
  });

  test('is no URL where a URL belongs', () => {
    expect(restrict({ site: { page: '{"ifa":"x"}', ref: 'r' } }, 'urls')).toEqual({ site: { ref: 'r' } });
  });
});

test.each(['@', 'a@', '\\', '\\u0040', '%40', 'https://', '{"', '["'])('linear time on a long run of %j', (unit) => {
  const text = unit.repeat(300_000 / unit.length);
  const startMs = performance.now();
  for (const x of [text, `{"${text}`, `https://a.example/?${text}`]) restrict({ ext: { x } }, 'ids', 'urls');
  expect(performance.now() - startMs).toBeLessThan(15_000);
});
