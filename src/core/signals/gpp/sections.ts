/**
 * THE TABLE of US sections: which fields each has, in wire order, and what each item means in national terms
 * (IAB GPP, Sections/US-National and Sections/US-States). A new state is a row here.
 *
 * Two-bit fields only; the version comes first. Section 6 (uspv1) is text and has no row.
 * @module
 */
import { defineLayout, type Field, type Layout, list, single, type VersionField } from './layout.js';
import type { NationalField } from './truth-table.js';

export interface Section {
  readonly id: number;
  readonly prefix: string;
  /** One for each wire layout, the shorter first. */
  readonly layouts: readonly Layout[];
  /**
   * What may follow the core. A section that defines nothing (`none`) is read as if it defined GPC: some writers append
   * one, and what it says is an opt-out all the same.
   */
  readonly subsection: 'gpc' | 'none' | Layout;
  /** The specification puts a section header before the core; the libraries do not write one. Both are read. */
  readonly mayHaveHeader: boolean;
}

const NAT_VERSION: VersionField = { name: 'Version', known: [1, 2] };
const STATE_VERSION: VersionField = { name: 'Version', known: [1] };
/**
 * The version of the contract, not of the layout: any small number will do, and a large one means that something other
 * than this layout is on the wire (24 to 27, for one, would be a section header that lost its core).
 */
const MSPA_VERSION: VersionField = { name: 'MspaVersion', known: Array.from({ length: 15 }, (_, index) => index + 1) };

const SHARING_NOTICE = single('SharingNotice', 'SharingNotice');
const PROCESSING_NOTICE = single('ProcessingNotice', 'SharingNotice');
const SALE_NOTICE = single('SaleOptOutNotice', 'SaleOptOutNotice');
const SHARING_OPT_OUT_NOTICE = single('SharingOptOutNotice', 'SharingOptOutNotice');
const TARGETING_NOTICE = single('TargetedAdvertisingOptOutNotice', 'TargetedAdvertisingOptOutNotice');
const SENSITIVE_NOTICE = single('SensitiveDataProcessingOptOutNotice', 'SensitiveNotice');
const SENSITIVE_NOTICE_IOWA = single('SensitiveDataOptOutNotice', 'SensitiveNotice');
const SENSITIVE_LIMIT_NOTICE = single('SensitiveDataLimitUseNotice', 'SensitiveNotice');
const SALE = single('SaleOptOut', 'SaleOptOut');
const SHARING = single('SharingOptOut', 'SharingOptOut');
const TARGETING = single('TargetedAdvertisingOptOut', 'TargetedAdvertisingOptOut');
const PERSONAL_DATA = single('PersonalDataConsents', 'PersonalDataConsents');
const ADDITIONAL_PROCESSING = single('AdditionalDataProcessingConsent', 'PersonalDataConsents');
const COVERED = single('MspaCoveredTransaction', 'MspaCoveredTransaction');
const MSPA: readonly Field[] = [
  COVERED,
  single('MspaOptOutOptionMode', 'MspaOptOutOptionMode'),
  single('MspaServiceProviderMode', 'MspaServiceProviderMode'),
];

/** The treatment of each national SensitiveDataProcessing item, by its number from 1. */
const SENSITIVE: readonly NationalField[] = [
  'SensitiveConsentable', // 1 racial or ethnic origin
  'SensitiveConsentable', // 2 religious or philosophical beliefs
  'SensitiveConsentable', // 3 health
  'SensitiveConsentable', // 4 sex life or orientation
  'SensitiveConsentable', // 5 citizenship or immigration status
  'SensitiveOutOfScope', // 6 genetic data
  'SensitiveOutOfScope', // 7 biometric data
  'SensitivePreciseGeo', // 8 precise geolocation
  'SensitiveOutOfScope', // 9 government identifiers
  'SensitiveOutOfScope', // 10 account and financial credentials
  'SensitiveConsentable', // 11 union membership
  'SensitiveOutOfScope', // 12 contents of private communications
  'SensitiveConsentable', // 13 consumer health data
  'SensitiveOutOfScope', // 14 victim of a crime
  'SensitiveConsentable', // 15 national origin
  'SensitiveOutOfScope', // 16 transgender or nonbinary status
];

/** SensitiveDataProcessing of a state: the national number of each of its items. */
function sensitive(...nationalNumbers: readonly number[]): Field {
  return list('SensitiveDataProcessing', nationalNumbers.map(sensitiveItem));
}

