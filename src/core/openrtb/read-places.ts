/**
 * The places of which the reader of bytes remembers where their values stand, each with a number of its own, its slot.
 * The rows of fields.ts that read something must all be here; a test holds the two together.
 * @module
 */

/** Places that are read, in the order of their slots, and the objects they stand in. */
const READ_PATHS = [
  ...['imp', 'app', 'regs', 'regs.ext', 'device', 'device.geo', 'device.ext', 'user', 'user.geo', 'user.ext'],
  ...['regs.us_privacy', 'regs.gpp', 'regs.gpp_sid', 'regs.gpc', 'regs.coppa'],
  ...['regs.ext.us_privacy', 'regs.ext.gpp', 'regs.ext.gpp_sid', 'regs.ext.gpc', 'regs.ext.coppa'],
  ...['device.lmt', 'device.dnt', 'device.os', 'device.osv', 'device.ifa', 'device.ext.atts', 'device.ext.ifa'],
  ...['device.didsha1', 'device.dpidsha1', 'device.didmd5', 'device.dpidmd5'],
  ...['device.ext.ifa_sha1', 'device.ext.ifa_md5', 'device.ext.ifv', 'device.ext.idfa', 'device.ext.idfv'],
  ...['device.ext.gaid', 'device.ext.aaid', 'device.ext.adid', 'device.ext.oaid'],
  ...['device.geo.country', 'device.geo.region', 'user.geo.country', 'user.geo.region'],
  ...['user.id', 'user.buyeruid', 'user.eids', 'user.ext.eids', 'user.ext.prebid', 'user.ext.prebid.buyeruids'],
] as const;
export type ReadPath = (typeof READ_PATHS)[number];

/** Places that mean several requests in one, which are not scanned but parsed. */
export const LAYERED_PATHS: readonly string[] = ['openrtb', 'ext.prebid.bidderconfig'];

/** Slots 1 to `SLOT_COUNT - 1`; 0 is every other place. */
export const SLOT_COUNT = READ_PATHS.length + 1;
export const SLOT = Object.fromEntries(READ_PATHS.map((path, index) => [path, index + 1])) as Readonly<
  Record<ReadPath, number>
>;
