/**
 * The limits and periods of the ledger's writes, each with a name.
 * @module
 */
import { CONNECT_MS_MAX } from './database.js';

/** Identifiers of one request, unless told. */
export const IDENTIFIERS_PER_REQUEST_MAX = 64;
/** What that limit can be raised to: 16 keys each still fit into one entry of the change log. */
export const IDENTIFIERS_PER_REQUEST_LIMIT = 256;

/** How far ahead of this machine's clock a request may say it was received. */
export const FUTURE_MS_MAX = 300_000;

/** Longest idempotency key, in characters. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 200;
/** Longest name of an operator, in characters. */
export const OPERATOR_LENGTH_MAX = 200;

/** Longest name of an agent, in characters. */
export const AGENT_LENGTH_MAX = 200;

/** How long a write waits for its place in the change log, unless told. */
export const TOKEN_WAIT_MS = 5_000;
/** Longest such wait. */
export const TOKEN_WAIT_MS_MAX = 600_000;

/** How long an opt-in may be confirmed after it was asked for. */
export const CONFIRM_WITHIN_MS = 15 * 86_400_000;

/** Opt-outs that are written in one transaction at most. */
export const OPT_OUT_GROUP_MAX = 64;
/** Keys of such a transaction at most, unless one opt-out alone has more. */
export const OPT_OUT_GROUP_KEYS_MAX = 4096;
/** Such transactions that run at the same time. */
export const OPT_OUT_GROUPS_IN_FLIGHT = 2;
/** How long such a transaction waits for a lock; then each opt-out is written alone, so that only one of them waits. */
export const OPT_OUT_GROUP_LOCK_MS_MAX = 250;
/** How long an opt-out waits until its transaction begins: as long as for a connection. */
export const OPT_OUT_WAIT_MS_MAX = CONNECT_MS_MAX;

/** Months after an opt-out in which the person may not be asked to opt in again (Civ. Code 1798.135(c)(4)). */
export const NO_ASK_MONTHS = 12;

/** Rows of an import that are handed over at a time, and most identifiers in one of its transactions. */
export const IMPORT_BATCH_ROWS = 4096;
/** Transactions of one import that run at the same time on PostgreSQL. */
export const IMPORT_BATCHES_IN_FLIGHT = 2;
/** How long an import waits before it looks again whether the same import has ended elsewhere. */
export const IMPORT_RETRY_MS = 250;

/** Shortest interval between canaries. */
export const CANARY_EVERY_MS_MIN = 100;

/** Entries that are given out at once, unless told. */
export const CHANGES_PER_READ = 1000;
/** Most entries given out at once. */
export const CHANGES_PER_READ_MAX = 10_000;

/** Bytes of the key that clear values are encrypted with. */
export const CLEAR_KEY_BYTES = 32;

/** Fingerprints in one piece of the index of an export: what is read to look one person up in it. */
export const EXPORT_PIECE_FINGERPRINTS = 2048;
/** Pieces that are written in one transaction: an open one holds the whole change log up. */
export const EXPORT_PIECES_PER_WRITE = 64;
/** Exports that are looked through at once for one person. */
export const EXPORTS_PER_PAGE = 100;
/** Identifiers of opt-outs that are looked up in the exports at a time. */
export const NOTICE_IDENTIFIERS_PER_PAGE = 4096;
/** Age at which an export whose index never became complete is taken to have broken off. */
export const EXPORT_LEFTOVER_MS = 86_400_000;
/** Longest manifest, in characters of JSON. */
export const EXPORT_MANIFEST_LENGTH_MAX = 65_536;
