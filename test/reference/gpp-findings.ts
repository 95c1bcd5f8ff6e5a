/**
 * The truth table written out: fields of a section to the names of the US national section, those to findings, and
 * findings to the verdicts of Prebid's activities. Slow and literal; the fast code is held against it.
 * @module
 */
import type { GppFinding } from '../../src/core/signals/gpp/findings.js';
import type { ReferenceFields } from './gpp.js';

/** `null`: the section has no such field, so that no rule about it can match. */
type Value = number | null;

interface National {
  SharingNotice: Value;
  SaleOptOutNotice: Value;
  SharingOptOutNotice: Value;
  TargetedAdvertisingOptOutNotice: Value;
  SensitiveDataProcessingOptOutNotice: Value;
  SensitiveDataLimitUseNotice: Value;
  SaleOptOut: Value;
  SharingOptOut: Value;
  TargetedAdvertisingOptOut: Value;
  /** Items 1 to 16 at index 0 to 15; a national item may stand for several items of a state. */
  SensitiveDataProcessing: Value[][];
  /** Ages 13 to 16; under 13; 16 to 17. */
  KnownChild: Value[];
  PersonalDataConsents: Value;
  MspaCoveredTransaction: Value;
  ServiceProviderMode: boolean;
  Gpc: boolean;
}

/** National numbers of the items of SensitiveDataProcessing, where they differ from 1, 2, 3 … */
const SENSITIVE_NUMBERS: Record<string, number[][]> = {
  usca: [[9], [10], [8], [1, 2], [12], [6], [7], [3], [4]],
  usut: [[1], [2], [4], [5], [3], [6], [7], [8]],
  usor: [[1], [2], [3], [4], [16], [5], [15], [14], [6], [7], [8]],
  usde: [[1], [2], [3], [4], [5], [6], [7], [8], [16]],
  usnj: [[1], [2], [3], [4], [5], [6], [7], [8], [16], [10]],
};

/** The fields of a section under national names. */
export function toNational(prefix: string, fields: ReferenceFields): National {
  const value = (...names: string[]): Value => {
    const found = names.map((name) => fields[name]).find((candidate) => candidate !== undefined);
    return typeof found === 'number' ? found : null;
  };
  const sensitive: Value[][] = Array.from({ length: 16 }, () => []);
  ((fields.SensitiveDataProcessing as number[] | undefined) ?? []).forEach((item, index) => {
    for (const number of SENSITIVE_NUMBERS[prefix]?.[index] ?? [index + 1]) sensitive[number - 1]!.push(item);
  });
  return {
    SharingNotice: value('SharingNotice', 'ProcessingNotice'),
    SaleOptOutNotice: value('SaleOptOutNotice'),
    SharingOptOutNotice: value('SharingOptOutNotice'),
    TargetedAdvertisingOptOutNotice: value('TargetedAdvertisingOptOutNotice'),
    SensitiveDataProcessingOptOutNotice: value('SensitiveDataProcessingOptOutNotice', 'SensitiveDataOptOutNotice'),
    SensitiveDataLimitUseNotice: value('SensitiveDataLimitUseNotice'),
    SaleOptOut: value('SaleOptOut'),
    SharingOptOut: value('SharingOptOut'),
    TargetedAdvertisingOptOut: value('TargetedAdvertisingOptOut'),
    SensitiveDataProcessing: sensitive,
    KnownChild: knownChild(prefix, fields.KnownChildSensitiveDataConsents as number | number[] | undefined),
    PersonalDataConsents: value('PersonalDataConsents', 'AdditionalDataProcessingConsent'),
    MspaCoveredTransaction: value('MspaCoveredTransaction'),
    ServiceProviderMode: fields.MspaServiceProviderMode === 1 || fields.MspaMode === 2,
    Gpc: fields.Gpc === true,
  };
}

/** Ages 13 to 16; under 13; 16 to 17. */
function knownChild(prefix: string, consents: number | number[] | undefined): Value[] {
  if (consents === undefined) return [null, null, null];
  if (typeof consents === 'number') return consents === 0 ? [0, 0, null] : [1, 1, null];
  const strictest = (values: number[]): Value => (values.includes(1) ? 1 : (values.find((item) => item !== 0) ?? 0));
  switch (prefix) {
    case 'usnat':
      return [consents[0]!, consents[1]!, consents[2] ?? null];
    case 'usca':
      return consents.every((item) => item === 0) ? [0, 0, null] : [1, 1, null];
    case 'usct':
      if (consents.every((item) => item === 0)) return [0, 0, null];
      return consents[1] === 2 && consents[2] === 2 ? [2, 1, null] : [1, 1, null];
    default:
      return [strictest(consents.slice(1, 3)), consents[0]!, strictest(consents.slice(3, 5))];
  }
}

