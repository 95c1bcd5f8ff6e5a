/**
 * What the ledger says, in the form that pages read: moments as text, as in the API.
 * @module
 */
import type { ExportRun, Ledger, RequestPage } from '../../ledger/index.js';
import { timeOf } from '../control-plane/index.js';

/** Opt-outs of more identifiers than a request has are lists; their notices are made by `optgate gap-notices`. */
const NOTICES_SHOWN_MAX = 200;

export function requestPageAnswer({ requests, hasMore }: RequestPage): object {
  return {
    requests: requests.map(({ receivedAtMs, ...same }) => ({ ...same, receivedAt: timeOf(receivedAtMs) })),
    more: hasMore,
  };
}

export function exportAnswer({ startedAtMs, finishedAtMs, ...same }: ExportRun): object {
  return { ...same, startedAt: timeOf(startedAtMs), finishedAt: timeOf(finishedAtMs) };
}

/** Which destinations were sent this person's data, and so are to be told. Without digests: they name somebody. */
export async function noticesAnswer(ledger: Ledger, requestId: string): Promise<object> {
  const { nature } = await ledger.request(requestId);
  if (nature !== 'opt_out') return { notices: null };
  const notices = [];
  for await (const notice of ledger.gapNotices({ sinceMs: 0, requestId, isView: true })) {
    const { destination, kind, sentFirstMs, sentLastMs, isSentAfterRequest, runIds } = notice;
    const sent = { sentFirst: timeOf(sentFirstMs), sentLast: timeOf(sentLastMs), sentAfterRequest: isSentAfterRequest };
    notices.push({ destination, kind, ...sent, runIds });
    if (notices.length === NOTICES_SHOWN_MAX) break;
  }
  return { notices };
}
