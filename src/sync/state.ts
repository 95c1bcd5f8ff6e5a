/**
 * The one word for how far an enforcer can be relied on. Hits may be acted on in every state but `empty`; it is misses
 * that need `live`.
 * @module
 */

/**
 * - `empty`: there is no table yet.
 * - `last_good`: the table of the local folder; the source has not been reached since the start.
 * - `live`: everything the source is known to have is applied, and that was so less than `softStaleAfterMs` ago.
 * - `soft_stale`: it is not, or was so longer ago; also as long as a source that has just given a snapshot may take to say
 *   how old that is.
 * - `hard_stale`: it was so longer ago than `hardStaleAfterMs`, or nobody says.
 */
export type FollowerState = 'empty' | 'last_good' | 'live' | 'soft_stale' | 'hard_stale';

export interface StateFacts {
  readonly hasTable: boolean;
  /** The source has answered since the start. */
  readonly isReached: boolean;
  /** Everything up to the head that is known is applied. */
  readonly isCaughtUp: boolean;
  /** Age of the content; of the last answer where the content has no age (sets in files). `null`: never. */
  readonly ageMs: number | null;
  /** The source is about to tell the age. */
  readonly isAgeAwaited: boolean;
  readonly softStaleAfterMs: number;
  readonly hardStaleAfterMs: number;
}

export function stateOf(facts: StateFacts): FollowerState {
  const { ageMs, softStaleAfterMs, hardStaleAfterMs } = facts;
  if (!facts.hasTable) return 'empty';
  if (!facts.isReached) return 'last_good';
  if (ageMs === null || ageMs >= hardStaleAfterMs) return facts.isAgeAwaited ? 'soft_stale' : 'hard_stale';
  return facts.isCaughtUp && ageMs < softStaleAfterMs ? 'live' : 'soft_stale';
}
