/**
 * The facts of a scanned request: what read.ts reads from an object, from the tape.
 *
 * What must stay true: the same facts as `readRequest` gives for the parsed request; a test holds the two together. Rules
 * for values are those of read.ts. Identifiers that are ASCII without escapes become keys straight from their bytes.
 * @module
 */
import { appendCtvDigests, appendMaidDigests } from '../identity/device-digests.js';
import type { DigestBytes } from '../identity/hex.js';
import { appendAccount, appendDigest, appendEid } from '../identity/key.js';
import { appendAccountAt, appendCtvAt, appendDigestAt, appendEidAt, appendMaidAt } from '../identity/key-bytes.js';
import { parseAtt, parseBinaryFlag } from '../signals/device-flags.js';
import type { FlagState } from '../signals/flag.js';
import { parseGppSid } from '../signals/gpp/sids.js';
import { KIND_TAG } from '../vocabulary.js';
import type { RequestFacts } from './facts.js';
import {
  ACCOUNT,
  addGpp,
  agreed,
  appendDeviceId,
  appendIfa,
  appendPersonDigest,
  CTV,
  DEVICE_IDS,
  EID,
  IN_APP_ID,
  idText,
  isUntrackedIos,
  MAID,
  MAID_DIGESTS,
  MAID_MD5,
  MAID_SHA1,
  MAID_SHA256,
  type ReadOptions,
  SHA1_DIGITS,
  SHA256_DIGITS,
  stricterFlag,
  usPrivacyOf,
} from './read.js';
import { SLOT } from './read-places.js';
import { slots } from './scan.js';
import {
  ARRAY,
  FROM,
  isKey,
  isKind,
  isPlainText,
  NEXT,
  NULL,
  NUMBER,
  OBJECT,
  parsedValue,
  ROW,
  source,
  TEXT,
  TO,
  tape,
} from './tape.js';

/** Stands for an object or array where a text, number or flag is expected. */
const CONTAINER: object = Object.freeze({});

/** HOT. Whether the request that was scanned is a bid request of OpenRTB 2.x; others are not scanned. */
export function isScannedBidRequest(): boolean {
  const row = slots[SLOT.imp]!;
  return row !== 0 && isKind(row, ARRAY);
}

/** HOT. Adds the facts of the request that was scanned last to `facts`, which must be blank. */
export function readScanned(facts: RequestFacts, options: ReadOptions): void {
  const digestMask = options.kindMask & options.digestMask;
  if (isObjectAt(SLOT.regs, facts)) readRegs(facts, options.emptyIsAbsent);
  if (isObjectAt(SLOT.device, facts)) {
    readDevice(facts, options.kindMask, digestMask);
    if (isUntracked()) facts.lmt = 'on';
  }
  if (isObjectAt(SLOT.user, facts)) readUser(facts, options, digestMask);
}

/** HOT. Whether an object to look into stands there. A value of another type makes the request malformed. */
function isObjectAt(slot: number, facts: RequestFacts): boolean {
  const row = slots[slot]!;
  if (row === 0 || isKind(row, NULL)) return false;
  if (isKind(row, OBJECT)) return true;
  facts.malformed = true;
  return false;
}

/** HOT. The value of a slot, where a text, number or flag is expected. */
function scalarAt(slot: number): unknown {
  const row = slots[slot]!;
  return row === 0 ? undefined : scalarOf(row);
}

/** HOT. */
function scalarOf(row: number): unknown {
  const from = tape[row * ROW + FROM]!;
  if (isKind(row, NUMBER) && tape[row * ROW + TO]! - from === 1) return source[from]! - 0x30;
  return isKind(row, OBJECT) || isKind(row, ARRAY) ? CONTAINER : parsedValue(row);
}

/** HOT. */
function flagAt(slot: number): FlagState {
  return slots[slot] === 0 ? 'absent' : parseBinaryFlag(scalarAt(slot));
}

