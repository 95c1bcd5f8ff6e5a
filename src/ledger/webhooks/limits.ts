/**
 * The limits of webhooks, each with a name.
 * @module
 */

/** Consumers of one ledger. */
export const WEBHOOKS_MAX = 50;
/** Longest URL, in characters. */
export const WEBHOOK_URL_LENGTH_MAX = 2048;
/** Identifiers in one event: an import is told of in pages of so many. */
export const EVENT_IDENTIFIERS_MAX = 512;
/** Events that get their place at once. */
export const EVENTS_PER_STEP = 5_000;
/** Requests at a time of which it is asked whether they are in force everywhere. */
export const FORCE_LOOKS_MAX = 500;
/** How long an import may record nothing, unless told, until what it has recorded is told of though it has not ended. */
export const IMPORT_STALLED_MS = 60_000;
/** Age until which events are kept that all enabled consumers are done with, and how far back a replay can go. */
export const EVENT_KEEP_MS = 30 * 86_400_000;
/** How long a dead event of an enabled consumer is kept from its death on, unless told. */
export const DEAD_KEEP_MS = 30 * 86_400_000;
/** Events that are removed at once. */
export const EVENTS_PER_PRUNE = 5_000;

/** Bytes of randomness in a secret. */
export const SECRET_BYTES = 32;
/** How long the secret before stays valid after a rotation, unless told. */
export const SECRET_OVERLAP_MS = 86_400_000;
export const SECRET_OVERLAP_MS_MAX = 30 * 86_400_000;

/** Deliveries that are listed at once, unless told. */
export const DELIVERIES_PER_READ = 100;
export const DELIVERIES_PER_READ_MAX = 1000;
