/**
 * Where opt-outs come in, and what became of each request.
 * @module
 */
import { identifierAnswer, receiptAnswer, recordAnswer } from './answers.js';
import { IDEMPOTENCY_KEY, REQUEST_ANSWERS, receiptReply, requestIdOf, requestInput } from './intake.js';
import { INPUT_CODES } from './problems.js';
import { type Route, type RouteContext, route } from './route.js';

export function optOutRoutes(_context: RouteContext): readonly Route[] {
  return [
    route({
      operationId: 'recordOptOut',
      method: 'post',
      path: '/v1/opt-outs',
      summary: 'Records an opt-out, and answers when it has its place in the change log.',
      roles: ['intake', 'operator'],
      parameters: [IDEMPOTENCY_KEY],
      body: 'OptOutRequest',
      answers: REQUEST_ANSWERS,
      problems: [...INPUT_CODES, 'ledger.idempotency_conflict'],
      needs: 'ledger',
      isRateLimited: true,
      async handle({ request, body, principal, ledger }) {
        const receipt = receiptAnswer(await ledger.recordOptOut(requestInput(request, body, principal)));
        return receiptReply(receipt, receipt.token === null);
      },
    }),
    route({
      operationId: 'getRequest',
      method: 'get',
      path: '/v1/requests/{id}',
      summary: 'A request as it stands. Without the identifiers it is about.',
      roles: ['intake', 'operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'The request.', body: 'RequestRecord' } },
      problems: ['ledger.unknown_request'],
      needs: 'ledger',
      handle: async ({ id, ledger }) => ({ status: 200, body: recordAnswer(await ledger.request(requestIdOf(id))) }),
    }),
    route({
      operationId: 'statusOf',
      method: 'post',
      path: '/v1/status-of',
      summary: 'What is in force for an identifier, in any dialect, and the requests behind it.',
      roles: ['operator', 'auditor'],
      body: 'StatusQuery',
      answers: { 200: { description: 'What is in force; nothing too is an answer.', body: 'IdentifierStatus' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      isRateLimited: true,
      handle: async ({ body, ledger }) => ({
        status: 200,
        body: identifierAnswer(await ledger.statusOf(body.identifier as Parameters<typeof ledger.statusOf>[0])),
      }),
    }),
  ];
}
