/**
 * Dates of birth as people write them, to the eight digits DROP hashes.
 *
 * Read are `1776-07-04` (also with `/`, `.` or nothing between), `07/04/1776` (month first, as in the United States),
 * `July 4, 1776` and `4 July 1776`, with English month names or their first three letters. A year has four digits; a
 * guess at a century could name somebody else.
 * @module
 */

const MONTH_NAMES = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

/** `YYYYMMDD`, or `null` if the text is no date of the calendar. */
export function dateDigits(value: string): string | null {
  const text = value.trim().toLowerCase();
  const parts =
    /^(?<year>\d{4})[-/.](?<month>\d{1,2})[-/.](?<day>\d{1,2})$/.exec(text) ??
    /^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})$/.exec(text) ??
    /^(?<month>\d{1,2})[-/.](?<day>\d{1,2})[-/.](?<year>\d{4})$/.exec(text) ??
    /^(?<month>[a-z]{3,9})\.? +(?<day>\d{1,2})(?:st|nd|rd|th)?,? +(?<year>\d{4})$/.exec(text) ??
    /^(?<day>\d{1,2})(?:st|nd|rd|th)?[ -](?<month>[a-z]{3,9})\.?,?[ -](?<year>\d{4})$/.exec(text);
  if (parts?.groups === undefined) return null;
  const year = Number(parts.groups.year);
  const month = monthNumber(parts.groups.month ?? '');
  const day = Number(parts.groups.day);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1) return null; // a day the month does not have runs into another month
  return `${String(year).padStart(4, '0')}${String(month).padStart(2, '0')}${String(day).padStart(2, '0')}`;
}

/** 1 to 12, or NaN. */
function monthNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const index = MONTH_NAMES.findIndex((name) => text === name || text === name.slice(0, 3));
  return index < 0 ? Number.NaN : index + 1;
}
