/**
 * Webhooks as the ledger keeps them; src/webhooks sends them.
 * @module
 */
export { type AddressClass, classOfAddress, mayConnect } from './address.js';
export type { EventIdentifier, StoredEvent } from './bodies.js';
export { type PutWebhook, type Webhook, type WebhookInput, webhookTermsSchema } from './consumers.js';
export { DELIVERY_STATES, type Delivery, type DeliveryQuery, type DeliveryState, type Replay } from './deliveries.js';
export { EVENT_KINDS, type EventKind } from './events.js';
export { faultOf } from './fault.js';
export type { AttemptOutcome, DueWebhook, NextDelivery, WebhookLead } from './lead.js';
export { DEAD_KEEP_MS, IMPORT_STALLED_MS } from './limits.js';
export { hostOf, readTarget, refusedAddress } from './target.js';
export type { Webhooks } from './webhooks.js';
