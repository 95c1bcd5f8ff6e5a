/**
 * Takes what enforcers report over NATS into the ledger, and answers each when it is there.
 * @module
 */
import type { Subscription } from '@nats-io/transport-node';
import { GateError, InputError } from '../core/errors.js';
import { parseEnforcerReport } from './enforcer-report.js';
import type { NatsLink } from './nats-connect.js';
import { NATS_HEADERS } from './nats-names.js';
import type { LedgerFeed } from './source.js';

/** Reports under way into the ledger; those that come on top are refused, and come again. */
const REPORTS_MAX = 64;

/** Answers until it is unsubscribed. */
export function answerReports(link: NatsLink, subject: string, feed: LedgerFeed, onReport: () => void): Subscription {
  let underWay = 0;
  const take = async (data: Uint8Array): Promise<string | null> => {
    if (underWay >= REPORTS_MAX) return 'sync.unavailable';
    underWay++;
    try {
      await feed.report(parseEnforcerReport(data));
      onReport();
      return null;
    } catch (error) {
      if (error instanceof InputError) return `report.${error.code}`;
      return error instanceof GateError ? error.code : 'sync.unavailable';
    } finally {
      underWay--;
    }
  };
  return link.connection.subscribe(subject, {
    callback: (error, message) => {
      if (error !== null) return;
      void take(message.data).then((code) => {
        if (link.connection.isClosed()) return;
        const headers = link.headers();
        if (code !== null) headers.set(NATS_HEADERS.error, code);
        message.respond(undefined, { headers });
      });
    },
  });
}
