/**
 * Reads the facts of a bid request: OpenRTB 2.x, the AdCOM objects of 3.0, or both at once. The places are those of
 * fields.ts, written out for speed; a test holds the two together.
 *
 * What must stay true: nothing in a request makes it throw (getters of the caller's own aside), a plain request
 * allocates nothing, and where two places disagree the stricter one counts. `null` is absent, as encoders write it.
 * @module
 */
import { appendCtvDigests, appendMaidDigests } from '../identity/device-digests.js';
import { appendAccount, appendCtv, appendDigest, appendEid, appendMaid } from '../identity/key.js';
import { parseAtt, parseBinaryFlag } from '../signals/device-flags.js';
import type { FlagState } from '../signals/flag.js';
import { parseRegsGpc } from '../signals/gpc.js';
import { type GppSidSet, parseGppSid } from '../signals/gpp/sids.js';
import { parseUsPrivacy, US_PRIVACY_ABSENT, type UsPrivacy } from '../signals/us-privacy.js';
import { KIND_TAG } from '../vocabulary.js';
import type { RequestFacts } from './facts.js';
import { isJsonObject, type JsonObject } from './json.js';

export interface ReadOptions {
  /** Kinds that the table holds, a bit `1 << tag` for each; no key is made of any other kind. */
  readonly kindMask: number;
  /** Kinds of digest worth computing from a clear device id; a digest that came with its clear value is found by that. */
  readonly digestMask: number;
  /** `account:<namespace>` of `user.id`; `null`: it is not looked up. */
  readonly userIdNamespace: string | null;
  /** The same for `user.buyeruid` and the values of `user.ext.prebid.buyeruids`. */
  readonly buyerUidNamespace: string | null;
  /** `""` in `us_privacy` and `gpp` is taken as absent, not as malformed. */
  readonly emptyIsAbsent: boolean;
}

/** Looks up every kind, under the name spaces of the default policy. */
export const READ_DEFAULTS: ReadOptions = Object.freeze({
  kindMask: -1,
  digestMask: -1,
  userIdNamespace: 'user.id',
  buyerUidNamespace: 'user.buyeruid',
  emptyIsAbsent: false,
});

export const MAID: number = 1 << KIND_TAG.maid;
export const CTV: number = 1 << KIND_TAG.ctv;
export const MAID_SHA1: number = 1 << KIND_TAG.maid_sha1;
export const MAID_MD5: number = 1 << KIND_TAG.maid_md5;
export const MAID_SHA256: number = 1 << KIND_TAG.maid_sha256;
export const MAID_DIGESTS: number = MAID_SHA256 | MAID_SHA1 | MAID_MD5;
export const DEVICE_IDS: number = MAID | CTV | MAID_DIGESTS | (1 << KIND_TAG.ctv_sha256);
export const EID: number = 1 << KIND_TAG.eid;
export const ACCOUNT: number = 1 << KIND_TAG.account;

/** Hexadecimal digits of a digest. */
export const SHA256_DIGITS: number = 64;
export const SHA1_DIGITS: number = 40;
/** AdCOM 1.0, Agent Types: an id of the device, usually as apps see it. */
export const IN_APP_ID: number = 2;
const IOS_14_0_OR_1 = /^\s*14\.[01](?![0-9])/;
const NO_IFA = /^[\s0-]*$/;

/** HOT. Adds the facts of one request to `facts`, which must be blank (`resetFacts`). */
export function readRequest(request: unknown, facts: RequestFacts, options: ReadOptions): void {
  if (!isJsonObject(request)) {
    facts.malformed = true;
    return;
  }
  readContext(request, facts, options);
  if (request.openrtb !== undefined) {
    const layered = containerOf(containerOf(request.openrtb, facts)?.request, facts);
    const context = containerOf(layered?.context, facts);
    if (context !== null) readContext(context, facts, options);
    if (layered !== null) readBidderConfigs(layered.ext, facts, options);
  }
  readBidderConfigs(request.ext, facts, options);
}

/** HOT. `regs`, `device` and `user` of a 2.x request, or of the context of a 3.0 one. */
function readContext(context: JsonObject, facts: RequestFacts, options: ReadOptions): void {
  const regs = containerOf(context.regs, facts);
  if (regs !== null) readRegs(regs, facts, options.emptyIsAbsent);
  const device = containerOf(context.device, facts);
  if (device !== null) {
    readDevice(device, facts, options.kindMask, options.kindMask & options.digestMask);
    if (isUntrackedIos(context, device)) facts.lmt = 'on';
  }
  const user = containerOf(context.user, facts);
  if (user !== null) readUser(user, facts, options);
}

