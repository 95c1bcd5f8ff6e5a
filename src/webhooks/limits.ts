/**
 * The limits and periods of delivery, each with a name.
 * @module
 */

/** How often it is looked for something to send. */
export const POLL_MS = 500;
/** How often others ask whether they may deliver, give or take a quarter. */
export const CONTEND_MS = 2_000;
/** How often it is asked which requests are in force everywhere. */
export const FORCE_EVERY_MS = 2_000;
/** How often it is asked which imports stand still. */
export const IMPORTS_EVERY_MS = 10_000;
/** How long notices, or imports, are looked for at a time, while others wait to be sent. */
export const LOOK_MS_MAX = 250;
/** How often old events are removed. */
export const PRUNE_EVERY_MS = 600_000;

/** Longest an attempt may take, from looking the name up to the answer, unless told. */
export const ATTEMPT_MS_MAX = 15_000;
/** Refusals after which an event is dead, unless told: with the pauses between them about half a day. */
export const ATTEMPTS_MAX = 24;
/** Age from which an event is dead when its consumer answers 500 to 599, unless told. */
export const SERVER_ERROR_AGE_MS_MAX = 7 * 86_400_000;
/** Age from which an event is dead when its consumer does not answer, or answers 408 or 429, unless told. */
export const SILENCE_AGE_MS_MAX = 30 * 86_400_000;
/** Pauses between attempts are random below a bound that doubles from the first of these to the second. */
export const RETRY_BASE_MS = 5_000;
export const RETRY_CAP_MS = 7_200_000;
/** Longest wait that a consumer can ask for with Retry-After. */
export const RETRY_AFTER_MS_MAX = 21_600_000;
/** Bytes of an answer that are read and thrown away; the connection ends behind them. */
export const ANSWER_BYTES_MAX = 65_536;
