/**
 * Business days: all but Saturdays, Sundays and the holidays of a calendar.
 *
 * Holidays are rules, one row each, so that no year runs out. The law says "business days" and names no calendar
 * (11 CCR 7026(f)); `california_and_federal` skips a day only where both calendars do, so a deadline is never later than by
 * any reading.
 * @module
 */
import { type Day, dayOf, weekdayOf, yearOf } from './local-days.js';

export const CALENDARS = ['us_federal', 'california', 'california_and_federal'] as const;
export type Calendar = (typeof CALENDARS)[number];

/** What a fixed date on a weekend moves to: `nearest`: Friday or Monday; `monday`: a Sunday to Monday, a Saturday to nothing. */
type Observed = 'nearest' | 'monday';

type HolidayRule = { readonly name: string } & (
  | { readonly month: number; readonly day: number; readonly observed: Observed }
  /** `nth` from 1; -1: the last of the month. `plus`: days later. */
  | { readonly month: number; readonly weekday: number; readonly nth: number; readonly plus?: number }
);

const [MONDAY, THURSDAY] = [1, 4];

/** 5 U.S.C. 6103(a); on a weekend: (b) and Executive Order 11582. */
const FEDERAL: readonly HolidayRule[] = [
  { name: "New Year's Day", month: 1, day: 1, observed: 'nearest' },
  { name: 'Martin Luther King, Jr.', month: 1, weekday: MONDAY, nth: 3 },
  { name: "Washington's Birthday", month: 2, weekday: MONDAY, nth: 3 },
  { name: 'Memorial Day', month: 5, weekday: MONDAY, nth: -1 },
  { name: 'Juneteenth', month: 6, day: 19, observed: 'nearest' },
  { name: 'Independence Day', month: 7, day: 4, observed: 'nearest' },
  { name: 'Labor Day', month: 9, weekday: MONDAY, nth: 1 },
  { name: 'Columbus Day', month: 10, weekday: MONDAY, nth: 2 },
  { name: 'Veterans Day', month: 11, day: 11, observed: 'nearest' },
  { name: 'Thanksgiving', month: 11, weekday: THURSDAY, nth: 4 },
  { name: 'Christmas', month: 12, day: 25, observed: 'nearest' },
];

/** Days on which offices of the state are closed: Gov. Code 19853; on a Sunday, and Veterans Day on a Saturday: 6701. */
const CALIFORNIA: readonly HolidayRule[] = [
  { name: "New Year's Day", month: 1, day: 1, observed: 'monday' },
  { name: 'Martin Luther King, Jr.', month: 1, weekday: MONDAY, nth: 3 },
  { name: "Presidents' Day", month: 2, weekday: MONDAY, nth: 3 },
  { name: 'Cesar Chavez Day', month: 3, day: 31, observed: 'monday' },
  { name: 'Memorial Day', month: 5, weekday: MONDAY, nth: -1 },
  { name: 'Independence Day', month: 7, day: 4, observed: 'monday' },
  { name: 'Labor Day', month: 9, weekday: MONDAY, nth: 1 },
  { name: 'Veterans Day', month: 11, day: 11, observed: 'nearest' },
  { name: 'Thanksgiving', month: 11, weekday: THURSDAY, nth: 4 },
  { name: 'Day after Thanksgiving', month: 11, weekday: THURSDAY, nth: 4, plus: 1 },
  { name: 'Christmas', month: 12, day: 25, observed: 'monday' },
];

const RULES = { us_federal: FEDERAL, california: CALIFORNIA } as const;

/** The holidays of a calendar that are observed in a year, in order; weekends are not among them. */
export function holidaysOf(calendar: Calendar, year: number): readonly Day[] {
  if (calendar === 'california_and_federal') {
    const federal = holidaysOf('us_federal', year);
    return holidaysOf('california', year).filter((day) => federal.includes(day));
  }
  // New Year's Day on a Saturday is observed in the year before
  const days = [...RULES[calendar].map((rule) => observedDay(rule, year)), observedDay(RULES[calendar][0], year + 1)];
  return days.filter((day) => yearOf(day) === year && !isWeekend(day)).sort((a, b) => a - b);
}

function observedDay(rule: HolidayRule | undefined, year: number): Day {
  if (rule === undefined) throw new Error('unreachable: every calendar has rules');
  if ('weekday' in rule) return nthWeekday(year, rule.month, rule.weekday, rule.nth) + (rule.plus ?? 0);
  const day = dayOf(year, rule.month, rule.day);
  if (weekdayOf(day) === 0) return day + 1;
  return weekdayOf(day) === 6 && rule.observed === 'nearest' ? day - 1 : day;
}

function nthWeekday(year: number, month: number, weekday: number, nth: number): Day {
  if (nth > 0) {
    const first = dayOf(year, month, 1);
    return first + ((weekday - weekdayOf(first) + 7) % 7) + (nth - 1) * 7;
  }
  const last = dayOf(year, month + 1, 1) - 1;
  return last - ((weekdayOf(last) - weekday + 7) % 7);
}

function isWeekend(day: Day): boolean {
  return weekdayOf(day) === 0 || weekdayOf(day) === 6;
}

const holidaySets = new Map<string, ReadonlySet<Day>>();

/** Whether business is done on a day. */
export function isBusinessDay(day: Day, calendar: Calendar): boolean {
  if (isWeekend(day)) return false;
  const key = `${calendar} ${yearOf(day)}`;
  let holidays = holidaySets.get(key);
  if (holidays === undefined) {
    holidays = new Set(holidaysOf(calendar, yearOf(day)));
    holidaySets.set(key, holidays);
  }
  return !holidays.has(day);
}

/** The business day that is `count` business days after a day, which itself is not counted; before it, if negative. */
export function addBusinessDays(day: Day, count: number, calendar: Calendar): Day {
  const step = Math.sign(count);
  let at = day;
  for (let left = Math.abs(count); left > 0; ) {
    at += step;
    if (isBusinessDay(at, calendar)) left--;
  }
  return at;
}
