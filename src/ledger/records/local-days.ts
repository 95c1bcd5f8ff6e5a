/**
 * Days as people count them: the day a moment falls on in a time zone, and the moment a day begins there.
 *
 * A day is a whole number, days since 1 January 1970, so that days can be counted without a clock. No zone of the United
 * States has changed its clocks at midnight, so every day begins once.
 * @module
 */

/** Days since 1970-01-01. */
export type Day = number;

const DAY_MS = 86_400_000;

/** IANA zones of states; of a state with two, the one most people live in. Others: {@link DEFAULT_TIME_ZONE}. */
const STATE_TIME_ZONES: Readonly<Record<string, string>> = {
  ...zone('America/New_York', 'CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV'),
  ...zone('America/Chicago', 'AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI'),
  ...zone('America/Denver', 'CO ID MT NM UT WY'),
  ...zone('America/Phoenix', 'AZ'),
  ...zone('America/Los_Angeles', 'CA NV OR WA'),
  ...zone('America/Anchorage', 'AK'),
  ...zone('Pacific/Honolulu', 'HI'),
};

/** California's: where nothing is said of the state. */
export const DEFAULT_TIME_ZONE = 'America/Los_Angeles';

function zone(name: string, states: string): Record<string, string> {
  return Object.fromEntries(states.split(' ').map((state) => [state, name]));
}

/** The time zone in which days are counted for a state. */
export function timeZoneOf(state: string | null): string {
  return (state === null ? undefined : STATE_TIME_ZONES[state]) ?? DEFAULT_TIME_ZONE;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a zone are ahead of UTC at a moment. */
function offsetMs(ms: number, timeZone: string): number {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
    clock = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', second: 'numeric', ...numeric });
    clocks.set(timeZone, clock);
  }
  const shown: Record<string, number> = {};
  for (const { type, value } of clock.formatToParts(ms)) shown[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

/** The day a moment falls on in a zone. */
export function dayAt(ms: number, timeZone: string): Day {
  return Math.floor((ms + offsetMs(ms, timeZone)) / DAY_MS);
}

/** The moment a day begins in a zone. */
export function startOfDay(day: Day, timeZone: string): number {
  const midnightMs = day * DAY_MS;
  // west of Greenwich that moment is in the evening before, and clocks change after midnight: the offset is that of midnight
  return midnightMs - offsetMs(midnightMs, timeZone);
}

/** `YYYY-MM-DD`. */
export function dayText(day: Day): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The day of a date. */
export function dayOf(year: number, month: number, dayOfMonth: number): Day {
  return Date.UTC(year, month - 1, dayOfMonth) / DAY_MS;
}

/** 0 is Sunday. 1 January 1970 was a Thursday. */
export function weekdayOf(day: Day): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** The year a day is in. */
export function yearOf(day: Day): number {
  return new Date(day * DAY_MS).getUTCFullYear();
}
