/**
 * What an audit asks for: deadlines, the record of requests, metrics.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { DeadlineList } from '../../ledger/index.js';
import { timeOf } from './answers.js';
import { INPUT_CODES } from './problems.js';
import { type Parameter, type Route, type RouteContext, route } from './route.js';
import type { Answer } from './schemas.js';

export function recordsRoutes({ ledger }: RouteContext): readonly Route[] {
  return [
    route({
      operationId: 'listDeadlines',
      method: 'get',
      path: '/v1/deadlines',
      summary: 'Requests whose deadline has passed or is near, and that are not in force everywhere.',
      roles: ['operator', 'auditor'],
      parameters: [
        wholeNumber(
          'nearlyBusinessDays',
          'Business days before the last one from when on it is nearly overdue. Default: 3.',
        ),
        wholeNumber('limit', 'Requests in the list, up to 1,000. Default: 100.'),
      ],
      body: null,
      answers: { 200: { description: 'The most urgent first.', body: 'Deadlines' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      async handle({ query }) {
        const options = { nearlyBusinessDays: numberOf(query, 'nearlyBusinessDays'), limit: numberOf(query, 'limit') };
        return { status: 200, body: deadlinesAnswer(await ledger.records.deadlines(options)) };
      },
    }),
  ];
}

function wholeNumber(name: string, description: string): Parameter {
  return { in: 'query', name, description, schema: { type: 'integer', minimum: 0 } };
}

function numberOf(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new InputError(name, 'malformed', 'expected a whole number');
  return Number(text);
}

function deadlinesAnswer({ requests, ...same }: DeadlineList): Answer<'Deadlines'> {
  return {
    ...same,
    requests: requests.map(({ receivedAtMs, dueAtMs, rights, ...one }) => ({
      ...(one as Answer<'Deadlines'>['requests'][number]),
      rights: [...rights],
      receivedAt: timeOf(receivedAtMs),
      dueAt: timeOf(dueAtMs),
    })),
  };
}
