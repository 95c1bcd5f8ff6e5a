/**
 * `/healthz` and `/readyz` on the data port, for those who can reach no other.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createOperatorHandler, type Health } from './observe/index.js';

const NO_METRICS = { contentType: '', text: async () => '' };

/** Answers a probe; false: the path is none. HOT: it looks at every request. */
export function createProbe(health: Health): (request: IncomingMessage, response: ServerResponse) => boolean {
  const answer = createOperatorHandler({ health, metrics: NO_METRICS });
  return (request, response) => {
    const { url = '' } = request;
    if (!url.startsWith('/healthz') && !url.startsWith('/readyz')) return false;
    return answer(request, response);
  };
}