/** HOT. */
function readRegs(facts: RequestFacts, emptyIsAbsent: boolean): void {
  facts.usPrivacy = usPrivacyOf(scalarAt(SLOT['regs.us_privacy']), emptyIsAbsent);
  addGpp(scalarAt(SLOT['regs.gpp']), false, facts, emptyIsAbsent);
  facts.gppSid = parseGppSid(sidsAt(SLOT['regs.gpp_sid']));
  facts.gpc = flagAt(SLOT['regs.gpc']);
  facts.coppa = flagAt(SLOT['regs.coppa']);
  if (!isObjectAt(SLOT['regs.ext'], facts)) return;
  facts.usPrivacyExt = usPrivacyOf(scalarAt(SLOT['regs.ext.us_privacy']), emptyIsAbsent);
  addGpp(scalarAt(SLOT['regs.ext.gpp']), true, facts, emptyIsAbsent);
  facts.gppSidExt = parseGppSid(sidsAt(SLOT['regs.ext.gpp_sid']));
  facts.gpc = stricterFlag(facts.gpc, flagAt(SLOT['regs.ext.gpc']));
  facts.coppa = stricterFlag(facts.coppa, flagAt(SLOT['regs.ext.coppa']));
}

/** HOT. A list of sections is short, so it is made an array. */
function sidsAt(slot: number): unknown {
  const row = slots[slot]!;
  if (row === 0 || !isKind(row, ARRAY)) return scalarAt(slot);
  const sids: unknown[] = [];
  const end = tape[row * ROW + NEXT]!;
  for (let element = row + 1; element < end; element = tape[element * ROW + NEXT]!) sids.push(scalarOf(element));
  return sids;
}

/** HOT. */
function readDevice(facts: RequestFacts, kindMask: number, digestMask: number): void {
  facts.lmt = flagAt(SLOT['device.lmt']);
  facts.dnt = flagAt(SLOT['device.dnt']);
  if (isObjectAt(SLOT['device.geo'], facts)) {
    facts.deviceCountry = agreed(null, scalarAt(SLOT['device.geo.country']));
    facts.deviceRegion = agreed(null, scalarAt(SLOT['device.geo.region']));
  }
  const withIds = (kindMask & DEVICE_IDS) !== 0;
  if (withIds) {
    ifaAt(SLOT['device.ifa'], facts, kindMask, digestMask);
    if ((kindMask & MAID_SHA1) !== 0) {
      digestAt(SLOT['device.didsha1'], facts, KIND_TAG.maid_sha1, 20);
      digestAt(SLOT['device.dpidsha1'], facts, KIND_TAG.maid_sha1, 20);
    }
    if ((kindMask & MAID_MD5) !== 0) {
      digestAt(SLOT['device.didmd5'], facts, KIND_TAG.maid_md5, 16);
      digestAt(SLOT['device.dpidmd5'], facts, KIND_TAG.maid_md5, 16);
    }
  }
  if (!isObjectAt(SLOT['device.ext'], facts)) return;
  facts.att = slots[SLOT['device.ext.atts']] === 0 ? 'absent' : parseAtt(scalarAt(SLOT['device.ext.atts']));
  if (!withIds) return;
  ifaAt(SLOT['device.ext.ifa'], facts, kindMask, digestMask);
  if ((kindMask & MAID_SHA1) !== 0) digestAt(SLOT['device.ext.ifa_sha1'], facts, KIND_TAG.maid_sha1, 20);
  if ((kindMask & MAID_MD5) !== 0) digestAt(SLOT['device.ext.ifa_md5'], facts, KIND_TAG.maid_md5, 16);
  for (let slot = SLOT['device.ext.ifv']; slot <= SLOT['device.ext.oaid']; slot++) {
    if (slots[slot] !== 0) deviceIdOf(slots[slot]!, facts, kindMask, digestMask);
  }
}

/** HOT. As `appendIfa`. */
function ifaAt(slot: number, facts: RequestFacts, kindMask: number, digestMask: number): void {
  const row = slots[slot]!;
  if (row === 0 || !isKind(row, TEXT)) return;
  if (!isUsualText(row)) {
    appendIfa(parsedValue(row), facts, kindMask, digestMask);
    return;
  }
  const { keys } = facts;
  const from = tape[row * ROW + FROM]! + 1;
  const to = tape[row * ROW + TO]! - 1;
  deviceIdOf(row, facts, kindMask, digestMask);
  if ((kindMask & CTV) !== 0) appendCtvAt(keys, source, from, to);
  if (digestMask !== 0) appendCtvDigests(keys, parsedValue(row), digestMask);
  if (to - from === SHA256_DIGITS && (kindMask & MAID_SHA256) !== 0) {
    appendDigestAt(keys, KIND_TAG.maid_sha256, 32, source, from, to);
  }
  if (to - from === SHA1_DIGITS && (kindMask & MAID_SHA1) !== 0) {
    appendDigestAt(keys, KIND_TAG.maid_sha1, 20, source, from, to);
  }
}

