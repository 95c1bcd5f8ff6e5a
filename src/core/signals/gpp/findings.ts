/**
 * What a US section of a GPP string can say against using a person's data: facts, one bit each.
 *
 * A finding states what the section holds under the names of the US national section (`sections.ts` maps the states'
 * fields to those); what follows from it is policy. A field that a section does not have never makes a finding.
 * @module
 */

/** The findings in bit order: the index of a finding is its bit. Append only. */
export const GPP_FINDINGS = [
  'saleOptOut',
  'sharingOptOut',
  'targetedAdvertisingOptOut',
  'saleNoticeMissing',
  'sharingOptOutNoticeMissing',
  'sharingNoticeMissing',
  'targetedAdvertisingNoticeMissing',
  'saleWithoutNotice',
  'sharingWithoutNotice',
  'targetedAdvertisingWithoutNotice',
  'sensitiveNoticeMissing',
  'sensitiveOutOfScope',
  'sensitiveNoConsent',
  'sensitiveWithoutNotice',
  'preciseGeoNoConsent',
  'preciseGeoWithoutNotice',
  'childNoConsent',
  'personalDataConsent',
  'serviceProviderMode',
  'gpc',
  'coveredTransactionZero',
  'illegalValue',
  'versionUnknown',
  'sectionMalformed',
] as const;
export type GppFinding = (typeof GPP_FINDINGS)[number];

/** SaleOptOut = 1. */
export const FINDING_SALE_OPT_OUT = 1 << 0;
/** SharingOptOut = 1. */
export const FINDING_SHARING_OPT_OUT = 1 << 1;
/** TargetedAdvertisingOptOut = 1. */
export const FINDING_TARGETED_ADVERTISING_OPT_OUT = 1 << 2;
/** SaleOptOutNotice = 2. */
export const FINDING_SALE_NOTICE_MISSING = 1 << 3;
/** SharingOptOutNotice = 2. */
export const FINDING_SHARING_OPT_OUT_NOTICE_MISSING = 1 << 4;
/** SharingNotice (in some states ProcessingNotice) = 2. */
export const FINDING_SHARING_NOTICE_MISSING = 1 << 5;
/** TargetedAdvertisingOptOutNotice = 2. */
export const FINDING_TARGETED_ADVERTISING_NOTICE_MISSING = 1 << 6;
/** SaleOptOutNotice = 0 and SaleOptOut = 2: a choice that nobody was told of. */
export const FINDING_SALE_WITHOUT_NOTICE = 1 << 7;
/** SharingOptOutNotice = 0 or SharingNotice = 0, and SharingOptOut = 2. */
export const FINDING_SHARING_WITHOUT_NOTICE = 1 << 8;
/** TargetedAdvertisingOptOutNotice = 0 and TargetedAdvertisingOptOut = 2. */
export const FINDING_TARGETED_ADVERTISING_WITHOUT_NOTICE = 1 << 9;
/** SensitiveDataProcessingOptOutNotice or SensitiveDataLimitUseNotice = 2. */
export const FINDING_SENSITIVE_NOTICE_MISSING = 1 << 10;
/** SensitiveDataProcessing 6, 7, 9, 10, 12, 14 or 16 is 1 or 2: data that has no place in advertising. */
export const FINDING_SENSITIVE_OUT_OF_SCOPE = 1 << 11;
/** SensitiveDataProcessing 1 to 5, 11, 13 or 15 = 1. */
export const FINDING_SENSITIVE_NO_CONSENT = 1 << 12;
/** A sensitive notice = 0 and any SensitiveDataProcessing but 8 = 2. */
export const FINDING_SENSITIVE_WITHOUT_NOTICE = 1 << 13;
/** SensitiveDataProcessing 8 (precise geolocation) = 1. */
export const FINDING_PRECISE_GEO_NO_CONSENT = 1 << 14;
/** A sensitive notice = 0 and SensitiveDataProcessing 8 = 2. */
export const FINDING_PRECISE_GEO_WITHOUT_NOTICE = 1 << 15;
/** KnownChildSensitiveDataConsents: not 0 for a child under 13, or 1 for a teenager. */
export const FINDING_CHILD_NO_CONSENT = 1 << 16;
/** PersonalDataConsents (in some states AdditionalDataProcessingConsent) = 2. */
export const FINDING_PERSONAL_DATA_CONSENT = 1 << 17;
/** MspaServiceProviderMode = 1, or MspaMode = 2. */
export const FINDING_SERVICE_PROVIDER_MODE = 1 << 18;
/** A GPC sub-section with Gpc = 1. */
export const FINDING_GPC = 1 << 19;
/** MspaCoveredTransaction = 0, which is not a legal value; also where a padded usnat core makes other readers see 0. */
export const FINDING_COVERED_TRANSACTION_ZERO = 1 << 20;
/** A two-bit field holds 3, which no field defines. */
export const FINDING_ILLEGAL_VALUE = 1 << 21;
/** A version of the section that this reader does not know; the fields were read all the same. */
export const FINDING_VERSION_UNKNOWN = 1 << 22;
/** The section cannot be read; no other finding of it can be trusted to be missing. */
export const FINDING_SECTION_MALFORMED = 1 << 23;

/** The names of the findings in a mask, in bit order. */
export function findingsOfMask(mask: number): readonly GppFinding[] {
  return GPP_FINDINGS.filter((_, bit) => (mask & (1 << bit)) !== 0);
}
