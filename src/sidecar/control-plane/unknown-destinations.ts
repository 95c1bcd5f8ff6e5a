/**
 * Destinations that came in traffic, or were exported to, and are not in the data inventory: somebody receives data of whom
 * nobody has said who it is.
 * @module
 */
import type { Ledger } from '../../ledger/index.js';
import { UNKNOWN_DESTINATIONS_MAX } from '../observe/index.js';
import { timeOf } from './answers.js';
import type { ControlPlaneOptions } from './options.js';
import { type Route, type RouteContext, route } from './route.js';
import type { Answer } from './schemas.js';

export function unknownDestinationsRoute({ exports, unknownDestinations }: RouteContext): Route {
  return route({
    operationId: 'listUnknownDestinations',
    method: 'get',
    path: '/v1/destinations/unknown',
    summary: 'Destinations in traffic and exports that are not in the data inventory, the ones seen last first.',
    roles: ['operator', 'auditor'],
    body: null,
    answers: { 200: { description: 'Up to a limit.', body: 'UnknownDestinations' } },
    problems: ['ledger.unavailable'],
    needs: null,
    async handle({ ledger }) {
      const open = openLedgerOf(ledger);
      const [listed, exported] =
        open === null ? [[], []] : await Promise.all([open.destinations(), open.records.unlistedDestinations()]);
      const known = new Set([...listed, ...(exports?.policy().destinations ?? [])].map(({ id }) => id));
      const found = new Map<string, { decisionCount: number; exportCount: number; lastSeenMs: number }>();
      const add = (id: string, decisionCount: number, exportCount: number, lastSeenMs: number) => {
        const one = found.get(id) ?? { decisionCount: 0, exportCount: 0, lastSeenMs: 0 };
        found.set(id, {
          decisionCount: one.decisionCount + decisionCount,
          exportCount: one.exportCount + exportCount,
          lastSeenMs: Math.max(one.lastSeenMs, lastSeenMs),
        });
      };
      for (const { id, count, lastSeenMs } of unknownDestinations()) add(id, count, 0, lastSeenMs);
      for (const { id, exportCount, lastSeenMs } of exported) add(id, 0, exportCount, lastSeenMs);
      const destinations = Array.from(found, ([id, { lastSeenMs, ...counts }]) => ({ id, ...counts, lastSeenMs }))
        .filter(({ id }) => !known.has(id))
        .sort((a, b) => b.lastSeenMs - a.lastSeenMs)
        .slice(0, UNKNOWN_DESTINATIONS_MAX)
        .map(({ lastSeenMs, ...one }) => ({ ...one, lastSeenAt: timeOf(lastSeenMs) }));
      return {
        status: 200,
        body: { limit: UNKNOWN_DESTINATIONS_MAX, destinations } satisfies Answer<'UnknownDestinations'>,
      };
    },
  });
}

/** `null`: there is none, or it cannot be reached; what traffic tells is told all the same. */
function openLedgerOf(ledger: ControlPlaneOptions['ledger']): Ledger | null {
  return ledger === null || ledger === 'unavailable' ? null : ledger;
}
