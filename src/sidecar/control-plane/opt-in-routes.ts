/**
 * Opting in again, in two steps.
 * @module
 */
import { pendingAnswer, receiptAnswer } from './answers.js';
import {
  IDEMPOTENCY_KEY,
  LOCATION,
  locationOf,
  REQUEST_ANSWERS,
  receiptReply,
  requestIdOf,
  requestInput,
} from './intake.js';
import { INPUT_CODES } from './problems.js';
import { type Route, type RouteContext, route } from './route.js';
import type { Answer } from './schemas.js';

export function optInRoutes(_context: RouteContext): readonly Route[] {
  return [
    route({
      operationId: 'recordOptIn',
      method: 'post',
      path: '/v1/opt-ins',
      summary: 'The first step of an opt-in. Nothing changes until the confirmation comes back.',
      roles: ['intake', 'operator'],
      parameters: [IDEMPOTENCY_KEY],
      body: 'OptInRequest',
      answers: {
        200: { description: 'It was asked for before, under the same idempotency key.', body: 'PendingOptIn' },
        201: { description: 'Recorded; waits for its confirmation.', body: 'PendingOptIn', headers: LOCATION },
      },
      problems: [...INPUT_CODES, 'ledger.idempotency_conflict'],
      needs: 'ledger',
      isRateLimited: true,
      async handle({ request, body, principal, ledger }) {
        const pending = pendingAnswer(await ledger.recordOptIn(requestInput(request, body, principal)));
        return { status: pending.repeat ? 200 : 201, body: pending, headers: locationOf(pending) };
      },
    }),
    route({
      operationId: 'confirmOptIn',
      method: 'post',
      path: '/v1/opt-ins/{id}/confirm',
      summary: 'The second step of an opt-in: ends the rights that were opted out of.',
      roles: ['intake', 'operator'],
      body: 'OptInConfirmation',
      answers: {
        200: { description: 'The opt-in has its place in the change log.', body: 'OptInReceipt' },
        202: { ...REQUEST_ANSWERS[202], body: 'OptInReceipt' },
      },
      problems: [...INPUT_CODES, 'ledger.unknown_request'],
      needs: 'ledger',
      isRateLimited: true,
      async handle({ id, body, ledger }) {
        const { remaining, ...receipt } = await ledger.confirmOptIn(requestIdOf(id), body.confirmation);
        const answer = { ...receiptAnswer(receipt), remaining: [...remaining] } satisfies Answer<'OptInReceipt'>;
        return { ...receiptReply(answer, answer.token === null), status: answer.token === null ? 202 : 200 };
      },
    }),
  ];
}
