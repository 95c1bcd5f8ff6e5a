/**
 * The limits of identity, each with a name.
 * @module
 */

/** Longest identifier value and longest qualifier (eid source, account name space), in UTF-16 units. */
export const IDENTIFIER_LENGTH_MAX = 2048;

/**
 * Room for every key of one identifier; the most is thirteen: its own, and four forms with three digests
 * each (e-mail address, MAID) or six with two (phone number).
 */
export const KEYS_PER_IDENTIFIER_MAX = 16;

/** Eid sources and account name spaces whose hashes are remembered; real traffic has a few dozen. */
export const QUALIFIER_MEMO_COUNT_MAX = 1024;

/** Longest qualifier that is remembered, in UTF-16 units. */
export const QUALIFIER_MEMO_LENGTH_MAX = 64;

/** A CTV id has this many letters and digits (DROP). */
export const CTV_LENGTH_MIN = 8;
export const CTV_LENGTH_MAX = 32;

/** Fewest digits of a phone number that no numbering plan explains, and most (E.164): what has more is not one number. */
export const PHONE_DIGIT_COUNT_MIN = 7;
export const PHONE_DIGIT_COUNT_MAX = 15;
