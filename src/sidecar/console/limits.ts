/**
 * Every limit of the console, by name (docs/console.md).
 * @module
 */

export const CONSOLE_LIMITS = {
  /** A session ends when nobody has done anything in it for so long. */
  sessionIdleMs: 30 * 60_000,
  /** A session ends after so long, whatever is done in it. */
  sessionMs: 12 * 3_600_000,
  /** Of more, the one unused for longest ends. */
  sessionsMax: 1000,
  /** Attempts to sign in, for each address. */
  signInsPerMinute: 6,
  signInBurst: 10,
  /** Refused attempts that are entries of the audit trail, from all addresses together. */
  refusalsRecordedPerMinute: 30,
  refusalsRecordedBurst: 60,
  /** Look-ups of people and explanations, for each session. */
  lookupsPerMinute: 60,
  lookupBurst: 30,
  /** Addresses and sessions that are told apart. */
  rateKeysMax: 10_000,
  /** Of a form, or a body of JSON. */
  formBytesMax: 65_536,
  /** Pages that are kept up to date at the same time. */
  streamsMax: 64,
  /** How often they hear. */
  streamEveryMs: 2000,
  /** A page that has not taken so much of what it was sent is not sent more. */
  streamBacklogBytesMax: 65_536,
  /** A page that has taken nothing for so long is let go. */
  streamStallMs: 30_000,
  /** For how long sums over the ledger are given out again; those of past days. */
  sumsMs: 10_000,
  pastSumsMs: 10 * 60_000,
} as const;
export type ConsoleLimits = { readonly [Name in keyof typeof CONSOLE_LIMITS]: number };