/** HOT. As `appendDeviceId`. */
function deviceIdOf(row: number, facts: RequestFacts, kindMask: number, digestMask: number): void {
  if (!isKind(row, TEXT)) return;
  if (!isUsualText(row)) {
    appendDeviceId(parsedValue(row), facts, kindMask, digestMask);
    return;
  }
  if ((kindMask & MAID) !== 0) {
    appendMaidAt(facts.keys, source, tape[row * ROW + FROM]! + 1, tape[row * ROW + TO]! - 1);
  }
  if ((digestMask & MAID_DIGESTS) !== 0) appendMaidDigests(facts.keys, parsedValue(row), digestMask);
}

/** HOT. */
function digestAt(slot: number, facts: RequestFacts, tag: number, digestBytes: DigestBytes): void {
  const row = slots[slot]!;
  if (row === 0 || !isKind(row, TEXT)) return;
  if (!isUsualText(row)) appendDigest(facts.keys, tag, digestBytes, parsedValue(row));
  else {
    const at = row * ROW;
    appendDigestAt(facts.keys, tag, digestBytes, source, tape[at + FROM]! + 1, tape[at + TO]! - 1);
  }
}

/** HOT. A text whose bytes are its characters, without white space around it. */
function isUsualText(row: number): boolean {
  if (!isPlainText(row)) return false;
  const first = source[tape[row * ROW + FROM]! + 1]!;
  const last = source[tape[row * ROW + TO]! - 2]!;
  return first > 0x20 && last > 0x20;
}

/** HOT. As `isUntrackedIos`; certain from a few bytes where the system is not iOS 14. */
function isUntracked(): boolean {
  const os = slots[SLOT['device.os']]!;
  const osv = slots[SLOT['device.osv']]!;
  if (os === 0 || osv === 0 || !isKind(os, TEXT) || !isKind(osv, TEXT)) return false;
  if (isPlainText(os) && tape[os * ROW + TO]! - tape[os * ROW + FROM]! !== 5) return false;
  const first = source[tape[osv * ROW + FROM]! + 1]!;
  if (isPlainText(osv) && first > 0x20 && first !== 0x31) return false;
  const device = { os: parsedValue(os), osv: parsedValue(osv), ifa: scalarAt(SLOT['device.ifa']) };
  return isUntrackedIos({ app: scalarAt(SLOT.app) }, device);
}

/** HOT. */
function readUser(facts: RequestFacts, options: ReadOptions, digestMask: number): void {
  const { kindMask, userIdNamespace, buyerUidNamespace } = options;
  const withAccounts = (kindMask & ACCOUNT) !== 0;
  if (withAccounts && userIdNamespace !== null) accountOf(slots[SLOT['user.id']]!, facts, userIdNamespace);
  if (withAccounts && buyerUidNamespace !== null) accountOf(slots[SLOT['user.buyeruid']]!, facts, buyerUidNamespace);
  if (isObjectAt(SLOT['user.geo'], facts)) {
    facts.userCountry = agreed(null, scalarAt(SLOT['user.geo.country']));
    facts.userRegion = agreed(null, scalarAt(SLOT['user.geo.region']));
  }
  readEids(slots[SLOT['user.eids']]!, facts, kindMask, digestMask);
  if (!isObjectAt(SLOT['user.ext'], facts)) return;
  readEids(slots[SLOT['user.ext.eids']]!, facts, kindMask, digestMask);
  if (!isObjectAt(SLOT['user.ext.prebid'], facts)) return;
  if (!isObjectAt(SLOT['user.ext.prebid.buyeruids'], facts) || !withAccounts || buyerUidNamespace === null) return;
  const row = slots[SLOT['user.ext.prebid.buyeruids']]!;
  const end = tape[row * ROW + NEXT]!;
  for (let uid = row + 1; uid < end; uid = tape[uid * ROW + NEXT]!) accountOf(uid, facts, buyerUidNamespace);
}

/** HOT. */
function accountOf(row: number, facts: RequestFacts, namespace: string): void {
  if (row === 0) return;
  if (!isPlainText(row)) appendAccount(facts.keys, namespace, idText(scalarOf(row)));
  else appendAccountAt(facts.keys, namespace, source, tape[row * ROW + FROM]! + 1, tape[row * ROW + TO]! - 1);
}

