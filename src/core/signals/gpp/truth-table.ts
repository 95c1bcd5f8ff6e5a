/**
 * The truth table: what each value of each field says, under the field names of the US national section.
 *
 * The values come from the section specifications (0 not applicable; notices 1 given, 2 not given; choices 1 opted out
 * or no consent, 2 not opted out or consent; 3 is never legal), the table from the rules that Prebid publishes for
 * usnat. A national field stands for every state field with the same meaning, so the table is the same for all.
 * @module
 */
import * as finding from './findings.js';

/** What the items of the sections' fields mean; `sections.ts` names one for every item. */
export type NationalField =
  | 'SharingNotice'
  | 'SaleOptOutNotice'
  | 'SharingOptOutNotice'
  | 'TargetedAdvertisingOptOutNotice'
  | 'SensitiveNotice'
  | 'SaleOptOut'
  | 'SharingOptOut'
  | 'TargetedAdvertisingOptOut'
  | 'SensitiveConsentable'
  | 'SensitiveOutOfScope'
  | 'SensitivePreciseGeo'
  | 'ChildUnder13'
  | 'ChildTeen'
  | 'PersonalDataConsents'
  | 'MspaCoveredTransaction'
  | 'MspaOptOutOptionMode'
  | 'MspaServiceProviderMode'
  | 'MspaMode';

/*
 * Five findings take two fields: a choice of 2 and a notice of 0. The choice sets the finding, the notice sets one of
 * these marks, and `settlePairs` takes back the findings whose mark is missing.
 */
const SALE_NOTICE_ZERO = 1 << 24;
const SHARING_NOTICE_ZERO = 1 << 25;
const TARGETED_ADVERTISING_NOTICE_ZERO = 1 << 26;
const SENSITIVE_NOTICE_ZERO = 1 << 27;
const MARKS_ALL = SALE_NOTICE_ZERO | SHARING_NOTICE_ZERO | TARGETED_ADVERTISING_NOTICE_ZERO | SENSITIVE_NOTICE_ZERO;
const PAIRED_ALL =
  finding.FINDING_SALE_WITHOUT_NOTICE |
  finding.FINDING_SHARING_WITHOUT_NOTICE |
  finding.FINDING_TARGETED_ADVERTISING_WITHOUT_NOTICE |
  finding.FINDING_SENSITIVE_WITHOUT_NOTICE |
  finding.FINDING_PRECISE_GEO_WITHOUT_NOTICE;

/** Findings and marks by field and value 0, 1, 2. */
const TRUTH_TABLE: Readonly<Record<NationalField, readonly [number, number, number]>> = {
  SharingNotice: [SHARING_NOTICE_ZERO, 0, finding.FINDING_SHARING_NOTICE_MISSING],
  SaleOptOutNotice: [SALE_NOTICE_ZERO, 0, finding.FINDING_SALE_NOTICE_MISSING],
  SharingOptOutNotice: [SHARING_NOTICE_ZERO, 0, finding.FINDING_SHARING_OPT_OUT_NOTICE_MISSING],
  TargetedAdvertisingOptOutNotice: [
    TARGETED_ADVERTISING_NOTICE_ZERO,
    0,
    finding.FINDING_TARGETED_ADVERTISING_NOTICE_MISSING,
  ],
  SensitiveNotice: [SENSITIVE_NOTICE_ZERO, 0, finding.FINDING_SENSITIVE_NOTICE_MISSING],
  SaleOptOut: [0, finding.FINDING_SALE_OPT_OUT, finding.FINDING_SALE_WITHOUT_NOTICE],
  SharingOptOut: [0, finding.FINDING_SHARING_OPT_OUT, finding.FINDING_SHARING_WITHOUT_NOTICE],
  TargetedAdvertisingOptOut: [
    0,
    finding.FINDING_TARGETED_ADVERTISING_OPT_OUT,
    finding.FINDING_TARGETED_ADVERTISING_WITHOUT_NOTICE,
  ],
  SensitiveConsentable: [0, finding.FINDING_SENSITIVE_NO_CONSENT, finding.FINDING_SENSITIVE_WITHOUT_NOTICE],
  SensitiveOutOfScope: [
    0,
    finding.FINDING_SENSITIVE_OUT_OF_SCOPE,
    finding.FINDING_SENSITIVE_OUT_OF_SCOPE | finding.FINDING_SENSITIVE_WITHOUT_NOTICE,
  ],
  SensitivePreciseGeo: [0, finding.FINDING_PRECISE_GEO_NO_CONSENT, finding.FINDING_PRECISE_GEO_WITHOUT_NOTICE],
  ChildUnder13: [0, finding.FINDING_CHILD_NO_CONSENT, finding.FINDING_CHILD_NO_CONSENT],
  ChildTeen: [0, finding.FINDING_CHILD_NO_CONSENT, 0],
  PersonalDataConsents: [0, 0, finding.FINDING_PERSONAL_DATA_CONSENT],
  MspaCoveredTransaction: [finding.FINDING_COVERED_TRANSACTION_ZERO, 0, 0],
  MspaOptOutOptionMode: [0, 0, 0],
  MspaServiceProviderMode: [0, finding.FINDING_SERVICE_PROVIDER_MODE, 0],
  MspaMode: [0, 0, finding.FINDING_SERVICE_PROVIDER_MODE],
};

/** What one value of one field says, in findings and marks. The marks stay until `settlePairs`. */
export function findingsOfValue(field: NationalField, value: number): number {
  const illegal = field === 'ChildUnder13' ? finding.FINDING_CHILD_NO_CONSENT : 0;
  return TRUTH_TABLE[field][value] ?? finding.FINDING_ILLEGAL_VALUE | illegal;
}

/** HOT. Turns the union over all fields of a section into its findings: a pair counts if both halves are there. */
export function settlePairs(union: number): number {
  if ((union & PAIRED_ALL) === 0) return union & ~MARKS_ALL;
  let missing = 0;
  if ((union & SALE_NOTICE_ZERO) === 0) missing |= finding.FINDING_SALE_WITHOUT_NOTICE;
  if ((union & SHARING_NOTICE_ZERO) === 0) missing |= finding.FINDING_SHARING_WITHOUT_NOTICE;
  if ((union & TARGETED_ADVERTISING_NOTICE_ZERO) === 0) missing |= finding.FINDING_TARGETED_ADVERTISING_WITHOUT_NOTICE;
  if ((union & SENSITIVE_NOTICE_ZERO) === 0) {
    missing |= finding.FINDING_SENSITIVE_WITHOUT_NOTICE | finding.FINDING_PRECISE_GEO_WITHOUT_NOTICE;
  }
  return union & ~(missing | MARKS_ALL);
}
