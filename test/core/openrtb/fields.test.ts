/** The table and the reader say the same: a row that is read changes the fact it names, and no other row any. */
import { describe, expect, test } from 'vitest';
import { createFacts, type RequestFacts, resetFacts } from '../../../src/core/openrtb/facts.js';
import { FIELDS, placesOf } from '../../../src/core/openrtb/fields.js';
import { READ_DEFAULTS, readRequest } from '../../../src/core/openrtb/read.js';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { BASE_KINDS, type BaseKind, KIND_TAG } from '../../../src/core/vocabulary.js';
import type { Json } from './requests.js';

const UUID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const HEX = '5837d278eabede28e37b5766399ed0d1a4cdc36acee8d35710a255032f45beda';
const SAMPLES: Readonly<Record<string, unknown>> = {
  regs: {},
  'user.geo': {},
  'regs.us_privacy': '1YYN',
  'regs.gpp': 'DBABLA~BVQqAAAAAmA.QA',
  'regs.gpp_sid': [7],
  'regs.gpc': '1',
  'regs.coppa': 1,
  'device.lmt': 1,
  'device.dnt': 1,
  'device.ext.atts': 2,
  'geo.country': 'USA',
  'geo.region': 'CA',
  'device.ifa': UUID,
  'device.didsha1': HEX.slice(0, 40),
  'device.dpidsha1': HEX.slice(0, 40),
  'device.didmd5': HEX.slice(0, 32),
  'device.dpidmd5': HEX.slice(0, 32),
  'device.ext.ifa_sha1': HEX.slice(0, 40),
  'device.ext.ifa_md5': HEX.slice(0, 32),
  'user.ext.prebid.buyeruids': { acme: 'buyer-1' },
};

const rows = FIELDS.flatMap((row) => placesOf(row.path).map((place) => ({ ...row, place })));
const blank = snapshotOf(createFacts());

test.each(rows.filter(({ place }) => !place.includes('*')))('$place reads $reads', ({ place, path, reads = [] }) => {
  const facts = createFacts();
  readRequest(requestWith(place, sampleFor(path)), facts, READ_DEFAULTS);
  const { kinds, ...after } = snapshotOf(facts);
  const changed = Object.keys(after).filter((name) => after[name] !== blank[name]);
  const named = reads.filter((read): read is keyof RequestFacts => !BASE_KINDS.includes(read as BaseKind));
  expect(changed).toEqual(named.filter((name) => name !== 'gppWrongType'));
  const wanted = reads.filter((read): read is BaseKind => BASE_KINDS.includes(read as BaseKind));
  expect(wanted.filter((kind) => !(kinds as BaseKind[]).includes(kind))).toEqual([]);
  if (wanted.length === 0) expect(kinds).toEqual([]);
});

test.each(rows.filter(({ reads }) => reads?.includes('gppWrongType')))('$place of a wrong type', ({ place }) => {
  const facts = createFacts();
  readRequest(requestWith(place, 7), facts, READ_DEFAULTS);
  expect(facts.gppWrongType).toBe(true);
});

describe('no key is made of a kind the table does not hold', () => {
  test.each(BASE_KINDS)('%s', (kind) => {
    const facts = createFacts();
    for (const { place, path } of rows.filter(({ place }) => !place.includes('*'))) {
      resetFacts(facts);
      readRequest(requestWith(place, sampleFor(path)), facts, { ...READ_DEFAULTS, kindMask: ~(1 << KIND_TAG[kind]) });
      expect(snapshotOf(facts).kinds).not.toContain(kind);
    }
  });
});

test.each(rows.filter(({ group }) => group !== null))('$place is touched by $group', ({ place, group }) => {
  const request = requestWith(place.replaceAll('*', 'vendor'), [{ junk: 'junk' }]);
  expect(restrictRequest(request, group === null ? [] : [group], RESTRICT_DEFAULTS)).not.toEqual(request);
});

test.each(rows.filter(({ operation }) => operation === 'pass'))('$place always comes through', ({ place }) => {
  const request = requestWith(place, { email: 'jane@doe.com' });
  expect(
    restrictRequest(request, ['ids', 'eids', 'ufpd', 'geo', 'ip', 'tid', 'urls', 'ua'], RESTRICT_DEFAULTS),
  ).toEqual(request);
});

test('3.0 and 2.x places', () => {
  expect(placesOf('device.ifa')).toEqual([
    'device.ifa',
    'openrtb.request.context.device.ifa',
    'ext.prebid.bidderconfig[].config.ortb2.device.ifa',
    'openrtb.request.ext.prebid.bidderconfig[].config.ortb2.device.ifa',
  ]);
  expect(placesOf('imp[].ext.tid')).toEqual(['imp[].ext.tid', 'openrtb.request.item[].ext.tid']);
  expect(placesOf('openrtb.request.cdata')).toEqual(['openrtb.request.cdata']);
});

/** Ids of each length that a digest of a person can have, so that one sample gives every kind of key. */
function sampleFor(path: string): unknown {
  const known = SAMPLES[path] ?? SAMPLES[path.replace('.ext', '')] ?? SAMPLES[path.split('.').slice(-2).join('.')];
  if (known !== undefined) return known;
  if (!path.endsWith('eids')) return UUID;
  const uids: Json[] = [64, 40, 32].map((length) => ({ id: HEX.slice(0, length) }));
  return [{ source: 'example.com', uids: [...uids, { id: UUID, atype: 2 }] }];
}

function requestWith(place: string, value: unknown): Json {
  return place.split('.').reduceRight<unknown>((inner, step) => {
    if (!step.endsWith('[]')) return { [step]: inner };
    return { [step.slice(0, -2)]: [inner] };
  }, value) as Json;
}

function snapshotOf(facts: RequestFacts): Record<string, unknown> {
  const { keys, ...rest } = facts;
  const tags = Array.from({ length: keys.count }, (_, index) => keys.words[5 * index] ?? 0);
  return { ...rest, kinds: [...new Set(tags)].map((tag) => BASE_KINDS[tag - 1]) };
}
