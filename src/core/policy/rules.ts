/**
 * THE TABLE: every cause a decision can have, with its stable code, what it strips, a plain sentence and a citation.
 *
 * A cause is a fact (a signal, a finding in a GPP section, a stored opt-out, the state of the table); this file alone
 * says what follows from it. Codes are a public interface: append, never rename. A row that strips nothing informs.
 * @module
 */
import type { GppFinding } from '../signals/gpp/findings.js';
import type { BaseKind, Right, StripGroup } from '../vocabulary.js';
import { STRIP_GROUPS } from '../vocabulary.js';
import type { Policy } from './policy.js';

export interface Rule {
  readonly code: string;
  readonly strip: readonly StripGroup[];
  /** A service provider under contract may be sent the data all the same. */
  readonly exemptible: boolean;
  readonly sentence: string;
  readonly citation: string;
  /** The policy switch that turns the row's consequence off (`true` = off). */
  readonly off?: (policy: Policy) => boolean;
}

const ALL = STRIP_GROUPS;
const NOTHING: readonly StripGroup[] = [];
/** What Prebid calls transmitEids and transmitUfpd, with what would give the person away again. */
const PERSON: readonly StripGroup[] = ['ids', 'eids', 'ufpd', 'tid', 'urls', 'ua'];
/** What Prebid calls transmitPreciseGeo. */
const PLACE: readonly StripGroup[] = ['geo', 'ip'];

const malformedOff = (policy: Policy) => policy.signals.malformed === 'ignore';
/** `binding`: what cannot be read might be something that binds service providers, too. */
const unreadable = (field: string, citation: string, binding: 'binding' | 'exemptible') =>
  ({
    code: `signal.${field}.malformed`,
    strip: ALL,
    exemptible: binding === 'exemptible',
    sentence: `${field} is there but breaks its specification, so it cannot be read as permission.`,
    citation,
  }) as const;
/** The same for a signal, which a policy may choose not to hear. */
const malformed = (field: string, citation: string, binding: 'binding' | 'exemptible') => ({
  ...unreadable(field, citation, binding),
  off: malformedOff,
});
const conflict = (field: string, sentence: string) =>
  ({ code: `conflict.${field}`, strip: NOTHING, exemptible: true, sentence, citation: '11 CCR 7025(c)(3)' }) as const;
const inform = (code: string, sentence: string, citation: string) =>
  ({ code, strip: NOTHING, exemptible: true, sentence, citation }) as const;

const OPENRTB_REGS = 'OpenRTB 2.6, 3.2.3 Object: Regs';
const OPENRTB_DEVICE = 'OpenRTB 2.6, 3.2.18 Object: Device';
const GPP_CORE = 'IAB GPP, Core / Consent String Specification';

