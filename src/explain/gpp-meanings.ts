/**
 * What each field of a GPP section means, for a person (IAB GPP, Sections/US-States).
 * @module
 */
import type { GppFieldValue } from '../core/signals/gpp/decode.js';

const CHOICE = ['not applicable', 'opted out', 'did not opt out'];
const NOTICE = ['not applicable', 'notice given', 'no notice given'];
const CONSENT = ['not applicable', 'no consent', 'consent'];
const YES_NO = ['not applicable', 'yes', 'no'];
const MSPA_MODE = ['not applicable', 'opt-out option mode', 'service provider mode'];
const LETTER: Readonly<Record<string, string>> = { Y: 'yes', N: 'no', '-': 'not applicable' };

/** Sections whose SensitiveDataProcessing says "opted out" rather than "no consent". */
const SENSITIVE_IS_CHOICE = new Set(['usca', 'usut', 'usia']);

const VIRGINIA_ORDER =
  'race or ethnicity|religion|health diagnosis|sexual orientation|immigration status|genetic|biometric|precise geolocation'.split(
    '|',
  );
const SENSITIVE_NAMES: Readonly<Record<string, readonly string[]>> = {
  usnat:
    'race or ethnicity|religion or philosophy|health|sex life or orientation|citizenship or immigration|genetic|biometric|precise geolocation|government identifiers|account with credentials|union membership|contents of messages|consumer health|victim of crime|national origin|transgender or nonbinary'.split(
      '|',
    ),
  usca: 'government identifiers|account with credentials|precise geolocation|race, religion or union|contents of messages|genetic|biometric|health|sex life or orientation'.split(
    '|',
  ),
  usut: 'race or ethnicity|religion|sexual orientation|immigration status|health|genetic|biometric|precise geolocation'.split(
    '|',
  ),
  usor: 'race or ethnicity|religion|health|sexual orientation|transgender or nonbinary|immigration status|national origin|victim of crime|genetic|biometric|precise geolocation'.split(
    '|',
  ),
  usde: [...VIRGINIA_ORDER, 'transgender or nonbinary'],
  usnj: [...VIRGINIA_ORDER, 'transgender or nonbinary', 'financial'],
};

const THREE_AGES = ['under 13', 'sale, 13 to 15', 'targeted ads, 13 to 15'];
const FIVE_AGES = [...THREE_AGES, 'sale, 16 to 17', 'targeted ads, 16 to 17'];
const CHILD_NAMES: Readonly<Record<string, readonly string[]>> = {
  usnat: ['13 to 16', 'under 13', '16 to 17'],
  usca: ['sale, under 16', 'sharing, under 16'],
  usfl: ['under 13', '13 to 15', '16 to 17'],
  usct: THREE_AGES,
  usmt: THREE_AGES,
  usor: THREE_AGES,
  usnh: THREE_AGES,
  usde: FIVE_AGES,
  usnj: FIVE_AGES,
};

/** What the value of a field says, in plain words; one entry per item for a field of several. */
export function meaningOf(prefix: string, field: string, value: GppFieldValue): readonly string[] {
  if (typeof value === 'boolean') return [value ? 'the browser sent Global Privacy Control' : 'not sent'];
  if (typeof value === 'string') return [LETTER[value] ?? 'not a legal value'];
  if (field.endsWith('Version') || field === 'SectionID') return [`version ${value}`];
  const words = wordsFor(prefix, field);
  if (typeof value === 'number') return [words[value] ?? 'not a legal value'];
  const names = field.startsWith('Sensitive') ? (SENSITIVE_NAMES[prefix] ?? VIRGINIA_ORDER) : CHILD_NAMES[prefix];
  return value.map((item, index) => `${names?.[index] ?? `item ${index + 1}`}: ${words[item] ?? 'not a legal value'}`);
}

function wordsFor(prefix: string, field: string): readonly string[] {
  if (field === 'MspaMode') return MSPA_MODE;
  if (field.startsWith('Mspa')) return YES_NO;
  if (field.endsWith('Notice')) return NOTICE;
  if (field === 'SensitiveDataProcessing') return SENSITIVE_IS_CHOICE.has(prefix) ? CHOICE : CONSENT;
  return field.endsWith('OptOut') ? CHOICE : CONSENT;
}

/** The fields each finding is read from; the last part of a reason code, and a pattern over field names. */
const READ_FROM: Readonly<Record<string, RegExp>> = {
  sale_opt_out: /^(SaleOptOut|OptOutSale)$/,
  sharing_opt_out: /^SharingOptOut$/,
  targeted_advertising_opt_out: /^TargetedAdvertisingOptOut$/,
  sale_notice_missing: /^SaleOptOutNotice$/,
  sharing_opt_out_notice_missing: /^SharingOptOutNotice$/,
  sharing_notice_missing: /^(SharingNotice|ProcessingNotice)$/,
  targeted_advertising_notice_missing: /^TargetedAdvertisingOptOutNotice$/,
  sale_without_notice: /^SaleOptOut$/,
  sharing_without_notice: /^SharingOptOut$/,
  targeted_advertising_without_notice: /^TargetedAdvertisingOptOut$/,
  sensitive_notice_missing: /^SensitiveData.*Notice$/,
  sensitive_out_of_scope: /^SensitiveDataProcessing$/,
  sensitive_no_consent: /^SensitiveDataProcessing$/,
  sensitive_without_notice: /^SensitiveDataProcessing$/,
  precise_geo_no_consent: /^SensitiveDataProcessing$/,
  precise_geo_without_notice: /^SensitiveDataProcessing$/,
  child_no_consent: /^KnownChild/,
  personal_data_consent: /^(PersonalDataConsents|AdditionalDataProcessingConsent)$/,
  service_provider_mode: /^(MspaServiceProviderMode|MspaMode)$/,
  gpc: /^Gpc$/,
  covered_transaction_zero: /^MspaCoveredTransaction$/,
  version_unknown: /Version$/,
};

/** The reasons of a decision that a field of a section led to. `us_privacy` stands for the string of that name. */
export function reasonsOfField(prefix: string, field: string, reasons: readonly string[]): readonly string[] {
  const start = prefix === 'us_privacy' ? 'usp.' : `gpp.${prefix}.`;
  return reasons.filter((code) => code.startsWith(start) && READ_FROM[code.slice(start.length)]?.test(field));
}
