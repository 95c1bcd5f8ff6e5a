/**
 * From facts to causes: what the signals of one request give cause to say, each a bit of `CAUSE`. Pure functions.
 * @module
 */
import { appendIdentifier } from './identity/dialects.js';
import type { KeyList } from './identity/key.js';
import type { RequestFacts } from './openrtb/facts.js';
import { CAUSE } from './policy/compile.js';
import type { Evidence } from './policy/decide.js';
import { type Jurisdiction, jurisdictionOf, OUTSIDE_US, UNKNOWN_JURISDICTION } from './policy/jurisdiction.js';
import type { FlagState } from './signals/flag.js';
import { FINDING_SALE_OPT_OUT } from './signals/gpp/findings.js';
import type { GppVerdict } from './signals/gpp/verdict.js';
import type { TableHolder } from './suppression/holder.js';
import type { Identifier } from './vocabulary.js';

/** True where the holder's table is of the token's epoch and at least at its seq. A token that cannot be read is not reached. */
export function hasReached(holder: TableHolder, token: string): boolean {
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

/** Adds the keys of identifiers the caller knows. */
export function appendIdentifiers(keys: KeyList, identifiers: readonly Identifier[], wantedTags: number): number {
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

/** What the caller knows of where the person is. */
interface PlaceGiven {
  readonly state?: string | undefined;
  readonly country?: string | undefined;
}

/** The caller's word first, then where the device is, then where the person lives; the US wins over another country. */
export function jurisdictionFor(facts: RequestFacts, context: PlaceGiven): Jurisdiction {
  if (context.state !== undefined || context.country !== undefined) {
    const given = jurisdictionOf(context.country ?? 'USA', context.state ?? null);
    if (given !== UNKNOWN_JURISDICTION) return given;
  }
  const device = jurisdictionOf(facts.deviceCountry, facts.deviceRegion);
  if (device !== UNKNOWN_JURISDICTION && device !== OUTSIDE_US) return device;
  const user = jurisdictionOf(facts.userCountry, facts.userRegion);
  return user === UNKNOWN_JURISDICTION ? device : user;
}
