/**
 * How long entries have waited for their place in the log, for a scrape that must not wait for long itself.
 * @module
 */
import type { Ledger } from '../ledger/index.js';

/** `null`: there is no ledger, it does not answer in time, or another process gives out places. */
export async function horizonLagMs(ledger: Ledger | null, waitMs: number): Promise<number | null> {
  if (ledger === null) return null;
  const late = new Promise<null>((resolve) => setTimeout(resolve, waitMs, null).unref());
  const asked = ledger.status().then(
    (status) => status.horizonLagMs,
    () => null,
  );
  return Promise.race([asked, late]);
}
