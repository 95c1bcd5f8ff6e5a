/**
 * The US Privacy string, version 1 (IAB USPrivacy, "US Privacy String"): `1`, then notice, opt-out of sale, LSPA.
 *
 * Never throws and allocates nothing for a legal string: all 19 legal strings are shared frozen values. Lower case
 * is accepted, because it occurs and the only other choice would be to overlook an opt-out.
 * @module
 */

/** `Y`, `N`, or `-` for "not applicable" (and, for notice and LSPA, "unknown"). */
export type UsPrivacyLetter = 'Y' | 'N' | '-';

export type UsPrivacy =
  | { readonly kind: 'absent' }
  /** `at` is the offset of the first character that cannot be right; the length, if the string is too short. */
  | { readonly kind: 'malformed'; readonly at: number }
  | {
      readonly kind: 'parsed';
      readonly notice: UsPrivacyLetter;
      /** `true`: opted out of sale. `null`: the string says that CCPA does not apply (`1---`). */
      readonly saleOptOut: boolean | null;
      readonly lspaCovered: UsPrivacyLetter;
      /** The string in upper case. */
      readonly text: string;
    };

/** No US Privacy string. */
export const US_PRIVACY_ABSENT: UsPrivacy = Object.freeze({ kind: 'absent' });

const TEXT_CHARS = 4;
const VERSION_1 = 49; // '1'
const LETTERS: readonly UsPrivacyLetter[] = ['-', 'N', 'Y'];
const MALFORMED: readonly UsPrivacy[] = [0, 1, 2, 3, 4].map((at) => Object.freeze({ kind: 'malformed', at }));
/** Index: 9 x notice + 3 x sale + lspa, each the index of its letter in LETTERS. */
const PARSED: readonly UsPrivacy[] = LETTERS.flatMap((notice) =>
  LETTERS.flatMap((sale) => LETTERS.map((lspaCovered) => parsed(notice, sale, lspaCovered))),
);

/** HOT. Reads `regs.us_privacy` (or the text of GPP section 6). Anything but a string is malformed, `null` is absent. */
export function parseUsPrivacy(value: unknown): UsPrivacy {
  if (typeof value !== 'string') return value === undefined || value === null ? US_PRIVACY_ABSENT : MALFORMED[0]!;
  const charCount = value.length;
  if (charCount === 0 || value.charCodeAt(0) !== VERSION_1) return MALFORMED[0]!;
  const notice = charCount > 1 ? letterIndex(value.charCodeAt(1)) : -1;
  if (notice < 0) return MALFORMED[1]!;
  const sale = charCount > 2 ? letterIndex(value.charCodeAt(2)) : -1;
  if (sale < 0) return MALFORMED[2]!;
  const lspa = charCount > 3 ? letterIndex(value.charCodeAt(3)) : -1;
  // A dash for the sale choice means that CCPA does not apply, which leaves nothing for the other two to say.
  if (sale === 0 && notice + Math.max(lspa, 0) > 0) return MALFORMED[2]!;
  if (lspa < 0) return MALFORMED[3]!;
  return charCount === TEXT_CHARS ? PARSED[9 * notice + 3 * sale + lspa]! : MALFORMED[TEXT_CHARS]!;
}

/** Index in LETTERS, or -1. */
function letterIndex(code: number): number {
  switch (code) {
    case 45: // '-'
      return 0;
    case 78: // 'N'
    case 110: // 'n'
      return 1;
    case 89: // 'Y'
    case 121: // 'y'
      return 2;
    default:
      return -1;
  }
}

function parsed(notice: UsPrivacyLetter, sale: UsPrivacyLetter, lspaCovered: UsPrivacyLetter): UsPrivacy {
  const saleOptOut = sale === '-' ? null : sale === 'Y';
  return Object.freeze({ kind: 'parsed', notice, saleOptOut, lspaCovered, text: `1${notice}${sale}${lspaCovered}` });
}