/** Causes that are one yes or no per request; each is one bit, in this order. At most 31. */
export const CAUSE_RULES = {
  uspSaleOptOut: {
    code: 'usp.sale_opt_out',
    strip: ALL,
    exemptible: true,
    sentence: 'The US Privacy string says the person opted out of sale (third character Y).',
    citation: 'IAB US Privacy String v1; Civ. Code 1798.120(a)',
  },
  uspMalformed: malformed('us_privacy', 'IAB US Privacy String v1', 'exemptible'),
  gpcHeader: {
    code: 'gpc.header',
    strip: ALL,
    exemptible: true,
    sentence: 'The browser sent Global Privacy Control (Sec-GPC: 1), which is an opt-out of sale and sharing.',
    citation: 'W3C GPC; 11 CCR 7025(b)-(c)',
  },
  gpcRegs: {
    code: 'gpc.regs',
    strip: ALL,
    exemptible: true,
    sentence: 'The request carries a copy of Global Privacy Control (regs.ext.gpc), an opt-out of sale and sharing.',
    citation: 'OpenRTB community extension: GPC; 11 CCR 7025(b)-(c)',
  },
  gpcMalformed: malformed('gpc', 'OpenRTB community extension: GPC', 'exemptible'),
  gppMalformed: malformed('gpp', GPP_CORE, 'binding'),
  gppSidMalformed: malformed('gpp_sid', OPENRTB_REGS, 'binding'),
  gppSectionUnknown: {
    code: 'gpp.section_unknown',
    strip: ALL,
    exemptible: false,
    sentence: 'gpp_sid lists a section no specification assigns yet, so what the person chose there is not known.',
    citation: 'IAB GPP, Section Information',
    off: (policy: Policy) => policy.gpp.sectionUnknown === 'ignore',
  },
  coppa: {
    code: 'coppa',
    strip: ALL,
    exemptible: false,
    sentence: 'The request is flagged as directed to children under COPPA (regs.coppa).',
    citation: `16 CFR 312; ${OPENRTB_REGS}`,
  },
  coppaMalformed: malformed('coppa', OPENRTB_REGS, 'binding'),
  lmt: {
    code: 'device.lmt',
    strip: ALL,
    exemptible: false,
    sentence: 'The device limits ad tracking (device.lmt).',
    citation: OPENRTB_DEVICE,
    off: (policy: Policy) => policy.signals.lmt === 'ignore',
  },
  dnt: {
    code: 'device.dnt',
    strip: ALL,
    exemptible: false,
    sentence: 'The browser asks not to be tracked (device.dnt).',
    citation: OPENRTB_DEVICE,
    off: (policy: Policy) => policy.signals.dnt === 'ignore',
  },
  att: {
    code: 'device.att',
    strip: ALL,
    exemptible: false,
    sentence: 'The person has not authorised tracking in App Tracking Transparency (device.ext.atts is 0, 1 or 2).',
    citation: 'OpenRTB community extension: SKAdNetwork, device.ext.atts',
    off: (policy: Policy) => policy.signals.att === 'ignore',
  },
  lmtMalformed: malformed('lmt', OPENRTB_DEVICE, 'binding'),
  dntMalformed: malformed('dnt', OPENRTB_DEVICE, 'binding'),
  attMalformed: malformed('atts', 'OpenRTB community extension: SKAdNetwork, device.ext.atts', 'binding'),
  requestMalformed: {
    code: 'request.malformed',
    strip: ALL,
    exemptible: false,
    sentence: 'An object that signals or identifiers stand in has the wrong type, so they cannot be read.',
    citation: 'OpenRTB 2.6, 3.2',
  },
  identifiersOverflow: {
    code: 'limit.identifiers',
    strip: ALL,
    exemptible: false,
    sentence: 'The request carries more identifiers than are checked, so some of them were not.',
    citation: 'optgate limit IDENTIFIER_COUNT_MAX',
  },
  identifierMalformed: unreadable('identifier', 'optgate: CheckContext.identifiers', 'binding'),
  conflictUsPrivacy: conflict('us_privacy', 'Two places disagree about the opt-out of sale; the stricter one counts.'),
  conflictGpp: conflict('gpp', 'regs.gpp and regs.ext.gpp differ; the findings of both count.'),
  conflictGppSid: conflict('gpp_sid', 'regs.gpp_sid and regs.ext.gpp_sid differ; the sections of both count.'),
  conflictGpc: conflict('gpc', 'The Sec-GPC header and regs.ext.gpc disagree; the opt-out counts.'),
  tableNotLoaded: {
    code: 'table.not_loaded',
    strip: ALL,
    exemptible: false,
    sentence: 'No suppression set has been loaded yet, so nobody can be called clean.',
    citation: 'optgate: fails closed',
    off: (policy: Policy) => policy.table.onStale === 'allow',
  },
  tableStale: {
    code: 'table.stale',
    strip: ALL,
    exemptible: false,
    sentence: 'The suppression set has not been proved fresh for longer than staleAfterMs; an opt-out may be missing.',
    citation: 'optgate: fails closed',
    off: (policy: Policy) => policy.table.onStale === 'allow',
  },
  tableBehind: {
    code: 'table.behind',
    strip: ALL,
    exemptible: false,
    sentence: 'The suppression set has not reached the position the caller asked for (minSeq).',
    citation: 'optgate: fails closed',
    off: (policy: Policy) => policy.table.onStale === 'allow',
  },
  destinationUnknown: inform(
    'destination.unknown',
    'The destination is not in the data inventory and is treated as a third party.',
    'Civ. Code 1798.100(d)',
  ),
  contractMissing: inform(
    'contract.missing',
    'The destination has no contract on record and is treated as a third party.',
    '11 CCR 7051(c), 7053',
  ),
  contractExpired: inform(
    'contract.expired',
    "The destination's contract has ended; it is treated as a third party.",
    '11 CCR 7051(c), 7053',
  ),
  exemptServiceProvider: inform(
    'exempt.service_provider',
    'An opt-out stands, but this service provider may receive the data for an exempt purpose under its contract.',
    'Civ. Code 1798.140(e),(ag); 11 CCR 7050(a)',
  ),
  exemptContractor: inform(
    'exempt.contractor',
    'An opt-out stands, but this contractor may receive the data for an exempt purpose under its contract.',
    'Civ. Code 1798.140(e),(j); 11 CCR 7050(a)',
  ),
} as const satisfies Record<string, Rule>;
export type CauseName = keyof typeof CAUSE_RULES;