/** The findings of one section that could be read. */
export function referenceFindings(
  prefix: string,
  fields: ReferenceFields,
  headerVersionUnknown = false,
  padded = false,
): GppFinding[] {
  if (prefix === 'uspv1') return fields.OptOutSale === 'Y' ? ['saleOptOut'] : [];
  const f = toNational(prefix, fields);
  const sdp = (...numbers: number[]): Value[] => numbers.flatMap((number) => f.SensitiveDataProcessing[number - 1]!);
  const allButGeo = sdp(1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16);
  const sensitiveNoticeIs = (value: number): boolean =>
    f.SensitiveDataProcessingOptOutNotice === value || f.SensitiveDataLimitUseNotice === value;
  const version = (fields.Version ?? fields.MspaVersion) as number;
  const known =
    prefix === 'usnat' ? [1, 2] : 'Version' in fields ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
  const items = Object.entries(fields).flatMap(([name, item]) => (/^(Mspa)?Version$/.test(name) ? [] : item));
  const truth: Record<GppFinding, boolean> = {
    saleOptOut: f.SaleOptOut === 1,
    sharingOptOut: f.SharingOptOut === 1,
    targetedAdvertisingOptOut: f.TargetedAdvertisingOptOut === 1,
    saleNoticeMissing: f.SaleOptOutNotice === 2,
    sharingOptOutNoticeMissing: f.SharingOptOutNotice === 2,
    sharingNoticeMissing: f.SharingNotice === 2,
    targetedAdvertisingNoticeMissing: f.TargetedAdvertisingOptOutNotice === 2,
    saleWithoutNotice: f.SaleOptOutNotice === 0 && f.SaleOptOut === 2,
    sharingWithoutNotice: (f.SharingOptOutNotice === 0 || f.SharingNotice === 0) && f.SharingOptOut === 2,
    targetedAdvertisingWithoutNotice: f.TargetedAdvertisingOptOutNotice === 0 && f.TargetedAdvertisingOptOut === 2,
    sensitiveNoticeMissing: sensitiveNoticeIs(2),
    sensitiveOutOfScope: sdp(6, 7, 9, 10, 12, 14, 16).some((value) => value === 1 || value === 2),
    sensitiveNoConsent: sdp(1, 2, 3, 4, 5, 11, 13, 15).includes(1),
    sensitiveWithoutNotice: sensitiveNoticeIs(0) && allButGeo.includes(2),
    preciseGeoNoConsent: sdp(8).includes(1),
    preciseGeoWithoutNotice: sensitiveNoticeIs(0) && sdp(8).includes(2),
    childNoConsent: f.KnownChild[0] === 1 || ![0, null].includes(f.KnownChild[1]!) || f.KnownChild[2] === 1,
    personalDataConsent: f.PersonalDataConsents === 2,
    serviceProviderMode: f.ServiceProviderMode,
    gpc: f.Gpc,
    coveredTransactionZero: f.MspaCoveredTransaction === 0 || padded,
    illegalValue: items.includes(3),
    versionUnknown: !known.includes(version) || headerVersionUnknown,
    sectionMalformed: false,
  };
  return (Object.keys(truth) as GppFinding[]).filter((name) => truth[name]);
}

/** What Prebid's activity rules deny, by finding (BASIC, CONSENT, UFPD and GEO of the published table). */
const BASIC: readonly GppFinding[] = [
  'serviceProviderMode',
  'gpc',
  'childNoConsent',
  'personalDataConsent',
  'coveredTransactionZero',
];
const CONSENT: readonly GppFinding[] = [
  ...BASIC,
  'saleOptOut',
  'saleNoticeMissing',
  'saleWithoutNotice',
  'sharingOptOut',
  'sharingOptOutNoticeMissing',
  'sharingNoticeMissing',
  'sharingWithoutNotice',
  'targetedAdvertisingOptOut',
  'targetedAdvertisingNoticeMissing',
  'targetedAdvertisingWithoutNotice',
];
const UFPD: readonly GppFinding[] = [
  ...CONSENT,
  'sensitiveNoticeMissing',
  'sensitiveOutOfScope',
  'sensitiveNoConsent',
  'sensitiveWithoutNotice',
];
const GEO: readonly GppFinding[] = [
  ...BASIC,
  'sensitiveNoticeMissing',
  'preciseGeoNoConsent',
  'preciseGeoWithoutNotice',
];

/** Whether the findings of a section deny each of the three rules. */
export function deniedBy(findings: readonly GppFinding[]): { consent: boolean; ufpd: boolean; geo: boolean } {
  const anyOf = (rule: readonly GppFinding[]): boolean => findings.some((name) => rule.includes(name));
  return { consent: anyOf(CONSENT), ufpd: anyOf(UFPD), geo: anyOf(GEO) };
}
