/**
 * THE TABLE of deadlines: by when an opt-out must have been complied with, by state, right and path.
 *
 * Data, with a citation and a mark for each row, so that counsel can correct it without touching code. The 45 days that are
 * often quoted are those of requests to know, delete and correct, of other states' opt-outs, and of the DROP cycle; they
 * have never been California's for opt-outs of sale and sharing.
 * @module
 */
import type { Right } from '../../core/vocabulary.js';
import type { Calendar } from './business-days.js';

/**
 * `bid`: the signal is on the request that is decided. `recorded`: it is a request in the ledger, which has to reach every enforcer.
 * `drop`: it came in a list of the Delete Request and Opt-out Platform.
 */
export type DeadlinePath = 'bid' | 'recorded' | 'drop';

/** `primary`: the text was read. `review`: a dated review that cites it. `secondary`: a summary. `unverified`: general knowledge. */
export type Confidence = 'primary' | 'review' | 'secondary' | 'unverified';

export type DeadlineTerm =
  /** On the same request: no time at all. */
  | { readonly kind: 'immediate' }
  | { readonly kind: 'business_days'; readonly count: number; readonly calendar: Calendar }
  | { readonly kind: 'calendar_days'; readonly count: number };

export type DeadlineRow = {
  /** Stable; what records and reports name. */
  readonly id: string;
  /** Two letters; `null`: any. */
  readonly states: readonly string[] | null;
  /** `null`: all. */
  readonly rights: readonly Right[] | null;
  readonly path: DeadlinePath;
  readonly citation: string;
  readonly confidence: Confidence;
} & DeadlineTerm;

/** All rights that are no request to delete. */
const OPT_OUTS: readonly Right[] = ['sale', 'share', 'targeted_ads', 'profiling', 'child'];
const BUSINESS_15 = { kind: 'business_days', count: 15, calendar: 'california_and_federal' } as const;

/**
 * The first row that fits holds. Where the state is not known, or has no row, California's hold: they are stricter than the
 * others'.
 */
export const DEADLINES: readonly DeadlineRow[] = [
  {
    id: 'bid',
    states: null,
    rights: null,
    path: 'bid',
    kind: 'immediate',
    citation: 'Civ. Code 1798.135(e); 11 CCR 7025(c)(1)',
    confidence: 'primary',
  },
  {
    id: 'drop',
    states: null,
    rights: null,
    path: 'drop',
    kind: 'calendar_days',
    count: 45,
    citation: 'Civ. Code 1798.99.86(c)',
    confidence: 'primary',
  },
  // 4 CCR 904-3 r.4.03 says "without undue delay" and gives no figure; California's is the ceiling here
  row('co', ['CO'], [...OPT_OUTS, 'sensitive'], BUSINESS_15, 'C.R.S. 6-1-1306(1)(a); 4 CCR 904-3 r.4.03', 'unverified'),
  row('nj', ['NJ'], [...OPT_OUTS, 'sensitive'], days(15), 'N.J.S.A. 56:8-166.4 et seq.', 'secondary'),
  row('ia', ['IA'], null, days(90), 'Iowa Code 715D', 'unverified'),
  row('ct', ['CT'], null, days(45), 'Conn. Gen. Stat. 42-515 et seq.', 'secondary'),
  row('va', ['VA'], null, days(45), 'Va. Code 59.1-575 et seq.', 'unverified'),
  row('ut', ['UT'], null, days(45), 'Utah Code 13-61-101 et seq.', 'unverified'),
  row('tx', ['TX'], null, days(45), 'Tex. Bus. & Com. Code ch. 541', 'unverified'),
  row('fl', ['FL'], null, days(45), 'Fla. Stat. 501.701 et seq.', 'unverified'),
  row('or', ['OR'], null, days(45), 'ORS 646A.570-.589', 'unverified'),
  row('mt', ['MT'], null, days(45), 'MCA 30-14-2801 et seq.', 'unverified'),
  row('de', ['DE'], null, days(45), '6 Del. C. 12D', 'unverified'),
  row('ne', ['NE'], null, days(45), 'Neb. Rev. Stat. 87-1101 et seq.', 'unverified'),
  row('nh', ['NH'], null, days(45), 'RSA 507-H', 'unverified'),
  row('tn', ['TN'], null, days(45), 'Tenn. Code 47-18-3301 et seq.', 'unverified'),
  row('mn', ['MN'], null, days(45), 'Minn. Stat. 325M.10-.21', 'unverified'),
  row('md', ['MD'], null, days(45), 'Md. Com. Law 14-4701 et seq.', 'unverified'),
  row('in', ['IN'], null, days(45), 'Ind. Code 24-15', 'unverified'),
  row('ky', ['KY'], null, days(45), 'KRS 367.3611-.3629', 'unverified'),
  row('ri', ['RI'], null, days(45), 'R.I. Gen. Laws 6-48.1', 'unverified'),
  row('co-nj-deletion', ['CO', 'NJ'], ['deletion'], days(45), 'C.R.S. 6-1-1306(2); N.J.S.A. 56:8-166.4', 'unverified'),
  row('ca-opt-out', null, ['sale', 'share', 'targeted_ads', 'child'], BUSINESS_15, '11 CCR 7026(f)(1)', 'secondary'),
  row('ca-sensitive', null, ['sensitive'], BUSINESS_15, '11 CCR 7027(g)(1)', 'unverified'),
  row('ca-profiling', null, ['profiling'], BUSINESS_15, '11 CCR 7221(n)(1)', 'primary'),
  row('ca-deletion', null, ['deletion'], days(45), 'Civ. Code 1798.130(a)(2); 11 CCR 7021(b)', 'unverified'),
];

function row(
  id: string,
  states: readonly string[] | null,
  rights: readonly Right[] | null,
  term: DeadlineTerm,
  citation: string,
  confidence: Confidence,
): DeadlineRow {
  return { id, states, rights, path: 'recorded', ...term, citation, confidence };
}

function days(count: number): DeadlineTerm {
  return { kind: 'calendar_days', count };
}

/** The row that holds for one right. */
export function deadlineRow(state: string | null, right: Right, path: DeadlinePath): DeadlineRow {
  const fits = ({ states, rights, path: rowPath }: DeadlineRow) =>
    rowPath === path &&
    (states === null || (state !== null && states.includes(state))) &&
    (rights === null || rights.includes(right));
  const found = DEADLINES.find(fits);
  if (found === undefined) throw new Error('unreachable: a row without states fits every right');
  return found;
}
