/**
 * Webhooks: signed events of a ledger, sent to those who have asked for them (docs/webhooks.md).
 * @module
 */
export { type Attempt, type AttemptCounts, type DelivererOptions, WebhookDeliverer } from './deliverer.js';
export {
  ATTEMPT_MS_MAX,
  ATTEMPTS_MAX,
  RETRY_AFTER_MS_MAX,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SERVER_ERROR_AGE_MS_MAX,
  SILENCE_AGE_MS_MAX,
} from './limits.js';
export { outcomeOf } from './outcome.js';
export { type Address, checkTarget, type Lookup, type PostFailure, type PostResult, post } from './post.js';
export { signatureOf } from './signature.js';
export { sendTest, type TestResult } from './test-delivery.js';
