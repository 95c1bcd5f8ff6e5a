/**
 * What has come into force where: propagation, enforcers, the state of this process.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { enforcersAnswer, propagationAnswer } from './answers.js';
import { requestIdOf } from './intake.js';
import { ProblemError } from './problems.js';
import { type Route, type RouteContext, route } from './route.js';

export function oversightRoutes(_context: RouteContext, status: () => object | Promise<object>): readonly Route[] {
  return [
    route({
      operationId: 'getPropagation',
      method: 'get',
      path: '/v1/propagation/{id}',
      summary: 'When a request was received, processed, in force on each enforcer, and everywhere.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'How far it has come.', body: 'Propagation' } },
      problems: ['ledger.unknown_request'],
      needs: 'ledger',
      handle: async ({ id, ledger }) => ({
        status: 200,
        body: propagationAnswer(await ledger.propagation(requestIdOf(id))),
      }),
    }),
    route({
      operationId: 'listEnforcers',
      method: 'get',
      path: '/v1/enforcers',
      summary: 'Who decides with this ledger, and how far each of them is.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'All enforcers, silent and retired ones included.', body: 'Enforcers' } },
      problems: [],
      needs: 'ledger',
      handle: async ({ ledger }) => ({ status: 200, body: enforcersAnswer(await ledger.enforcers()) }),
    }),
    route({
      operationId: 'retireEnforcer',
      method: 'delete',
      path: '/v1/enforcers/{id}',
      summary: 'Takes an enforcer that is gone for good out of every count. It comes back if it reports again.',
      roles: ['operator'],
      body: null,
      answers: { 204: { description: 'It is no longer waited for.', body: null } },
      problems: ['enforcer.unknown'],
      needs: 'ledger',
      async handle({ id, ledger }) {
        const isRetired = await ledger.retireEnforcer(id).catch((error: unknown) => {
          if (error instanceof InputError) return false; // an id that cannot be one
          throw error;
        });
        if (!isRetired) throw new ProblemError('enforcer.unknown');
        return { status: 204 };
      },
    }),
    route({
      operationId: 'getStatus',
      method: 'get',
      path: '/v1/status',
      summary: 'The state of this process: what it follows, how fresh it is, what it serves.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'The state.', body: 'Status' } },
      problems: [],
      needs: null,
      handle: async () => ({ status: 200, body: await status() }),
    }),
  ];
}
