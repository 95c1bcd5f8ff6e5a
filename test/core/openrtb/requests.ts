/**
 * Requests for the tests of openrtb: the real ones, and generated ones that put everything everywhere.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { FIELDS, placesOf } from '../../../src/core/openrtb/fields.js';
import { STRIP_GROUPS, type StripGroup } from '../../../src/core/vocabulary.js';

export type Json = Record<string, unknown>;

/** Request bodies from the test suites of public ad servers; see test/vectors/README.md. */
export const REAL_REQUESTS: readonly { readonly source: string; readonly request: Json }[] = readFileSync(
  'test/vectors/bid-requests.ndjson',
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { source: string; request: Json });

/** Identifiers in every shape; few, so that one often stands in several places. */
export const IDENTIFIERS = [
  '6d92078a-8246-4ba4-ae5b-76104861e7dc',
  '6D92078A82464BA4AE5B76104861E7DC',
  '5837d278eabede28e37b5766399ed0d1a4cdc36acee8d35710a255032f45beda',
  'b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514',
  '0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33',
  'd41d8cd98f00b204e9800998ecf8427f',
  'tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=',
  'jane.doe+ads@example.com',
  'XY1000bIVBVah9ium-sZ3ykhPiXQbEcUpn4GjCtxrrw2BRDGM28',
  'id with space/slash?',
  'Žluťoučký-kůň-42',
  'quoted"id\\with/all',
  'short',
  '00000000-0000-0000-0000-000000000000',
  'testuser1',
] as const;

const identifier = fc.constantFrom(...IDENTIFIERS);

/** Text that holds an identifier in some disguise. */
const disguised = fc
  .tuple(
    identifier,
    fc.constantFrom(
      (id: string) => id,
      (id: string) => id.toUpperCase(),
      (id: string) => id.toLowerCase(),
      (id: string) => encodeURIComponent(id),
      (id: string) => encodeURIComponent(encodeURIComponent(id)),
      (id: string) => `before-${id}-after`,
      (id: string) => `  ${id} `,
      (id: string) => `https://ads.example/x?client=${id.replaceAll(' ', '+')}&gclid=${id}&y=1#top`,
      (id: string) =>
        `{"broken\\/": "${[...id].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}`,
      (id: string) => JSON.stringify({ ext: { ifa: id, eids: [id] }, url: `https://a.example/?email=${id}` }),
      (id: string) => `https://example.com/a?x=${encodeURIComponent(id)}&b=2#frag`,
      (id: string) => `https://${id}@example.com/${id}/?c=1;uid=${id}`,
      (id: string) => JSON.stringify({ ver: '1.2', assets: [{ id: 1, data: { value: id } }], [id]: true }),
      (id: string) => JSON.stringify([JSON.stringify({ deep: id }), 'kept']),
      (id: string) => `{"broken": "${id}`,
    ),
  )
  .map(([id, disguise]) => disguise(id));

const scalar = fc.oneof(
  { weight: 5, arbitrary: identifier },
  { weight: 5, arbitrary: disguised },
  {
    weight: 2,
    arbitrary: fc.constantFrom('193.168.244.1', '2001:db8:85a3::8a2e:370:7334', '::ffff:1.2.3.4', '10.1.2.300'),
  },
  { weight: 2, arbitrary: fc.constantFrom('USA', 'FRA', 'CA', 'Chromium', '1YNN', '1YYN', 'DBABLA~BVQqAAAAAmA.QA') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(0, 1, 2, 3, -1, 7, 37.789123, -122.41945, 12345678901, true, false, null, '1', ''),
  },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.string() },
);

