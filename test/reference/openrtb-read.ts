/**
 * The obvious way to read the facts of a bid request: look up one path after another, in every kind of request.
 * @module
 */
import { appendCtvDigests, appendMaidDigests } from '../../src/core/identity/device-digests.js';
import {
  appendAccount,
  appendCtv,
  appendDigest,
  appendEid,
  appendMaid,
  createKeyList,
} from '../../src/core/identity/key.js';
import type { RequestFacts } from '../../src/core/openrtb/facts.js';
import type { ReadOptions } from '../../src/core/openrtb/read.js';
import { parseAtt, parseBinaryFlag } from '../../src/core/signals/device-flags.js';
import type { FlagState } from '../../src/core/signals/flag.js';
import { parseGppSid } from '../../src/core/signals/gpp/sids.js';
import { parseUsPrivacy, type UsPrivacy } from '../../src/core/signals/us-privacy.js';
import { type BaseKind, KIND_TAG } from '../../src/core/vocabulary.js';

/** The facts in a form that can be compared: keys as sorted text, GPP strings as a set. */
export interface PlainFacts {
  readonly malformed: boolean;
  readonly usPrivacy: string;
  readonly usPrivacyExt: string;
  readonly gppWrongType: boolean;
  /** Facts hold two; a request with more is malformed. */
  readonly gpps: readonly string[];
  readonly sids: number;
  readonly flags: readonly FlagState[];
  readonly geography: readonly (string | null)[];
  readonly overflowed: boolean;
  readonly keys: readonly string[];
}

export function plainFactsOf(facts: RequestFacts): PlainFacts {
  return {
    malformed: facts.malformed,
    usPrivacy: usPrivacyText(facts.usPrivacy),
    usPrivacyExt: usPrivacyText(facts.usPrivacyExt),
    gppWrongType: facts.gppWrongType,
    gpps: distinct([facts.gpp, facts.gppExt].filter((gpp) => gpp !== null)),
    sids: facts.gppSid | facts.gppSidExt,
    flags: [facts.gpc, facts.coppa, facts.lmt, facts.dnt, facts.att],
    geography: [facts.deviceCountry, facts.deviceRegion, facts.userCountry, facts.userRegion],
    overflowed: facts.keys.overflowed,
    keys: facts.keys.overflowed ? [] : keyTexts(facts.keys.words, facts.keys.count),
  };
}

/** What `readRequest` must find. */
export function plainRead(request: unknown, options: ReadOptions): PlainFacts {
  const contexts = [request, at(request, 'openrtb', 'request', 'context')];
  for (const top of [request, at(request, 'openrtb', 'request')]) {
    const configs = at(top, 'ext', 'prebid', 'bidderconfig');
    if (Array.isArray(configs)) contexts.push(...configs.map((config) => at(config, 'config', 'ortb2')));
  }
  const all = (...path: string[]): unknown[] => contexts.map((context) => at(context, ...path));

  const gppValues = [...all('regs', 'gpp'), ...all('regs', 'ext', 'gpp')].filter(
    (gpp) => !isAbsent(gpp) && !(options.emptyIsAbsent && gpp === ''),
  );
  const gpps = distinct(gppValues.filter((gpp) => typeof gpp === 'string'));
  const eids = [...all('user', 'eids'), ...all('user', 'ext', 'eids')].filter((value) => !isAbsent(value));
  const list = readKeys(all, eids, options);
  return {
    malformed: !isObject(request) || hasWrongContainer(contexts, request) || eids.some(hasWrongEid) || gpps.length > 2,
    usPrivacy: strictestUsPrivacy(all('regs', 'us_privacy'), options.emptyIsAbsent),
    usPrivacyExt: strictestUsPrivacy(all('regs', 'ext', 'us_privacy'), options.emptyIsAbsent),
    gppWrongType: gppValues.some((gpp) => typeof gpp !== 'string'),
    gpps,
    sids: [...all('regs', 'gpp_sid'), ...all('regs', 'ext', 'gpp_sid')].reduce<number>(
      (union, sids) => union | parseGppSid(sids),
      0,
    ),
    flags: [
      strictest([...all('regs', 'gpc'), ...all('regs', 'ext', 'gpc')].map(parseBinaryFlag)),
      strictest([...all('regs', 'coppa'), ...all('regs', 'ext', 'coppa')].map(parseBinaryFlag)),
      contexts.some(isUntrackedIos) ? 'on' : strictest(all('device', 'lmt').map(parseBinaryFlag)),
      strictest(all('device', 'dnt').map(parseBinaryFlag)),
      strictest(all('device', 'ext', 'atts').map(parseAtt)),
    ],
    geography: ['device', 'user'].flatMap((who) => [
      agreed(all(who, 'geo', 'country')),
      agreed(all(who, 'geo', 'region')),
    ]),
    overflowed: list.overflowed,
    keys: list.overflowed ? [] : keyTexts(list.words, list.count),
  };
}

type Lookup = (...path: string[]) => unknown[];