function sensitiveItem(nationalNumber: number): NationalField {
  const item = SENSITIVE[nationalNumber - 1];
  if (item === undefined) throw new RangeError(`expected a national number of 1 to 16, got ${nationalNumber}`);
  return item;
}

const SENSITIVE_8 = sensitive(1, 2, 3, 4, 5, 6, 7, 8);

/**
 * KnownChildSensitiveDataConsents. `ChildUnder13`: any value but 0 counts (so it is, too, for the ages that Prebid maps
 * there: every item of California and Connecticut, the single value of the other states).
 */
const CHILD_SINGLE = single('KnownChildSensitiveDataConsents', 'ChildUnder13');
const CHILD_NAT_V1 = list('KnownChildSensitiveDataConsents', ['ChildTeen', 'ChildUnder13']);
const CHILD_NAT_V2 = list('KnownChildSensitiveDataConsents', ['ChildTeen', 'ChildUnder13', 'ChildTeen']);
const CHILD_CALIFORNIA = list('KnownChildSensitiveDataConsents', ['ChildUnder13', 'ChildUnder13']);
const CHILD_CONNECTICUT = list('KnownChildSensitiveDataConsents', ['ChildUnder13', 'ChildUnder13', 'ChildUnder13']);
const CHILD_3 = list('KnownChildSensitiveDataConsents', ['ChildUnder13', 'ChildTeen', 'ChildTeen']);
const CHILD_5 = list('KnownChildSensitiveDataConsents', [
  'ChildUnder13',
  'ChildTeen',
  'ChildTeen',
  'ChildTeen',
  'ChildTeen',
]);

