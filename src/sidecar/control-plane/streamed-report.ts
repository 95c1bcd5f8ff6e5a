/**
 * A report that is sent while it is made. What breaks off has no end: the connection is cut, so that nobody takes a part of
 * it for all of it.
 * @module
 */
import { once } from 'node:events';
import type { ReportFormat } from '../../ledger/index.js';
import type { Exchange, Reply } from './route.js';

const MEDIA_TYPES = { csv: 'text/csv', json: 'application/json' } as const;

/** Sends text in pieces. The first one is made before there is an answer, so that what is wrong can still be told. */
export async function sendReport(
  { request, response, signal }: Exchange,
  format: ReportFormat,
  pieces: AsyncGenerator<string>,
): Promise<Reply> {
  let next = await pieces.next();
  try {
    response.writeHead(200, { 'content-type': MEDIA_TYPES[format] });
    while (next.done !== true && request.method !== 'HEAD') {
      signal.throwIfAborted();
      if (!response.write(next.value)) await once(response, 'drain', { signal });
      next = await pieces.next();
    }
    response.end();
  } catch {
    response.destroy();
  } finally {
    await pieces.return(undefined);
  }
  return null;
}