/** What Prebid may merge into the request of some bidders, in `ext` of the request. */
function readBidderConfigs(ext: unknown, facts: RequestFacts, options: ReadOptions): void {
  if (!isJsonObject(ext) || !isJsonObject(ext.prebid)) return;
  const configs = ext.prebid.bidderconfig;
  if (!Array.isArray(configs)) return;
  for (let index = 0; index < configs.length && !facts.keys.overflowed; index++) {
    const config: unknown = configs[index];
    if (!isJsonObject(config) || !isJsonObject(config.config)) continue;
    const { ortb2 } = config.config;
    if (isJsonObject(ortb2)) readContext(ortb2, facts, options);
  }
}

/** HOT. An object to look into, or `null` where there is none. A value of another type makes the request malformed. */
function containerOf(value: unknown, facts: RequestFacts): JsonObject | null {
  if (value === undefined || value === null) return null;
  if (isJsonObject(value)) return value;
  facts.malformed = true;
  return null;
}

/** HOT. */
function readRegs(regs: JsonObject, facts: RequestFacts, emptyIsAbsent: boolean): void {
  facts.usPrivacy = stricterUsPrivacy(facts.usPrivacy, usPrivacyOf(regs.us_privacy, emptyIsAbsent));
  addGpp(regs.gpp, false, facts, emptyIsAbsent);
  facts.gppSid = unionOfSids(facts.gppSid, parseGppSid(regs.gpp_sid));
  facts.gpc = stricterFlag(facts.gpc, parseRegsGpc(regs.gpc));
  facts.coppa = stricterFlag(facts.coppa, parseBinaryFlag(regs.coppa));
  const ext = containerOf(regs.ext, facts);
  if (ext === null) return;
  facts.usPrivacyExt = stricterUsPrivacy(facts.usPrivacyExt, usPrivacyOf(ext.us_privacy, emptyIsAbsent));
  addGpp(ext.gpp, true, facts, emptyIsAbsent);
  facts.gppSidExt = unionOfSids(facts.gppSidExt, parseGppSid(ext.gpp_sid));
  facts.gpc = stricterFlag(facts.gpc, parseRegsGpc(ext.gpc));
  facts.coppa = stricterFlag(facts.coppa, parseBinaryFlag(ext.coppa));
}

/** HOT. */
export function usPrivacyOf(value: unknown, emptyIsAbsent: boolean): UsPrivacy {
  return emptyIsAbsent && value === '' ? US_PRIVACY_ABSENT : parseUsPrivacy(value);
}

/** HOT. An opt-out before a malformed string, that before any other, and anything before none. */
function stricterUsPrivacy(first: UsPrivacy, second: UsPrivacy): UsPrivacy {
  if (second.kind === 'absent') return first;
  if (first.kind === 'absent') return second;
  if (first.kind === 'parsed' && first.saleOptOut === true) return first;
  if (second.kind === 'parsed' && second.saleOptOut === true) return second;
  return first.kind === 'malformed' ? first : second;
}

/** HOT. `on`, then `malformed`, then `off`, then `absent`. */
export function stricterFlag(first: FlagState, second: FlagState): FlagState {
  if (first === 'on' || second === 'absent') return first;
  if (second === 'on' || first === 'absent') return second;
  return first === 'malformed' ? first : second;
}

/** HOT. Facts hold two GPP strings. A third that differs from both cannot be judged, so the request is malformed. */
export function addGpp(value: unknown, inExt: boolean, facts: RequestFacts, emptyIsAbsent: boolean): void {
  if (value === undefined || value === null || (emptyIsAbsent && value === '')) return;
  if (typeof value !== 'string') {
    facts.gppWrongType = true;
    return;
  }
  if (inExt && facts.gppExt === null) facts.gppExt = value;
  else if (facts.gpp === null) facts.gpp = value;
  else if (value === facts.gpp || value === facts.gppExt) return;
  else if (facts.gppExt === null || facts.gppExt === facts.gpp) facts.gppExt = value;
  else facts.malformed = true;
}

