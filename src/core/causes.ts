/**
 * From facts to causes: what the signals of one request give cause to say, each a bit of `CAUSE`. Pure functions.
 * @module
 */
import { appendIdentifier } from './identity/dialects.js';
import type { KeyList } from './identity/key.js';
import type { RequestFacts } from './openrtb/facts.js';
import { CAUSE } from './policy/compile.js';
import type { Evidence } from './policy/decide.js';
import {
  isStateOrAbroad,
  type Jurisdiction,
  jurisdictionOf,
  OUTSIDE_US,
  UNKNOWN_JURISDICTION,
  US_STATE_UNKNOWN,
} from './policy/jurisdiction.js';
import type { FlagState } from './signals/flag.js';
import { FINDING_SALE_OPT_OUT, FINDING_SECTION_MALFORMED } from './signals/gpp/findings.js';
import type { GppVerdict } from './signals/gpp/verdict.js';
import type { TableHolder } from './suppression/holder.js';
import type { Identifier } from './vocabulary.js';

/** True where a table is of the token's epoch and at least at its seq. A token that cannot be read is not reached. */
export function hasReached(holder: Pick<TableHolder, 'epoch' | 'seq'>, token: unknown): boolean {
  if (typeof token !== 'string') return false;
  const dot = token.lastIndexOf('.');
  const digits = token.slice(dot + 1);
  return dot > 0 && token.slice(0, dot) === holder.epoch && /^\d+$/.test(digits) && holder.seq >= Number(digits);
}

/** The causes of the signals that are one flag each, and of the request's shape. */
export function flagCauses(facts: RequestFacts): number {
  let causes = facts.malformed ? CAUSE.requestMalformed : 0;
  causes |= flagCause(facts.coppa, CAUSE.coppa, CAUSE.coppaMalformed);
  causes |= flagCause(facts.lmt, CAUSE.lmt, CAUSE.lmtMalformed);
  causes |= flagCause(facts.dnt, CAUSE.dnt, CAUSE.dntMalformed);
  causes |= flagCause(facts.att, CAUSE.att, CAUSE.attMalformed);
  return causes;
}

function flagCause(flag: FlagState, whenOn: number, whenMalformed: number): number {
  if (flag === 'on') return whenOn;
  return flag === 'malformed' ? whenMalformed : 0;
}

/** An `imp` array (OpenRTB 2.x) or an `openrtb` object (3.0); anything else is no bid request. */
export function isBidRequest(request: unknown): request is object {
  if (typeof request !== 'object' || request === null) return false;
  const { imp, openrtb } = request as { imp?: unknown; openrtb?: unknown };
  return Array.isArray(imp) || (typeof openrtb === 'object' && openrtb !== null);
}

/** Adds the keys of identifiers the caller knows. */
export function appendIdentifiers(keys: KeyList, identifiers: readonly Identifier[], wantedTags: number): number {
  if (!Array.isArray(identifiers)) return CAUSE.identifierMalformed;
  let causes = 0;
  for (const identifier of identifiers) {
    const outcome = appendIdentifier(keys, identifier, { wantedTags });
    if (outcome === 'malformed') causes |= CAUSE.identifierMalformed;
  }
  return causes;
}

/** The US Privacy string of both places, and of GPP section 6 where that applies. */
export function usPrivacyCauses(facts: RequestFacts, evidence: Evidence): number {
  const { usPrivacy, usPrivacyExt } = facts;
  if (usPrivacy.kind === 'absent' && usPrivacyExt.kind === 'absent') return 0;
  let causes = 0;
  const first = saleOptOutOf(usPrivacy);
  const second = saleOptOutOf(usPrivacyExt);
  if (first === true || second === true) causes |= CAUSE.uspSaleOptOut;
  if (usPrivacy.kind === 'malformed' || usPrivacyExt.kind === 'malformed') causes |= CAUSE.uspMalformed;
  if (usPrivacy.kind !== 'absent' && usPrivacyExt.kind !== 'absent' && first !== second)
    causes |= CAUSE.conflictUsPrivacy;
  const section = evidence.verdict === null ? undefined : uspv1OptOut(evidence.verdict, evidence.sectionMask);
  if (section !== undefined && (causes & CAUSE.uspMalformed) === 0) {
    if (section !== ((causes & CAUSE.uspSaleOptOut) !== 0)) causes |= CAUSE.conflictUsPrivacy;
  }
  return causes;
}

function saleOptOutOf(usPrivacy: RequestFacts['usPrivacy']): boolean | null | undefined {
  return usPrivacy.kind === 'parsed' ? usPrivacy.saleOptOut : undefined;
}

/** The sale opt-out of GPP section 6, `undefined` where the section is not there or does not apply. */
function uspv1OptOut(verdict: GppVerdict, sectionMask: number): boolean | undefined {
  const index = (sectionMask & (1 << 6)) === 0 ? -1 : verdict.sectionIds.indexOf(6);
  return index < 0 ? undefined : (verdict.findings[index]! & FINDING_SALE_OPT_OUT) !== 0;
}

/** HOT. Whether a GPP section that applies cannot be decoded. */
export function hasMalformedSection({ verdict, verdictExt, sectionMask }: Evidence): boolean {
  return isMalformedIn(verdict, sectionMask) || isMalformedIn(verdictExt, sectionMask);
}

function isMalformedIn(verdict: GppVerdict | null, sectionMask: number): boolean {
  if (verdict === null) return false;
  const { sectionIds, findings } = verdict;
  for (let index = 0; index < sectionIds.length; index++) {
    if ((findings[index]! & FINDING_SECTION_MALFORMED) !== 0 && (sectionMask & (1 << sectionIds[index]!)) !== 0)
      return true;
  }
  return false;
}

/** What the caller knows of where the person is. */
interface PlaceGiven {
  readonly state?: string | null | undefined;
  readonly country?: string | null | undefined;
}

/** The caller's word first, then where the device is, then where the person lives; the US wins over another country. */
export function jurisdictionFor(facts: RequestFacts, context: PlaceGiven): Jurisdiction {
  const given = givenJurisdiction(context);
  if (given !== UNKNOWN_JURISDICTION && given !== US_STATE_UNKNOWN) return given;
  const device = jurisdictionOf(facts.deviceCountry, facts.deviceRegion);
  if (device !== UNKNOWN_JURISDICTION && device !== OUTSIDE_US) return device;
  const user = jurisdictionOf(facts.userCountry, facts.userRegion);
  if (user !== UNKNOWN_JURISDICTION && user !== OUTSIDE_US) return user;
  if (given === US_STATE_UNKNOWN) return given;
  return device === UNKNOWN_JURISDICTION ? user : device;
}

/** A state needs no country; a state that is none says nothing. */
function givenJurisdiction({ state, country }: PlaceGiven): Jurisdiction {
  if (typeof state === 'string' && (country === undefined || country === null)) {
    const given = jurisdictionOf('USA', state);
    return given === US_STATE_UNKNOWN ? UNKNOWN_JURISDICTION : given;
  }
  return typeof country === 'string' ? jurisdictionOf(country, state ?? null) : UNKNOWN_JURISDICTION;
}

/** Whether device and person are known to be in different states of the US. */
export function isPlaceDisputed(facts: RequestFacts, context: PlaceGiven): boolean {
  if (facts.userCountry === null) return false;
  const device = jurisdictionOf(facts.deviceCountry, facts.deviceRegion);
  const user = jurisdictionOf(facts.userCountry, facts.userRegion);
  const isKnown = isStateOrAbroad(device) && isStateOrAbroad(user);
  return isKnown && device !== user && !isStateOrAbroad(givenJurisdiction(context));
}