const NAT_UP_TO_CHOICES: readonly Field[] = [
  SHARING_NOTICE,
  SALE_NOTICE,
  SHARING_OPT_OUT_NOTICE,
  TARGETING_NOTICE,
  SENSITIVE_NOTICE,
  SENSITIVE_LIMIT_NOTICE,
  SALE,
  SHARING,
  TARGETING,
];
const NAT_V1 = defineLayout(1, NAT_VERSION, [
  ...NAT_UP_TO_CHOICES,
  sensitive(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
  CHILD_NAT_V1,
  PERSONAL_DATA,
  ...MSPA,
]);
const NAT_V2 = defineLayout(2, NAT_VERSION, [
  ...NAT_UP_TO_CHOICES,
  sensitive(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
  CHILD_NAT_V2,
  PERSONAL_DATA,
  ...MSPA,
]);

const SHARING_STATE: readonly Field[] = [SHARING_NOTICE, SALE_NOTICE, TARGETING_NOTICE, SALE, TARGETING];
const STATE: readonly Field[] = [PROCESSING_NOTICE, SALE_NOTICE, TARGETING_NOTICE, SALE, TARGETING];
const MSPA_STATE: readonly Field[] = [COVERED, single('MspaMode', 'MspaMode'), ...STATE];
const MSPA_STATE_WITH_CHILD: readonly Field[] = [...MSPA_STATE, CHILD_SINGLE, ADDITIONAL_PROCESSING];
const SENSITIVE_SUBSECTION = defineLayout(1, null, [SENSITIVE_8]);

/** A section of the usual kind: version 1, no section header. */
function state(id: number, prefix: string, subsection: 'gpc' | 'none', fields: readonly Field[]): Section {
  const layouts = [defineLayout(1, STATE_VERSION, [...fields, ...MSPA])];
  return { id, prefix, layouts, subsection, mayHaveHeader: false };
}

/** A section of the kind that begins with the MSPA fields and has a section header in its specification. */
function mspaState(id: number, prefix: string, subsection: 'gpc' | Layout, fields: readonly Field[]): Section {
  return { id, prefix, layouts: [defineLayout(1, MSPA_VERSION, fields)], subsection, mayHaveHeader: true };
}

/** Every US section that has fields, by rising id. */
export const US_SECTIONS: readonly Section[] = [
  { id: 7, prefix: 'usnat', layouts: [NAT_V1, NAT_V2], subsection: 'gpc', mayHaveHeader: false },
  state(8, 'usca', 'gpc', [
    SALE_NOTICE,
    SHARING_OPT_OUT_NOTICE,
    SENSITIVE_LIMIT_NOTICE,
    SALE,
    SHARING,
    // Item 4 is national 1 and 2 in one; both are treated alike.
    sensitive(9, 10, 8, 1, 12, 6, 7, 3, 4),
    CHILD_CALIFORNIA,
    PERSONAL_DATA,
  ]),
  state(9, 'usva', 'none', [...SHARING_STATE, SENSITIVE_8, CHILD_SINGLE]),
  state(10, 'usco', 'gpc', [...SHARING_STATE, sensitive(1, 2, 3, 4, 5, 6, 7), CHILD_SINGLE]),
  state(11, 'usut', 'none', [
    SHARING_NOTICE,
    SALE_NOTICE,
    TARGETING_NOTICE,
    SENSITIVE_NOTICE,
    SALE,
    TARGETING,
    sensitive(1, 2, 4, 5, 3, 6, 7, 8),
    CHILD_SINGLE,
  ]),
  state(12, 'usct', 'gpc', [...SHARING_STATE, SENSITIVE_8, CHILD_CONNECTICUT]),
  state(13, 'usfl', 'none', [...STATE, SENSITIVE_8, CHILD_3, ADDITIONAL_PROCESSING]),
  state(14, 'usmt', 'gpc', [...SHARING_STATE, SENSITIVE_8, CHILD_3, ADDITIONAL_PROCESSING]),
  state(15, 'usor', 'gpc', [...STATE, sensitive(1, 2, 3, 4, 16, 5, 15, 14, 6, 7, 8), CHILD_3, ADDITIONAL_PROCESSING]),
  state(16, 'ustx', 'gpc', [...STATE, SENSITIVE_8, CHILD_SINGLE, ADDITIONAL_PROCESSING]),
  state(17, 'usde', 'gpc', [...STATE, sensitive(1, 2, 3, 4, 5, 6, 7, 8, 16), CHILD_5, ADDITIONAL_PROCESSING]),
  state(18, 'usia', 'gpc', [
    PROCESSING_NOTICE,
    SALE_NOTICE,
    TARGETING_NOTICE,
    SENSITIVE_NOTICE_IOWA,
    SALE,
    TARGETING,
    SENSITIVE_8,
    CHILD_SINGLE,
  ]),
  state(19, 'usne', 'gpc', [...STATE, SENSITIVE_8, CHILD_SINGLE, ADDITIONAL_PROCESSING]),
  state(20, 'usnh', 'gpc', [...STATE, SENSITIVE_8, CHILD_3, ADDITIONAL_PROCESSING]),
  state(21, 'usnj', 'gpc', [...STATE, sensitive(1, 2, 3, 4, 5, 6, 7, 8, 16, 10), CHILD_5, ADDITIONAL_PROCESSING]),
  state(22, 'ustn', 'gpc', [...STATE, SENSITIVE_8, CHILD_SINGLE, ADDITIONAL_PROCESSING]),
  state(23, 'usmn', 'gpc', [...STATE, SENSITIVE_8, CHILD_SINGLE, ADDITIONAL_PROCESSING]),
  mspaState(24, 'usmd', 'gpc', [...MSPA_STATE, ADDITIONAL_PROCESSING]),
  mspaState(25, 'usin', SENSITIVE_SUBSECTION, MSPA_STATE_WITH_CHILD),
  mspaState(26, 'usky', SENSITIVE_SUBSECTION, MSPA_STATE_WITH_CHILD),
  mspaState(27, 'usri', SENSITIVE_SUBSECTION, MSPA_STATE_WITH_CHILD),
];

/** Section 6: the US Privacy string, as text. */
export const USPV1_SECTION_ID = 6;
export const USPV1_PREFIX = 'uspv1';

/** The ids of all US sections. */
export const US_SECTION_IDS: readonly number[] = [USPV1_SECTION_ID, ...US_SECTIONS.map((section) => section.id)];
export const US_SECTION_ID_LAST = 27;

/** The section with fields of an id. */
export const SECTION_BY_ID: readonly (Section | undefined)[] = Array.from({ length: US_SECTION_ID_LAST + 1 }, (_, id) =>
  US_SECTIONS.find((section) => section.id === id),
);

/** The API prefix of a US section (`usca`); for any other id a name made from its number (`section28`). */
export function prefixOf(id: number): string {
  return id === USPV1_SECTION_ID ? USPV1_PREFIX : (SECTION_BY_ID[id]?.prefix ?? `section${id}`);
}

/** The id of a US section by its API prefix, or `undefined`. */
export function sectionIdOf(prefix: string): number | undefined {
  return US_SECTION_IDS.find((id) => prefixOf(id) === prefix);
}
