/**
 * Which US state's law governs a request, and since when that law asks for opt-out preference signals (GPC).
 *
 * The jurisdiction labels a decision and, under `honor: 'by_state'`, selects whether GPC counts. Everything the law
 * says is a row here, with its citation, so that counsel can correct it without touching code.
 * @module
 */

/** `'CA'` and so on: that state. `'US'`: the United States, state not known. `'outside_us'`: a known other country. */
export type Jurisdiction = string;
export const UNKNOWN_JURISDICTION: Jurisdiction = 'unknown';
export const OUTSIDE_US: Jurisdiction = 'outside_us';
export const US_STATE_UNKNOWN: Jurisdiction = 'US';

export interface StateLaw {
  /** ISO 3166-2 code without `US-`. */
  readonly state: string;
  readonly law: string;
  readonly citation: string;
  /** First day the law is in force, `YYYY-MM-DD`. */
  readonly effective: string;
  /** First day an opt-out preference signal must be honoured; `null` where the law has no such duty. */
  readonly gpcSince: string | null;
  readonly gpcCitation: string | null;
  /** The state's GPP section id; `null` where none is registered. */
  readonly gppSectionId: number | null;
}

type Row = readonly [string, string, string, string, string | null, string | null, number | null];

/** As of 2026-11-23. Where the duty is conditional or disputed, the signal is honoured from the date on. */
// biome-ignore format: one state a line
const ROWS: readonly Row[] = [
  ['CA', 'California Consumer Privacy Act', 'Civ. Code 1798.100-.199.100; 11 CCR 7000-7304', '2020-01-01', '2020-08-14', 'Civ. Code 1798.135(b),(e); 11 CCR 7025', 8],
  ['CO', 'Colorado Privacy Act', 'C.R.S. 6-1-1301 et seq.; 4 CCR 904-3', '2023-07-01', '2024-07-01', 'C.R.S. 6-1-1306(1)(a)(IV)(B); 4 CCR 904-3 r.5.02-5.09', 10],
  ['CT', 'Connecticut Data Privacy Act', 'Conn. Gen. Stat. 42-515 et seq.', '2023-07-01', '2025-01-01', 'Conn. Gen. Stat. 42-520(e)(1)(A)(ii)', 12],
  ['VA', 'Virginia Consumer Data Protection Act', 'Va. Code 59.1-575 et seq.', '2023-01-01', null, null, 9],
  ['UT', 'Utah Consumer Privacy Act', 'Utah Code 13-61-101 et seq.', '2023-12-31', null, null, 11],
  ['TX', 'Texas Data Privacy and Security Act', 'Bus. & Com. Code ch. 541', '2024-07-01', '2025-01-01', 'Bus. & Com. Code 541.055(e)-(f)', 16],
  ['FL', 'Florida Digital Bill of Rights', 'Fla. Stat. 501.701 et seq.', '2024-07-01', null, null, 13],
  ['OR', 'Oregon Consumer Privacy Act', 'ORS 646A.570-.589', '2024-07-01', '2026-01-01', 'ORS 646A.578(5)(c)', 15],
  ['MT', 'Montana Consumer Data Privacy Act', 'MCA 30-14-2801 et seq.', '2024-10-01', '2025-01-01', 'MCA 30-14-2809', 14],
  ['DE', 'Delaware Personal Data Privacy Act', '6 Del. C. 12D', '2025-01-01', '2026-01-01', '6 Del. C. 12D-106(e)(1)a.2', 17],
  ['IA', 'Iowa Consumer Data Protection Act', 'Iowa Code 715D', '2025-01-01', null, null, 18],
  ['NE', 'Nebraska Data Privacy Act', 'Neb. Rev. Stat. 87-1101 et seq.', '2025-01-01', '2025-01-01', 'Neb. Rev. Stat. 87-1111(5)-(6)', 19],
  ['NH', 'New Hampshire privacy act', 'RSA 507-H', '2025-01-01', '2025-01-01', 'RSA 507-H:6 V(a)(1)(B)', 20],
  ['NJ', 'New Jersey Data Privacy Act', 'N.J.S.A. 56:8-166.4 et seq.', '2025-01-15', '2025-07-15', 'N.J.S.A. 56:8-166.11(b)(1)', 21],
  ['TN', 'Tennessee Information Protection Act', 'Tenn. Code 47-18-3301 et seq.', '2025-07-01', null, null, 22],
  ['MN', 'Minnesota Consumer Data Privacy Act', 'Minn. Stat. 325M.10-.21', '2025-07-31', '2025-07-31', 'Minn. Stat. 325M.14 subd. 3', 23],
  ['MD', 'Maryland Online Data Privacy Act', 'Md. Com. Law 14-4701 et seq.', '2025-10-01', '2025-10-01', 'Md. Com. Law 14-4707(f)(3),(g)(2)', 24],
  ['IN', 'Indiana Consumer Data Protection Act', 'Ind. Code 24-15', '2026-01-01', null, null, 25],
  ['KY', 'Kentucky Consumer Data Protection Act', 'KRS 367.3611-.3629', '2026-01-01', null, null, 26],
  ['RI', 'Rhode Island Data Transparency and Privacy Protection Act', 'R.I. Gen. Laws 6-48.1', '2026-01-01', null, null, 27],
  ['OK', 'Oklahoma Consumer Data Privacy Act', 'SB 546 (2026)', '2027-01-01', null, null, null],
  ['LA', 'Louisiana Data Privacy Act', 'La. R.S. 51:1780.1-.5', '2027-01-01', '2027-01-01', 'La. R.S. 51:1780.1-.5', null],
  ['AL', 'Alabama Personal Data Protection Act', 'HB 351 (2026)', '2027-05-01', '2027-05-01', 'HB 351 (2026); duty not confirmed, honoured', null],
  ['VT', 'Vermont Data Privacy and Online Surveillance Act', 'S.71, Act 145 (2026)', '2028-01-01', '2028-01-01', 'S.71, Act 145 (2026)', null],
];

