/**
 * Deadlines as one would count them on a wall calendar: holidays from published lists, days found by asking the clock of the
 * zone hour by hour. Slow, and knows nothing of rules or offsets.
 * @module
 */

/** Observed holidays of the United States, as the Office of Personnel Management lists them. */
export const FEDERAL_HOLIDAYS: Readonly<Record<number, string>> = {
  2024: '01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25',
  2025: '01-01 01-20 02-17 05-26 06-19 07-04 09-01 10-13 11-11 11-27 12-25',
  2026: '01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25',
  2027: '01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31',
  2028: '01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25',
};

/** Holidays of California's offices, as its Department of Human Resources lists them. */
export const CALIFORNIA_HOLIDAYS: Readonly<Record<number, string>> = {
  2024: '01-01 01-15 02-19 04-01 05-27 07-04 09-02 11-11 11-28 11-29 12-25',
  2025: '01-01 01-20 02-17 03-31 05-26 07-04 09-01 11-11 11-27 11-28 12-25',
  2026: '01-01 01-19 02-16 03-31 05-25 09-07 11-11 11-26 11-27 12-25',
  2027: '01-01 01-18 02-15 03-31 05-31 07-05 09-06 11-11 11-25 11-26',
  2028: '01-17 02-21 03-31 05-29 07-04 09-04 11-10 11-23 11-24 12-25',
};

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const clocks = new Map<string, Intl.DateTimeFormat>();

/** `YYYY-MM-DD` on the clocks of a zone. */
export function dateIn(ms: number, timeZone: string): string {
  const clock = clocks.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone });
  clocks.set(timeZone, clock);
  return clock.format(ms);
}

function isOpen(date: string): boolean {
  const [year, monthDay] = [Number(date.slice(0, 4)), date.slice(5)];
  const weekday = new Date(`${date}T12:00:00Z`).getUTCDay();
  if (weekday === 0 || weekday === 6) return false;
  const lists = [FEDERAL_HOLIDAYS[year], CALIFORNIA_HOLIDAYS[year]];
  return !lists.every((list) => (list ?? '').split(' ').includes(monthDay));
}

/** When the last of `count` days after that of receipt is over. */
export function endOfCountedDays(
  receivedAtMs: number,
  timeZone: string,
  count: number,
  counts: 'business_days' | 'calendar_days',
): { readonly dueOn: string; readonly dueAtMs: number } {
  let date = dateIn(receivedAtMs, timeZone);
  let ms = receivedAtMs;
  for (let left = count; ; ) {
    if (left === 0) {
      // the day is over with the first minute of another date
      let end = ms - (ms % MINUTE_MS) + MINUTE_MS;
      while (dateIn(end, timeZone) === date) end += HOUR_MS;
      while (dateIn(end - MINUTE_MS, timeZone) !== date) end -= MINUTE_MS;
      return { dueOn: date, dueAtMs: end };
    }
    while (dateIn(ms, timeZone) === date) ms += HOUR_MS;
    date = dateIn(ms, timeZone);
    if (counts === 'calendar_days' || isOpen(date)) left--;
  }
}