const mspa = 'IAB GPP US sections; MSPA';
const finding = (
  code: string,
  sentence: string,
  strip: readonly StripGroup[] = ALL,
  more: Partial<Rule> = {},
): Rule => ({ code, strip, exemptible: true, sentence, citation: mspa, ...more });
/** A section that cannot be read might hold the refusal for a child, which binds service providers. */
const BINDING = { exemptible: false } as const;
const sectionOff = (policy: Policy) => policy.gpp.sectionMalformed === 'ignore';

/** What each finding in a GPP section leads to. The code of a reason is `gpp.<section>.<code>`. */
export const FINDING_RULES: Readonly<Record<GppFinding, Rule>> = {
  saleOptOut: finding('sale_opt_out', 'SaleOptOut is 1: the person opted out of sale.'),
  sharingOptOut: finding('sharing_opt_out', 'SharingOptOut is 1: the person opted out of sharing.'),
  targetedAdvertisingOptOut: finding(
    'targeted_advertising_opt_out',
    'TargetedAdvertisingOptOut is 1: the person opted out of targeted advertising.',
  ),
  saleNoticeMissing: finding('sale_notice_missing', 'SaleOptOutNotice is 2: the person was not told of the right.'),
  sharingOptOutNoticeMissing: finding(
    'sharing_opt_out_notice_missing',
    'SharingOptOutNotice is 2: the person was not told of the right.',
  ),
  sharingNoticeMissing: finding(
    'sharing_notice_missing',
    'SharingNotice (or ProcessingNotice) is 2: the person was not told of the disclosure.',
  ),
  targetedAdvertisingNoticeMissing: finding(
    'targeted_advertising_notice_missing',
    'TargetedAdvertisingOptOutNotice is 2: the person was not told of the right.',
  ),
  saleWithoutNotice: finding(
    'sale_without_notice',
    'SaleOptOut says "did not opt out" though no notice of the right applied; that is not permission.',
  ),
  sharingWithoutNotice: finding(
    'sharing_without_notice',
    'SharingOptOut says "did not opt out" though no notice of the right applied; that is not permission.',
  ),
  targetedAdvertisingWithoutNotice: finding(
    'targeted_advertising_without_notice',
    'TargetedAdvertisingOptOut says "did not opt out" though no notice applied; that is not permission.',
  ),
  sensitiveNoticeMissing: finding(
    'sensitive_notice_missing',
    'The notice of the right over sensitive data was not given (2).',
  ),
  sensitiveOutOfScope: finding(
    'sensitive_out_of_scope',
    'The request involves a category of sensitive data that has no place in advertising.',
    PERSON,
  ),
  sensitiveNoConsent: finding('sensitive_no_consent', 'Sensitive data is involved without consent (1).', PERSON),
  sensitiveWithoutNotice: finding(
    'sensitive_without_notice',
    'Consent to sensitive data is claimed though no notice of the right applied.',
    PERSON,
  ),
  preciseGeoNoConsent: finding('precise_geo_no_consent', 'There is no consent to use precise geolocation.', PLACE),
  preciseGeoWithoutNotice: finding(
    'precise_geo_without_notice',
    'Consent to precise geolocation is claimed though no notice of the right applied.',
    PLACE,
  ),
  childNoConsent: finding(
    'child_no_consent',
    'The section marks the person as a known child and carries no consent that counts (some states: any answer at all).',
    ALL,
    { exemptible: false },
  ),
  personalDataConsent: finding(
    'personal_data_consent',
    'PersonalDataConsents is 2, a use beyond the purpose of collection, which Prebid denies.',
    ALL,
    { off: (policy) => policy.gpp.personalDataConsent === 'allow' },
  ),
  serviceProviderMode: finding(
    'service_provider_mode',
    'The sender works in MSPA service provider mode: no sale, no sharing, no targeted advertising.',
  ),
  gpc: finding('gpc', 'The GPC sub-section says that the browser sent Global Privacy Control.', ALL, {
    citation: 'IAB GPP US sections; 11 CCR 7025(b)-(c)',
  }),
  coveredTransactionZero: finding(
    'covered_transaction_zero',
    'MspaCoveredTransaction is 0, which is not a legal value; Prebid.js denies it.',
    ALL,
    { off: (policy) => policy.gpp.coveredTransactionZero === 'allow' },
  ),
  illegalValue: finding('illegal_value', 'A field holds 3, which no field defines.', ALL, {
    ...BINDING,
    off: sectionOff,
  }),
  versionUnknown: finding('version_unknown', 'The section has a version this release does not know.', ALL, {
    ...BINDING,
    off: (policy) => policy.gpp.versionUnknown === 'ignore',
  }),
  sectionMalformed: finding('section_malformed', 'The section cannot be decoded.', ALL, {
    ...BINDING,
    off: sectionOff,
  }),
};