/** HOT. */
function readEids(row: number, facts: RequestFacts, kindMask: number, digestMask: number): void {
  if (row === 0 || isKind(row, NULL)) return;
  if (!isKind(row, ARRAY)) {
    facts.malformed = true;
    return;
  }
  const end = tape[row * ROW + NEXT]!;
  for (let eid = row + 1; eid < end; eid = tape[eid * ROW + NEXT]!) {
    if (!isKind(eid, OBJECT)) facts.malformed = true;
    else readUids(eid, facts, kindMask, digestMask);
    if (facts.keys.overflowed) return;
  }
}

/** HOT. */
function readUids(eid: number, facts: RequestFacts, kindMask: number, digestMask: number): void {
  const uids = memberOf(eid, 'uids');
  if (uids === 0 || isKind(uids, NULL)) return;
  if (!isKind(uids, ARRAY)) {
    facts.malformed = true;
    return;
  }
  const eidSource = memberOf(eid, 'source');
  const end = tape[uids * ROW + NEXT]!;
  for (let uid = uids + 1; uid < end; uid = tape[uid * ROW + NEXT]!) {
    if (!isKind(uid, OBJECT)) {
      facts.malformed = true;
      continue;
    }
    const id = memberOf(uid, 'id');
    if (id !== 0) readUid(eidSource, id, memberOf(uid, 'atype'), facts, kindMask, digestMask);
    if (facts.keys.overflowed) return;
  }
}

/** HOT. */
function readUid(
  eidSource: number,
  id: number,
  agentType: number,
  facts: RequestFacts,
  kindMask: number,
  digestMask: number,
): void {
  const isInApp = agentType !== 0 && isKind(agentType, NUMBER) && scalarOf(agentType) === IN_APP_ID;
  const isSourceUsual = eidSource !== 0 && isPlainText(eidSource);
  if (!isUsualText(id) || !isSourceUsual) {
    const text = idText(scalarOf(id));
    if ((kindMask & EID) !== 0) appendEid(facts.keys, eidSource === 0 ? undefined : scalarOf(eidSource), text);
    if (typeof text !== 'string') return;
    appendPersonDigest(text.trim(), facts, kindMask);
    if (isInApp) appendDeviceId(text, facts, kindMask, digestMask);
    return;
  }
  const from = tape[id * ROW + FROM]! + 1;
  const to = tape[id * ROW + TO]! - 1;
  if ((kindMask & EID) !== 0) {
    const at = eidSource * ROW;
    appendEidAt(facts.keys, source, tape[at + FROM]! + 1, tape[at + TO]! - 1, from, to);
  }
  personDigestAt(from, to, facts, kindMask);
  if (isInApp) deviceIdOf(id, facts, kindMask, digestMask);
}

/** HOT. As `appendPersonDigest`. */
function personDigestAt(from: number, to: number, facts: RequestFacts, kindMask: number): void {
  switch (to - from) {
    case 64:
    case 44:
    case 43:
      personKeyAt(KIND_TAG.email_sha256, 32, from, to, facts, kindMask);
      personKeyAt(KIND_TAG.phone_sha256, 32, from, to, facts, kindMask);
      return;
    case 40:
    case 28:
    case 27:
      personKeyAt(KIND_TAG.email_sha1, 20, from, to, facts, kindMask);
      personKeyAt(KIND_TAG.phone_sha1, 20, from, to, facts, kindMask);
      return;
    case 32:
    case 24:
    case 22:
      personKeyAt(KIND_TAG.email_md5, 16, from, to, facts, kindMask);
      return;
    default:
  }
}

/** HOT. */
function personKeyAt(
  tag: number,
  digestBytes: DigestBytes,
  from: number,
  to: number,
  facts: RequestFacts,
  kindMask: number,
): void {
  if ((kindMask & (1 << tag)) !== 0) appendDigestAt(facts.keys, tag, digestBytes, source, from, to);
}

/** HOT. The row of a member, 0 where there is none. */
function memberOf(object: number, name: string): number {
  const end = tape[object * ROW + NEXT]!;
  for (let member = object + 1; member < end; member = tape[member * ROW + NEXT]!) {
    if (isKey(member, name)) return member;
  }
  return 0;
}