/** HOT. All that either lists. */
function unionOfSids(first: GppSidSet, second: GppSidSet): GppSidSet {
  return (first | second) as GppSidSet;
}

/** HOT. */
function readDevice(device: JsonObject, facts: RequestFacts, kindMask: number, digestMask: number): void {
  const { keys } = facts;
  facts.lmt = stricterFlag(facts.lmt, parseBinaryFlag(device.lmt));
  facts.dnt = stricterFlag(facts.dnt, parseBinaryFlag(device.dnt));
  const geo = containerOf(device.geo, facts);
  if (geo !== null) {
    facts.deviceCountry = agreed(facts.deviceCountry, geo.country);
    facts.deviceRegion = agreed(facts.deviceRegion, geo.region);
  }
  if ((kindMask & DEVICE_IDS) !== 0) {
    appendIfa(device.ifa, facts, kindMask, digestMask);
    if ((kindMask & MAID_SHA1) !== 0) {
      appendDigest(keys, KIND_TAG.maid_sha1, 20, device.didsha1);
      appendDigest(keys, KIND_TAG.maid_sha1, 20, device.dpidsha1);
    }
    if ((kindMask & MAID_MD5) !== 0) {
      appendDigest(keys, KIND_TAG.maid_md5, 16, device.didmd5);
      appendDigest(keys, KIND_TAG.maid_md5, 16, device.dpidmd5);
    }
  }
  const ext = containerOf(device.ext, facts);
  if (ext === null) return;
  facts.att = stricterFlag(facts.att, parseAtt(ext.atts));
  if ((kindMask & DEVICE_IDS) === 0) return;
  appendIfa(ext.ifa, facts, kindMask, digestMask);
  if ((kindMask & MAID_SHA1) !== 0) appendDigest(keys, KIND_TAG.maid_sha1, 20, ext.ifa_sha1);
  if ((kindMask & MAID_MD5) !== 0) appendDigest(keys, KIND_TAG.maid_md5, 16, ext.ifa_md5);
  appendDeviceId(ext.ifv, facts, kindMask, digestMask);
  appendDeviceId(ext.idfa, facts, kindMask, digestMask);
  appendDeviceId(ext.idfv, facts, kindMask, digestMask);
  appendDeviceId(ext.gaid, facts, kindMask, digestMask);
  appendDeviceId(ext.aaid, facts, kindMask, digestMask);
  appendDeviceId(ext.adid, facts, kindMask, digestMask);
  appendDeviceId(ext.oaid, facts, kindMask, digestMask);
}

/** HOT. The id for advertising: of a mobile device, of a television, or the digest of one. */
export function appendIfa(ifa: unknown, facts: RequestFacts, kindMask: number, digestMask: number): void {
  if (typeof ifa !== 'string') return;
  const { keys } = facts;
  appendDeviceId(ifa, facts, kindMask, digestMask);
  if ((kindMask & CTV) !== 0) appendCtv(keys, ifa);
  appendCtvDigests(keys, ifa, digestMask);
  if (ifa.length < SHA1_DIGITS) return;
  const { length } = ifa.trim();
  if (length === SHA256_DIGITS && (kindMask & MAID_SHA256) !== 0) appendDigest(keys, KIND_TAG.maid_sha256, 32, ifa);
  if (length === SHA1_DIGITS && (kindMask & MAID_SHA1) !== 0) appendDigest(keys, KIND_TAG.maid_sha1, 20, ifa);
}

/**
 * HOT. An app on iOS 14.0 or 14.1 that shows no advertising id: the person has limited tracking. Prebid Server sets `lmt`
 * there; later versions say it in `device.ext.atts`.
 */
export function isUntrackedIos(context: JsonObject, device: JsonObject): boolean {
  const { os, osv, ifa } = device;
  if (typeof os !== 'string' || os.length !== 3 || os.toLowerCase() !== 'ios') return false;
  if (typeof osv !== 'string' || !IOS_14_0_OR_1.test(osv)) return false;
  if (context.app === undefined || context.app === null) return false;
  return typeof ifa !== 'string' || NO_IFA.test(ifa);
}

/** HOT. */
export function appendDeviceId(value: unknown, facts: RequestFacts, kindMask: number, digestMask: number): void {
  if (typeof value !== 'string') return;
  if ((kindMask & MAID) !== 0) appendMaid(facts.keys, value);
  if ((digestMask & MAID_DIGESTS) !== 0) appendMaidDigests(facts.keys, value, digestMask);
}

