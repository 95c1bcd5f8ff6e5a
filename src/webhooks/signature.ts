/**
 * The headers and the signature of a delivery (docs/webhooks.md): HMAC-SHA256 over `timestamp.body`, once for each secret that is valid.
 * @module
 */
import { createHmac } from 'node:crypto';

const EVENT_HEADER = 'X-Optgate-Event';
const EVENT_ID_HEADER = 'X-Optgate-Event-Id';
const TIMESTAMP_HEADER = 'X-Optgate-Timestamp';
const SIGNATURE_HEADER = 'X-Optgate-Signature';

/** The headers of a delivery; each attempt is signed anew, so that its time is its own. */
export function deliveryHeaders(
  { kind, eventId }: { readonly kind: string; readonly eventId: string },
  secrets: readonly string[],
  nowMs: number,
  body: string,
): Readonly<Record<string, string>> {
  const timestampSeconds = Math.floor(nowMs / 1000);
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'optgate-webhooks',
    [EVENT_HEADER]: kind,
    [EVENT_ID_HEADER]: eventId,
    [TIMESTAMP_HEADER]: String(timestampSeconds),
    [SIGNATURE_HEADER]: signatureOf(secrets, timestampSeconds, body),
  };
}

/** `v1=<hex>`, and of two secrets `v1=<hex>, v1=<hex>`, the newest first. */
export function signatureOf(secrets: readonly string[], timestampSeconds: number, body: string): string {
  return secrets
    .map((secret) => `v1=${createHmac('sha256', secret).update(`${timestampSeconds}.${body}`).digest('hex')}`)
    .join(', ');
}