function readKeys(all: Lookup, eids: readonly unknown[], options: ReadOptions) {
  const list = createKeyList(128);
  const { kindMask, userIdNamespace, buyerUidNamespace } = options;
  const digestMask = kindMask & options.digestMask;
  const wants = (kind: BaseKind): boolean => (kindMask & (1 << KIND_TAG[kind])) !== 0;
  const digests = (kind: BaseKind, bytes: 16 | 20 | 32, values: readonly unknown[]): void => {
    if (wants(kind)) for (const value of values) appendDigest(list, KIND_TAG[kind], bytes, value);
  };
  const extIds = ['ifa', 'ifv', 'idfa', 'idfv', 'gaid', 'aaid', 'adid', 'oaid'].flatMap((name) =>
    all('device', 'ext', name),
  );
  for (const id of [...all('device', 'ifa'), ...extIds]) {
    if (wants('maid')) appendMaid(list, id);
    appendMaidDigests(list, id, digestMask);
  }
  for (const id of [...all('device', 'ifa'), ...all('device', 'ext', 'ifa')]) {
    if (wants('ctv')) appendCtv(list, id);
    appendCtvDigests(list, id, digestMask);
    if (isHex(id, 64)) digests('maid_sha256', 32, [id]);
    if (isHex(id, 40)) digests('maid_sha1', 20, [id]);
  }
  digests('maid_sha1', 20, [
    ...[...all('device', 'didsha1'), ...all('device', 'dpidsha1')],
    ...all('device', 'ext', 'ifa_sha1'),
  ]);
  digests('maid_md5', 16, [
    ...[...all('device', 'didmd5'), ...all('device', 'dpidmd5')],
    ...all('device', 'ext', 'ifa_md5'),
  ]);
  if (wants('account')) {
    const buyerUids = all('user', 'ext', 'prebid', 'buyeruids').flatMap((uids) =>
      isObject(uids) ? Object.values(uids) : [],
    );
    if (userIdNamespace !== null) for (const id of all('user', 'id')) appendAccount(list, userIdNamespace, text(id));
    if (buyerUidNamespace !== null) {
      for (const id of [...all('user', 'buyeruid'), ...buyerUids]) appendAccount(list, buyerUidNamespace, text(id));
    }
  }
  for (const eid of eids.flatMap((value) => (Array.isArray(value) ? value : []))) {
    const uids = at(eid, 'uids');
    for (const uid of Array.isArray(uids) ? uids : []) {
      const id = text(at(uid, 'id'));
      if (wants('eid') && isObject(uid)) appendEid(list, at(eid, 'source'), id);
      const isDigest = (...lengths: number[]): unknown[] =>
        typeof id === 'string' && lengths.includes(id.trim().length) ? [id] : [];
      if (at(uid, 'atype') === 2 && wants('maid')) appendMaid(list, id);
      if (at(uid, 'atype') === 2) appendMaidDigests(list, id, digestMask);
      digests('email_sha256', 32, isDigest(64, 44, 43));
      digests('phone_sha256', 32, isDigest(64, 44, 43));
      digests('email_sha1', 20, isDigest(40, 28, 27));
      digests('phone_sha1', 20, isDigest(40, 28, 27));
      digests('email_md5', 16, isDigest(32, 24, 22));
    }
  }
  return list;
}

/** An app on iOS 14.0 or 14.1 without an advertising id. */
function isUntrackedIos(context: unknown): boolean {
  const [os, osv, ifa] = ['os', 'osv', 'ifa'].map((name) => at(context, 'device', name));
  if (isAbsent(at(context, 'app')) || typeof os !== 'string' || os.toLowerCase() !== 'ios') return false;
  const [major, minor] = typeof osv === 'string' ? osv.trim().split(/[^0-9]/) : [];
  const hasId = typeof ifa === 'string' && !['', '0'.repeat(32)].includes(ifa.trim().replaceAll('-', ''));
  return major === '14' && (minor === '0' || minor === '1') && !hasId;
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isHex = (value: unknown, digits: number): boolean =>
  typeof value === 'string' && value.trim().length === digits && /^[0-9a-f]+$/i.test(value.trim());
const text = (value: unknown): unknown => (typeof value === 'number' ? String(value) : value);
const distinct = (values: readonly string[]): string[] => [...new Set(values)].sort();

function at(value: unknown, ...path: string[]): unknown {
  let here = value;
  for (const name of path) here = isObject(here) ? here[name] : undefined;
  return here;
}

function hasWrongContainer(contexts: readonly unknown[], request: unknown): boolean {
  const paths = ['regs', 'regs.ext', 'device', 'device.geo', 'device.ext', 'user', 'user.geo', 'user.ext'];
  paths.push('user.ext.prebid', 'user.ext.prebid.buyeruids');
  const values = contexts.flatMap((context) => paths.map((path) => at(context, ...path.split('.'))));
  values.push(at(request, 'openrtb'), at(request, 'openrtb', 'request'), at(request, 'openrtb', 'request', 'context'));
  return values.some((value) => !isAbsent(value) && !isObject(value));
}

function hasWrongEid(eids: unknown): boolean {
  if (!Array.isArray(eids)) return true;
  return eids.some((eid) => {
    const uids = at(eid, 'uids');
    return !isObject(eid) || (!isAbsent(uids) && (!Array.isArray(uids) || !uids.every(isObject)));
  });
}

function strictest(flags: readonly FlagState[]): FlagState {
  return (['on', 'malformed', 'off'] as const).find((flag) => flags.includes(flag)) ?? 'absent';
}

function strictestUsPrivacy(values: readonly unknown[], emptyIsAbsent: boolean): string {
  const parsed = values.filter((value) => !isAbsent(value) && !(emptyIsAbsent && value === '')).map(parseUsPrivacy);
  const best =
    parsed.find((one) => one.kind === 'parsed' && one.saleOptOut === true) ??
    parsed.find((one) => one.kind === 'malformed') ??
    parsed[0] ??
    parseUsPrivacy(undefined);
  return usPrivacyText(best);
}

function usPrivacyText(value: UsPrivacy): string {
  return value.kind === 'parsed' ? value.text : value.kind;
}

function agreed(values: readonly unknown[]): string | null {
  const texts = distinct(values.filter((value) => typeof value === 'string'));
  return texts.length > 1 ? '' : (texts[0] ?? null);
}

function keyTexts(words: Int32Array, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => words.slice(index * 5, index * 5 + 5).join(' ')).sort();
}
