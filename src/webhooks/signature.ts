/**
 * The signature of a delivery (docs/webhooks.md): HMAC-SHA256 over `timestamp.body`, once for each secret that is valid.
 * @module
 */
import { createHmac } from 'node:crypto';

export const EVENT_HEADER = 'X-Optgate-Event';
export const EVENT_ID_HEADER = 'X-Optgate-Event-Id';
export const TIMESTAMP_HEADER = 'X-Optgate-Timestamp';
export const SIGNATURE_HEADER = 'X-Optgate-Signature';

/** `v1=<hex>`, and of two secrets `v1=<hex>, v1=<hex>`, the newest first. */
export function signatureOf(secrets: readonly string[], timestampSeconds: number, body: string): string {
  return secrets
    .map((secret) => `v1=${createHmac('sha256', secret).update(`${timestampSeconds}.${body}`).digest('hex')}`)
    .join(', ');
}
