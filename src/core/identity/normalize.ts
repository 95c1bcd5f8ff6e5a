/**
 * The texts that DROP, UID2, Google, Meta and LiveRamp hash for one clear identifier.
 *
 * | dialect  | e-mail                                              | phone                      | device                  |
 * | -------- | --------------------------------------------------- | -------------------------- | ----------------------- |
 * | DROP     | no white space, lower case                          | last ten digits            | lower case, no hyphens  |
 * | UID2     | trimmed, lower; gmail.com: no dots, no `+suffix`    | E.164                      |                         |
 * | Google   | trimmed, lower; gmail.com, googlemail.com: no dots  | E.164                      |                         |
 * | Meta     | trimmed, lower                                      | E.164 without `+`          | lower case, hyphens     |
 * | LiveRamp | no white space, lower                               | without country code       | IDFA upper, AAID lower  |
 *
 * A form that would be the same for many people (a gmail address whose local part is only a suffix) is left out.
 * @module
 */
import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min';
import { PHONE_DIGIT_COUNT_MAX, PHONE_DIGIT_COUNT_MIN } from './limits.js';

/** Where a phone number without a country code is taken to be from, unless told. */
export const DEFAULT_COUNTRY: CountryCode = 'US';

/** An identifier's own canonical form, and every distinct text some dialect hashes. */
export interface Forms {
  readonly canonical: string;
  readonly hashed: readonly string[];
}

/** What no address holds: the punctuation of lists, display names and links, and characters nobody sees. */
const NOT_IN_EMAIL = /[<>",;:()\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;

/**
 * The forms of an e-mail address; `null` if it is not one address alone: `name@domain`, with a dot in the domain. Whatever
 * else were taken, such as `mailto:jane@x.com`, would be entered under keys that nobody looks up.
 */
export function emailForms(value: string): Forms | null {
  const canonical = value.trim().toLowerCase().replace(/\.$/, '');
  const bare = canonical.replace(/[^\S\ufeff]+/g, ''); // a byte order mark counts as white space, but is one nobody sees
  const [local = '', afterAt = '', ...more] = canonical.split('@');
  const domain = afterAt.trimStart();
  if (more.length > 0 || local.trim() === '' || NOT_IN_EMAIL.test(bare) || !isDomain(domain)) return null;
  const hashed = new Set([bare, canonical]);
  if (domain === 'gmail.com' || domain === 'googlemail.com') {
    const undotted = local.replaceAll('.', '');
    if (undotted !== '') hashed.add(`${undotted}@${domain}`);
    const unsuffixed = undotted.split('+', 1)[0] ?? '';
    if (domain === 'gmail.com' && unsuffixed !== '') hashed.add(`${unsuffixed}@${domain}`);
  }
  return { canonical, hashed: [...hashed] };
}

/**
 * Two labels or more, none empty. White space in it would join the domain and what follows it, such as a note; so would
 * punctuation that no domain has, such as a bar before another identifier.
 */
function isDomain(text: string): boolean {
  return !/[\s!#$%&'*+/=?^`{|}~\\]/.test(text) && /^[^.]+(?:\.[^.]+)+$/.test(text);
}

/** What stands between numbers that are listed in one value. */
const PHONE_SEPARATOR = /[;,|/\r\n]/;

/**
 * The forms of a phone number; `null` if it has too few digits or nothing but zeros, or is several numbers: they would be
 * taken for one that nobody has.
 */
export function phoneForms(value: string, country: CountryCode): Forms | null {
  if (PHONE_SEPARATOR.test(value) && isPhoneList(value)) return null;
  const written = value.replace(/[^0-9]+/g, '');
  const number = parsePhone(value, written, country);
  if (number === null) {
    if (written.length < PHONE_DIGIT_COUNT_MIN || written.length > PHONE_DIGIT_COUNT_MAX) return null;
    if (/^0*$/.test(written)) return null;
    return { canonical: written, hashed: [...new Set([written, lastTenDigits(written)])] };
  }
  const digits = number.e164.slice(1);
  const hashed = new Set([number.e164, digits, number.national, lastTenDigits(digits)]);
  if (written !== '') hashed.add(written).add(lastTenDigits(written));
  return { canonical: number.e164, hashed: [...hashed] };
}

/** Two parts or more are long enough for a number by themselves: an extension, or the part behind an area code, is no number. */
function isPhoneList(value: string): boolean {
  const digitCounts = value.split(PHONE_SEPARATOR).map((part) => part.replace(/[^0-9]+/g, '').length);
  return digitCounts.filter((count) => count >= PHONE_DIGIT_COUNT_MIN).length > 1;
}

/** The phone rule of DROP: the last ten digits, or all if there are fewer. */
export function lastTenDigits(digits: string): string {
  return digits.slice(-10);
}

/** As dialled in `country`; if that cannot be, as a number whose country code was written without its `+`. */
function parsePhone(value: string, written: string, country: CountryCode): { e164: string; national: string } | null {
  for (const text of [value, `+${written.replace(/^00/, '')}`]) {
    const number = parsePhoneNumberFromString(text, country);
    if (number?.isPossible() && !/^0*$/.test(number.nationalNumber)) {
      return { e164: number.number, national: number.nationalNumber };
    }
  }
  return null;
}
