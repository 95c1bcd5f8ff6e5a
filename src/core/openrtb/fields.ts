/**
 * THE TABLE of places in a bid request: what is read there, to which strip group it belongs, and what stripping does.
 *
 * A row names its place once, as in OpenRTB 2.x; `placesOf` gives every place where the same thing can stand: the 2.x
 * request, the AdCOM objects of OpenRTB 3.0, and the per-bidder copies in `ext.prebid.bidderconfig`. The rows remove
 * the union of what Prebid Server (Go, Java) and Prebid.js remove, and what none of them does. Names are matched
 * without regard to case when stripping, since many receivers read JSON that way.
 *
 * Adding a place is a row here; field-tree.ts compiles the rows, restrict.ts follows them.
 * @module
 */
import type { Device as Device25 } from 'iab-openrtb/v25';
import type { Device as Device26 } from 'iab-openrtb/v26';
import type { BaseKind, StripGroup } from '../vocabulary.js';
import type { RequestFacts } from './facts.js';

/**
 * What happens to a place when its group is stripped.
 *
 * - `remove`: the member goes.
 * - `coordinate`: two decimals. `ipv4`, `ipv6`: the leading bits. `url`: without ids. `text`: gone if it holds an id.
 * - `major`: the first number of a version. `small`: stays if it is a flag or a small number.
 * - `keep`: stays, though its neighbours (`*`) go.
 * - `pass`: stays exactly as it came, whatever is stripped; not even swept.
 *
 * Of a member that goes or is coarsened, `collect` says which values the rest of the request is swept for.
 */
export type Operation =
  | 'remove'
  | 'coordinate'
  | 'ipv4'
  | 'ipv6'
  | 'url'
  | 'text'
  | 'major'
  | 'small'
  | 'keep'
  | 'pass';

/**
 * Which values of a removed member are identifiers. `all`: every text and long number. `named`: those whose name ends
 * like that of an id, or that have its shape. `listed` (the default): those under a name in id-names.ts. `addresses`: all,
 * and each address of a list by itself.
 */
export type Collect = 'all' | 'named' | 'listed' | 'addresses';

export interface FieldRow {
  /** The place in a 2.x request: `[]` is every element, `*` every member that has no row of its own. */
  readonly path: string;
  /** `null`: no group strips it. */
  readonly group: StripGroup | null;
  readonly operation: Operation;
  /** The fact it sets, or the kinds of key it gives (read.ts). */
  readonly reads?: readonly (keyof RequestFacts | BaseKind)[];
  readonly collect?: Collect;
}

/** Containers of the table that stay when nothing is left in them: their being there says something by itself. */
export const KEPT_WHEN_EMPTY: readonly string[] = [
  ...['imp', 'imp[]', 'imp[].ext', 'site', 'app', 'dooh'],
  ...['openrtb', 'openrtb.request', 'openrtb.request.context'],
];

/** Containers that stay even with a wrong JSON type: without them there is no request. */
export const KEPT_ANY_TYPE: readonly string[] = ['imp', 'imp[]'];

/** Where the members of a 2.x request stand: prefix, and the top-level names found there (2.x name to name there). */
const PLACEMENTS: readonly (readonly [prefix: string, names: Readonly<Record<string, string>>])[] = [
  ['', named('id imp ext source regs device user site app dooh')],
  ['openrtb.request.', { ...named('id ext source'), imp: 'item' }],
  ['openrtb.request.context.', named('regs device user site app dooh')],
  ['ext.prebid.bidderconfig[].config.ortb2.', named('source regs device user site app dooh')],
  ['openrtb.request.ext.prebid.bidderconfig[].config.ortb2.', named('source regs device user site app dooh')],
];

/** Every place a row stands for. A path that begins with `openrtb.` is of OpenRTB 3.0 alone. */
export function placesOf(path: string): readonly string[] {
  if (path.startsWith('openrtb')) return [path];
  const [, top = '', rest = ''] = /^(\w+)(.*)$/.exec(path) ?? [];
  return PLACEMENTS.flatMap(([prefix, names]) => (names[top] === undefined ? [] : [`${prefix}${names[top]}${rest}`]));
}

function named(names: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map((name) => [name, name]));
}

const IFA_KINDS = ['maid', 'ctv', 'maid_sha256', 'maid_sha1'] as const;
const PERSON_DIGESTS = ['email_sha256', 'email_sha1', 'email_md5', 'phone_sha256', 'phone_sha1'] as const;
const EID_KINDS = ['eid', 'maid', ...PERSON_DIGESTS] as const;