/** HOT. What two places say of one country or region. Where they disagree it is empty, which is no place at all. */
export function agreed(first: string | null, second: unknown): string | null {
  if (typeof second !== 'string') return first;
  return first === null || first === second ? second : '';
}

/** HOT. */
function readUser(user: JsonObject, facts: RequestFacts, options: ReadOptions): void {
  const { kindMask, userIdNamespace, buyerUidNamespace } = options;
  const digestMask = kindMask & options.digestMask;
  const withAccounts = (kindMask & ACCOUNT) !== 0;
  if (withAccounts && userIdNamespace !== null) appendAccount(facts.keys, userIdNamespace, idText(user.id));
  if (withAccounts && buyerUidNamespace !== null) appendAccount(facts.keys, buyerUidNamespace, idText(user.buyeruid));
  const geo = containerOf(user.geo, facts);
  if (geo !== null) {
    facts.userCountry = agreed(facts.userCountry, geo.country);
    facts.userRegion = agreed(facts.userRegion, geo.region);
  }
  readEids(user.eids, facts, kindMask, digestMask);
  const ext = containerOf(user.ext, facts);
  if (ext === null) return;
  readEids(ext.eids, facts, kindMask, digestMask);
  const prebid = containerOf(ext.prebid, facts);
  if (prebid === null) return;
  const buyeruids = containerOf(prebid.buyeruids, facts);
  if (buyeruids === null || !withAccounts || buyerUidNamespace === null) return;
  for (const bidder in buyeruids) appendAccount(facts.keys, buyerUidNamespace, idText(buyeruids[bidder]));
}

/** HOT. An id as text. The specification has texts only, but some senders write their numeric ids as numbers. */
export function idText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value;
}

/** HOT. */
function readEids(eids: unknown, facts: RequestFacts, kindMask: number, digestMask: number): void {
  if (eids === undefined || eids === null) return;
  if (!Array.isArray(eids)) {
    facts.malformed = true;
    return;
  }
  for (let index = 0; index < eids.length; index++) {
    const eid: unknown = eids[index];
    if (!isJsonObject(eid)) facts.malformed = true;
    else readUids(eid, facts, kindMask, digestMask);
    if (facts.keys.overflowed) return;
  }
}

/** HOT. */
function readUids(eid: JsonObject, facts: RequestFacts, kindMask: number, digestMask: number): void {
  const { source, uids } = eid;
  if (uids === undefined || uids === null) return;
  if (!Array.isArray(uids)) {
    facts.malformed = true;
    return;
  }
  for (let index = 0; index < uids.length; index++) {
    const uid: unknown = uids[index];
    if (!isJsonObject(uid)) {
      facts.malformed = true;
      continue;
    }
    const id = idText(uid.id);
    if ((kindMask & EID) !== 0) appendEid(facts.keys, source, id);
    if (typeof id === 'string') {
      appendPersonDigest(id.trim(), facts, kindMask);
      if (uid.atype === IN_APP_ID) appendDeviceId(id, facts, kindMask, digestMask);
    }
    if (facts.keys.overflowed) return;
  }
}

/** HOT. An id as long as a digest may be the digest of an e-mail address or phone number, whoever the source is. */
export function appendPersonDigest(id: string, facts: RequestFacts, kindMask: number): void {
  switch (id.length) {
    case 64:
    case 44:
    case 43:
      if ((kindMask & (1 << KIND_TAG.email_sha256)) !== 0) appendDigest(facts.keys, KIND_TAG.email_sha256, 32, id);
      if ((kindMask & (1 << KIND_TAG.phone_sha256)) !== 0) appendDigest(facts.keys, KIND_TAG.phone_sha256, 32, id);
      return;
    case 40:
    case 28:
    case 27:
      if ((kindMask & (1 << KIND_TAG.email_sha1)) !== 0) appendDigest(facts.keys, KIND_TAG.email_sha1, 20, id);
      if ((kindMask & (1 << KIND_TAG.phone_sha1)) !== 0) appendDigest(facts.keys, KIND_TAG.phone_sha1, 20, id);
      return;
    case 32:
    case 24:
    case 22:
      if ((kindMask & (1 << KIND_TAG.email_md5)) !== 0) appendDigest(facts.keys, KIND_TAG.email_md5, 16, id);
      return;
    default:
  }
}