/** A section that `gpp_sid` lists and the string does not hold: `gpp.<section>.section_missing`. */
export const SECTION_MISSING_RULE: Rule = finding(
  'section_missing',
  'gpp_sid lists the section and the string does not hold it, so the choice made there is not known.',
  ALL,
  { ...BINDING, off: (policy) => policy.gpp.sectionMissing === 'ignore' },
);

/** What a stored opt-out leads to, by right. */
export const RIGHT_RULES: Readonly<
  Record<Right, { readonly strip: readonly StripGroup[]; readonly exemptible: boolean }>
> = {
  sale: { strip: ALL, exemptible: true },
  share: { strip: ALL, exemptible: true },
  targeted_ads: { strip: ALL, exemptible: true },
  // Limiting the use of sensitive data is no opt-out of sale: what is sensitive in a bid request goes.
  sensitive: { strip: ['ufpd', 'geo', 'ip'], exemptible: true },
  profiling: { strip: ALL, exemptible: true },
  child: { strip: ALL, exemptible: false },
  deletion: { strip: ALL, exemptible: false },
};

/** The reason a stored opt-out gives names the kind of identifier that matched, never the identifier. */
export function suppressedRule(kind: BaseKind): Rule {
  return {
    code: `suppressed.${kind}`,
    strip: ALL,
    exemptible: true,
    sentence: `The person has an opt-out on record, found by ${kind}.`,
    citation: 'Civ. Code 1798.120(d), 1798.135(c)(4); 11 CCR 7025(c)(5)',
  };
}