/** What a request says about itself: read, and never stripped. */
const SIGNALS: readonly FieldRow[] = [
  { path: 'id', group: null, operation: 'pass' },
  { path: 'imp[].id', group: null, operation: 'pass' },
  { path: 'regs', group: null, operation: 'pass' },
  { path: 'regs.us_privacy', group: null, operation: 'pass', reads: ['usPrivacy'] },
  { path: 'regs.ext.us_privacy', group: null, operation: 'pass', reads: ['usPrivacyExt'] },
  { path: 'regs.gpp', group: null, operation: 'pass', reads: ['gpp', 'gppWrongType'] },
  { path: 'regs.ext.gpp', group: null, operation: 'pass', reads: ['gppExt', 'gppWrongType'] },
  { path: 'regs.gpp_sid', group: null, operation: 'pass', reads: ['gppSid'] },
  { path: 'regs.ext.gpp_sid', group: null, operation: 'pass', reads: ['gppSidExt'] },
  { path: 'regs.gpc', group: null, operation: 'pass', reads: ['gpc'] },
  { path: 'regs.ext.gpc', group: null, operation: 'pass', reads: ['gpc'] },
  { path: 'regs.coppa', group: null, operation: 'pass', reads: ['coppa'] },
  { path: 'regs.ext.coppa', group: null, operation: 'pass', reads: ['coppa'] },
  { path: 'device.lmt', group: null, operation: 'keep', reads: ['lmt'] },
  { path: 'device.dnt', group: null, operation: 'keep', reads: ['dnt'] },
];

/** What AdCOM calls `devicetype`, `language` and `connectiontype`. */
const ADCOM_NAMES = ['type', 'lang', 'contype'] as const;
type KnownDeviceField = keyof Device25 | keyof Device26 | (typeof ADCOM_NAMES)[number];

/** What a Device has in OpenRTB 2.2 to 2.6 and AdCOM 1.0 that names no device, where no other row speaks of it. */
const DEVICE_KEPT = [
  ...['ua', 'devicetype', 'make', 'model', 'os', 'osv', 'hwv', 'h', 'w', 'ppi', 'pxratio', 'js', 'geofetch'],
  ...['flashver', 'language', 'langb', 'connectiontype'],
  ...ADCOM_NAMES,
] as const satisfies readonly KnownDeviceField[];