export const STATE_LAWS: readonly StateLaw[] = ROWS.map(
  ([state, law, citation, effective, gpcSince, gpcCitation, gppSectionId]) =>
    ({ state, law, citation, effective, gpcSince, gpcCitation, gppSectionId }) as const,
);

/** Moment from which GPC must be honoured, per state, milliseconds since the epoch (UTC). */
const GPC_SINCE_MS = new Map(
  STATE_LAWS.flatMap((row) => (row.gpcSince === null ? [] : [[row.state, Date.parse(row.gpcSince)] as const])),
);

/** United States and its territories, ISO 3166-1 alpha-3 (OpenRTB's form) and alpha-2 (seen in the wild). */
const US_COUNTRIES = new Set('USA US PRI PR GUM GU VIR VI ASM AS MNP MP UMI UM'.split(' '));
const COUNTRY = /^[A-Za-z]{2,3}$/;
const STATE = /^(?:US-)?([A-Za-z]{2})$/i;

/** The states and the District of Columbia; territories count as "US, state not known". */
export const STATES: ReadonlySet<string> = new Set(
  (
    'AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA ' +
    'RI SC SD TN TX UT VT VA WA WV WI WY'
  ).split(' '),
);

/** Whether it is known under which law the person is: one state's, or none of the US. */
export function isStateOrAbroad(jurisdiction: Jurisdiction): boolean {
  return jurisdiction !== UNKNOWN_JURISDICTION && jurisdiction !== US_STATE_UNKNOWN;
}

/**
 * HOT. The jurisdiction of one place (a `geo` object, or what the caller says).
 * @param country ISO 3166-1 alpha-3 or alpha-2, any case; anything else counts as not known.
 * @param region ISO 3166-2, with or without `US-`. Without a country it proves nothing and is ignored.
 */
export function jurisdictionOf(country: string | null, region: string | null): Jurisdiction {
  if (country === null) return UNKNOWN_JURISDICTION;
  // The common spelling first: patterns cost 90 ns, a fifth of a check.
  if (country === 'USA' && (region === null || STATES.has(region))) return region ?? US_STATE_UNKNOWN;
  if (!COUNTRY.test(country)) return UNKNOWN_JURISDICTION;
  if (!(country === 'USA' || US_COUNTRIES.has(country.toUpperCase()))) return OUTSIDE_US;
  if (region === null) return US_STATE_UNKNOWN;
  const state = STATE.exec(region)?.[1]?.toUpperCase();
  return state !== undefined && STATES.has(state) ? state : US_STATE_UNKNOWN;
}

/** True where GPC counts under `honor: 'by_state'`: a state whose duty has begun, or a place in the US not known better. */
export function gpcDutyIn(jurisdiction: Jurisdiction, nowMs: number): boolean {
  if (jurisdiction === UNKNOWN_JURISDICTION || jurisdiction === US_STATE_UNKNOWN) return true;
  const sinceMs = GPC_SINCE_MS.get(jurisdiction);
  return sinceMs !== undefined && nowMs >= sinceMs;
}
