/**
 * Waits until an entry has its place in the log.
 * @module
 */
import type { Position } from '../sync/source.js';
import type { Session } from './database.js';

/** Pauses between two looks: each twice the one before, up to the last. */
const LOOK_MS_MIN = 2;
const LOOK_MS_MAX = 25;

/** The place of an entry, as soon as it has one; `null` if it has none after `waitMs`. */
export async function waitSequenced(
  session: Session,
  entryId: bigint | number | string,
  waitMs: number,
  now: () => number = () => performance.now(),
): Promise<Position | null> {
  const endMs = now() + waitMs;
  for (let pauseMs = LOOK_MS_MIN; ; pauseMs = Math.min(LOOK_MS_MAX, pauseMs * 2)) {
    const [entry] = await session.query<{ epoch: string; seq: string | null }>(
      'select head.epoch, entry.seq from optgate.head, optgate.change_log as entry where entry.id = $1::int8',
      [String(entryId)],
    );
    if (entry !== undefined && entry.seq !== null) return { epoch: entry.epoch, seq: Number(entry.seq) };
    const leftMs = endMs - now();
    if (leftMs <= 0) return null;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, leftMs)));
  }
}