const DEVICE: readonly FieldRow[] = [
  { path: 'device.*', group: 'ids', operation: 'remove', collect: 'all' },
  ...DEVICE_KEPT.map((name): FieldRow => ({ path: `device.${name}`, group: null, operation: 'keep' })),
  ...['device.ifa', 'device.ext.ifa'].map(
    (path): FieldRow => ({ path, group: 'ids', operation: 'remove', collect: 'all', reads: IFA_KINDS }),
  ),
  { path: 'device.ext.ifa_sha1', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_sha1'] },
  { path: 'device.ext.ifa_md5', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_md5'] },
  { path: 'device.didsha1', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_sha1'] },
  { path: 'device.dpidsha1', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_sha1'] },
  { path: 'device.didmd5', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_md5'] },
  { path: 'device.dpidmd5', group: 'ids', operation: 'remove', collect: 'all', reads: ['maid_md5'] },
  { path: 'device.macsha1', group: 'ids', operation: 'remove', collect: 'all' },
  { path: 'device.macmd5', group: 'ids', operation: 'remove', collect: 'all' },
  { path: 'device.ip', group: 'ip', operation: 'ipv4', collect: 'addresses' },
  { path: 'device.ipv6', group: 'ip', operation: 'ipv6', collect: 'addresses' },
  { path: 'device.xff', group: 'ip', operation: 'remove', collect: 'addresses' },
  { path: 'device.iptr', group: 'ip', operation: 'remove' },
  { path: 'device.carrier', group: 'ua', operation: 'remove' },
  { path: 'device.mccmnc', group: 'ua', operation: 'remove' },
  { path: 'device.mccmncsim', group: 'ua', operation: 'remove' },
  { path: 'device.ext.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'device.ext.atts', group: 'ids', operation: 'small', collect: 'named', reads: ['att'] },
  { path: 'device.ext.vpw', group: 'ids', operation: 'small', collect: 'named' },
  { path: 'device.ext.vph', group: 'ids', operation: 'small', collect: 'named' },
  { path: 'device.ext.orientation', group: 'ids', operation: 'small', collect: 'named' },
  { path: 'device.ext.prebid.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'device.ext.prebid.interstitial.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'device.ext.prebid.interstitial.minwidthperc', group: 'ids', operation: 'small', collect: 'named' },
  { path: 'device.ext.prebid.interstitial.minheightperc', group: 'ids', operation: 'small', collect: 'named' },
  ...['ifv', 'idfa', 'idfv', 'gaid', 'aaid', 'adid', 'oaid'].map(
    (name): FieldRow => ({
      path: `device.ext.${name}`,
      group: 'ids',
      operation: 'remove',
      collect: 'all',
      reads: ['maid'],
    }),
  ),
  ...clientHints('device.sua'),
  ...clientHints('device.ext.sua'),
  ...geography('device.geo', 'deviceCountry', 'deviceRegion'),
];

const USER: readonly FieldRow[] = [
  { path: 'user.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'user.id', group: 'ids', operation: 'remove', collect: 'all', reads: ['account'] },
  { path: 'user.buyeruid', group: 'ids', operation: 'remove', collect: 'all', reads: ['account'] },
  { path: 'user.consent', group: null, operation: 'keep' },
  { path: 'user.eids', group: 'eids', operation: 'remove', collect: 'named', reads: EID_KINDS },
  { path: 'user.data', group: 'ufpd', operation: 'remove' },
  { path: 'user.keywords', group: 'ufpd', operation: 'remove' },
  { path: 'user.kwarray', group: 'ufpd', operation: 'remove' },
  { path: 'user.yob', group: 'ufpd', operation: 'remove' },
  { path: 'user.gender', group: 'ufpd', operation: 'remove' },
  // the bidder's own cookie data: an id as often as a profile
  { path: 'user.customdata', group: 'ufpd', operation: 'remove' },
  { path: 'user.customdata', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'user.geo', group: 'ufpd', operation: 'remove' },
  ...geography('user.geo', 'userCountry', 'userRegion'),
  { path: 'user.ext.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'user.ext.consent', group: null, operation: 'keep' },
  { path: 'user.ext.gdpr', group: 'ids', operation: 'small', collect: 'named' },
  { path: 'user.ext.ConsentedProvidersSettings', group: null, operation: 'keep' },
  { path: 'user.ext.consented_providers_settings', group: null, operation: 'keep' },
  { path: 'user.ext.eids', group: 'eids', operation: 'remove', collect: 'named', reads: EID_KINDS },
  { path: 'user.ext.data', group: 'ufpd', operation: 'remove' },
  { path: 'user.ext.prebid.*', group: 'ids', operation: 'remove', collect: 'named' },
  { path: 'user.ext.prebid.buyeruids', group: 'ids', operation: 'remove', collect: 'all', reads: ['account'] },
];

const SOURCE: readonly FieldRow[] = [
  { path: 'source.tid', group: 'tid', operation: 'remove', collect: 'all' },
  { path: 'source.ext.tidSource', group: 'tid', operation: 'remove' },
  { path: 'imp[].ext.tid', group: 'tid', operation: 'remove', collect: 'all' },
  { path: 'imp[].ext.tidSource', group: 'tid', operation: 'remove' },
  { path: 'imp[].ext.prebid.tid', group: 'tid', operation: 'remove', collect: 'all' },
];

/** Contextual by intent, so keywords and categories stay; segments and first-party data may be of the person. */
const INVENTORY: readonly FieldRow[] = ['site', 'app', 'dooh'].flatMap((top): readonly FieldRow[] => [
  { path: `${top}.content.url`, group: 'urls', operation: 'url' },
  { path: `${top}.content.data`, group: 'ufpd', operation: 'remove' },
  { path: `${top}.ext.data`, group: 'ufpd', operation: 'remove' },
]);

const REQUEST: readonly FieldRow[] = [
  { path: 'site.page', group: 'urls', operation: 'url' },
  { path: 'site.ref', group: 'urls', operation: 'url' },
  { path: 'site.search', group: 'urls', operation: 'text' },
  { path: 'app.storeurl', group: 'urls', operation: 'url' },
  { path: 'ext.prebid.data.eidpermissions', group: 'eids', operation: 'remove' },
  { path: 'openrtb.request.cdata', group: 'ufpd', operation: 'remove' },
  { path: 'openrtb.request.cdata', group: 'ids', operation: 'remove', collect: 'named' },
];

/** Every row. Order does not matter: a name beats `*`, and two rows for one place both hold. */
export const FIELDS: readonly FieldRow[] = [...SIGNALS, ...DEVICE, ...USER, ...SOURCE, ...INVENTORY, ...REQUEST];

/** A geo object, by allow-list: country, region and time zone stay, coordinates lose precision, all else goes. */
function geography(path: string, country: keyof RequestFacts, region: keyof RequestFacts): readonly FieldRow[] {
  return [
    { path: `${path}.*`, group: 'geo', operation: 'remove' },
    { path: `${path}.lat`, group: 'geo', operation: 'coordinate' },
    { path: `${path}.lon`, group: 'geo', operation: 'coordinate' },
    { path: `${path}.country`, group: null, operation: 'keep', reads: [country] },
    { path: `${path}.region`, group: null, operation: 'keep', reads: [region] },
    { path: `${path}.regionfips104`, group: null, operation: 'keep' },
    { path: `${path}.type`, group: 'geo', operation: 'small' },
    { path: `${path}.utcoffset`, group: 'geo', operation: 'small' },
  ];
}

/** Structured user agent, by allow-list: brands and major versions, as in low-entropy client hints. */
function clientHints(path: string): readonly FieldRow[] {
  return [
    { path: `${path}.*`, group: 'ua', operation: 'remove' },
    { path: `${path}.mobile`, group: 'ua', operation: 'small' },
    { path: `${path}.source`, group: 'ua', operation: 'small' },
    { path: `${path}.browsers[].*`, group: 'ua', operation: 'remove' },
    { path: `${path}.browsers[].brand`, group: null, operation: 'keep' },
    { path: `${path}.browsers[].version`, group: 'ua', operation: 'major' },
    { path: `${path}.platform.*`, group: 'ua', operation: 'remove' },
    { path: `${path}.platform.brand`, group: null, operation: 'keep' },
    { path: `${path}.platform.version`, group: 'ua', operation: 'major' },
  ];
}