const value = fc.oneof(
  { weight: 12, arbitrary: scalar },
  { weight: 2, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  {
    weight: 3,
    arbitrary: fc.dictionary(
      fc.constantFrom('id', 'uid', 'email', 'name', 'IFA', 'lat', 'zip', '__proto__', 'vendorKey'),
      scalar,
      {
        maxKeys: 3,
      },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.array(
      fc.record(
        {
          source: fc.constantFrom('liveramp.com', 'uidapi.com', 'Pubcid.org', 3),
          uids: fc.oneof(
            fc.array(fc.oneof(fc.record({ id: scalar, atype: fc.constantFrom(1, 2) }), scalar), { maxLength: 3 }),
            scalar,
          ),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<unknown> },
);

/** Places the table says nothing of. */
const OTHER_PLACES = [
  ...['imp[].tagid', 'imp[].banner.format[].w', 'imp[].native.request', 'imp[].ext.gpid', 'imp[].ext.data.pbadslot'],
  ...['imp[].ext.bidder.uid', 'imp[].ext.bidder.userId', 'imp[].ext.prebid.bidder.acme.email', 'imp[].ext.bidder.eids'],
  ...['site.keywords', 'site.ext.vendor.hem', 'site.publisher.ext.id', 'app.bundle', 'app.ext.GAID', 'dooh.venuetype'],
  ...[
    'ext.vendor',
    'ext.phone',
    'ext.prebid.bidderparams.acme.token',
    'source.schain.nodes[].sid',
    'source.ext.omidpn',
  ],
  ...[
    'device.ua',
    'device.model',
    'device.idfa',
    'device.serial',
    'user.unknown',
    'user.geo.email',
    'vendor',
    'cur[]',
    'tmax',
  ],
];
const PLACES = [...FIELDS.map(({ path }) => path), ...OTHER_PLACES].flatMap(placesOf);

/** One value at one place, the case of the last name perhaps changed. */
const assignment = fc.record({
  place: fc.constantFrom(...PLACES).map((place) => place.replaceAll('*', 'vendorThing')),
  value,
  shout: fc.integer({ min: 0, max: 15 }).map((dice) => dice === 0),
});

/** A device for the rule of `lmt`, mostly none. */
const iosDevice = fc.oneof(
  { weight: 9, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({
      os: fc.constantFrom('iOS', 'ios', 'Android'),
      osv: fc.constantFrom('14.0', '14.1.1', '14.2', ' 14.1', 14),
      ifa: fc.constantFrom('', '00000000-0000-0000-0000-000000000000', IDENTIFIERS[0], null),
    }),
  },
);

function isPlain(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A request in any shape, or several at once, with values of any type at every place. */
export const anyRequest: fc.Arbitrary<Json> = fc
  .tuple(fc.array(assignment, { maxLength: 40 }), fc.boolean(), iosDevice)
  .map(([assignments, isWhole, ios]) => {
    const request: Json = isWhole ? { id: 'request-1', imp: [{ id: 'imp-1', banner: { w: 300, h: 250 } }] } : {};
    for (const { place, value, shout } of assignments) assign(request, place, value, shout);
    if (ios !== undefined) request.device = { ...ios, ...(isPlain(request.device) ? request.device : {}) };
    return JSON.parse(JSON.stringify(request)) as Json;
  });

export const anyStrip: fc.Arbitrary<readonly StripGroup[]> = fc.oneof(
  fc.subarray([...STRIP_GROUPS]),
  fc.constant([...STRIP_GROUPS]),
  fc.constantFrom<StripGroup[]>(['ids'], ['eids'], ['ids', 'eids']),
);

/** Sets a value at a place and makes what is missing on the way; gives up where something else is in the way. */
function assign(request: Json, place: string, value: unknown, shout: boolean): void {
  const steps = place.replaceAll('[]', '.[]').split('.');
  let parent: unknown = request;
  for (const [index, step] of steps.entries()) {
    if (typeof parent !== 'object' || parent === null) return;
    const isLast = index === steps.length - 1;
    const fresh = isLast ? value : steps[index + 1] === '[]' ? [] : {};
    if (step === '[]') {
      if (!Array.isArray(parent)) return;
      if (isLast || parent.length === 0) parent.push(fresh);
      parent = parent[0];
    } else {
      const name = shout && isLast ? step.toUpperCase() : step;
      if (isLast || !Object.hasOwn(parent, name)) (parent as Json)[name] = fresh;
      parent = (parent as Json)[name];
    }
  }
}

export function deepFreeze<T>(root: T): T {
  if (typeof root === 'object' && root !== null && !Object.isFrozen(root)) {
    Object.freeze(root);
    for (const inner of Object.values(root)) deepFreeze(inner);
  }
  return root;
}

/** Every key and text that a request would send, but for `id`, `imp[].id` and `regs`, which always stay. */
export function textsOf(request: Json): readonly string[] {
  const { id, regs, imp, ...rest } = request;
  const imps = Array.isArray(imp) ? imp.map((one: unknown) => withoutId(one)) : imp;
  const { openrtb } = rest;
  return [...leaves({ ...rest, openrtb: undefined }), ...leaves(imps), ...leaves(withoutPassed(openrtb))];
}

function withoutPassed(openrtb: unknown): unknown {
  return JSON.parse(
    JSON.stringify(openrtb ?? null, function (this: Json, key: string, inner: unknown) {
      const item = key === 'item' && Array.isArray(inner) ? inner.map((one: unknown) => withoutId(one)) : inner;
      if (key === 'request' && typeof item === 'object' && item !== null) return withoutId(item);
      if (key === 'context' && typeof item === 'object' && item !== null) return { ...item, regs: undefined };
      return item;
    }),
  ) as unknown;
}

function withoutId(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value, id: undefined } : value;
}

function leaves(value: unknown): readonly string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [Array.isArray(value) ? '' : key, ...leaves(inner)]);
}
