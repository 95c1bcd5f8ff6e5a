/**
 * The data inventory: who may receive data, as it stands in a policy file.
 *
 * Two people who change the same destination do not undo each other: each may say, by entity tag, which version the change
 * was made from, and it is made only if that is still the one.
 * @module
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Destination } from '../../core/index.js';
import type { DestinationInput } from '../../ledger/index.js';
import { INPUT_CODES, ProblemError } from './problems.js';
import { type Parameter, type Route, type RouteContext, route } from './route.js';

const IF_MATCH: Parameter = {
  in: 'header',
  name: 'If-Match',
  description: 'Entity tags of which the destination must have one, or *: there must be one.',
  schema: { type: 'string' },
};
const IF_NONE_MATCH: Parameter = {
  in: 'header',
  name: 'If-None-Match',
  description: '*: there must be none yet.',
  schema: { type: 'string' },
};
const ETAG = { ETag: 'Version of the destination.' };

const PATH = '/v1/destinations/{id}';

export function destinationRoutes(_context: RouteContext, onChanged: () => void): readonly Route[] {
  return [...readingRoutes(), ...writingRoutes(onChanged)];
}

function readingRoutes(): readonly Route[] {
  return [
    route({
      operationId: 'listDestinations',
      method: 'get',
      path: '/v1/destinations',
      summary: 'All destinations, by id.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'All of them.', body: 'Destinations' } },
      problems: [],
      needs: 'ledger',
      handle: async ({ ledger }) => ({ status: 200, body: { destinations: await ledger.destinations() } }),
    }),
    route({
      operationId: 'getDestination',
      method: 'get',
      path: PATH,
      summary: 'One destination.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'The destination.', body: 'Destination', headers: ETAG } },
      problems: [...INPUT_CODES, 'destination.unknown'],
      needs: 'ledger',
      async handle({ id, ledger }) {
        const destination = await ledger.getDestination(id);
        if (destination === null) throw new ProblemError('destination.unknown');
        return { status: 200, body: destination, headers: { etag: entityTagOf(destination) } };
      },
    }),
  ];
}

function writingRoutes(onChanged: () => void): readonly Route[] {
  return [
    route({
      operationId: 'putDestination',
      method: 'put',
      path: PATH,
      summary: 'Adds a destination, or puts it in the place of the one with this id.',
      roles: ['operator'],
      parameters: [IF_MATCH, IF_NONE_MATCH],
      body: 'DestinationTerms',
      answers: {
        200: { description: 'Replaced.', body: 'Destination', headers: ETAG },
        201: { description: 'Added.', body: 'Destination', headers: { ...ETAG, Location: 'The destination.' } },
      },
      problems: [...INPUT_CODES, 'http.precondition'],
      needs: 'ledger',
      async handle({ request, id, body, ledger }) {
        const { before, after } = await ledger.changeDestination(id, (current) => {
          checkPreconditions(request, current);
          return { ...body, id } as DestinationInput;
        });
        onChanged();
        const headers = { etag: after === null ? '' : entityTagOf(after) };
        if (before !== null) return { status: 200, body: after ?? {}, headers };
        const location = `/v1/destinations/${encodeURIComponent(id)}`;
        return { status: 201, body: after ?? {}, headers: { ...headers, location } };
      },
    }),
    route({
      operationId: 'removeDestination',
      method: 'delete',
      path: PATH,
      summary: 'Removes a destination: it becomes one that is not known, and so a third party.',
      roles: ['operator'],
      parameters: [IF_MATCH],
      body: null,
      answers: { 204: { description: 'Removed.', body: null } },
      problems: [...INPUT_CODES, 'destination.unknown', 'http.precondition'],
      needs: 'ledger',
      async handle({ request, id, ledger }) {
        await ledger.changeDestination(id, (current) => {
          if (current === null) throw new ProblemError('destination.unknown');
          checkPreconditions(request, current);
          return null;
        });
        onChanged();
        return { status: 204 };
      },
    }),
  ];
}

/** A strong entity tag: it changes with every change of what a destination says. */
function entityTagOf(destination: Destination): string {
  return `"${createHash('sha256').update(JSON.stringify(destination)).digest('base64url')}"`;
}

/** RFC 9110, section 13. Throws a ProblemError. */
function checkPreconditions({ headers }: IncomingMessage, current: Destination | null): void {
  const tag = current === null ? null : entityTagOf(current);
  const [wanted, unwanted] = [headers['if-match'], headers['if-none-match']];
  if (wanted !== undefined && !isAmong(wanted, tag)) throw new ProblemError('http.precondition');
  if (unwanted !== undefined && isAmong(unwanted, tag)) throw new ProblemError('http.precondition');
}

function isAmong(tags: string, tag: string | null): boolean {
  return tag !== null && (tags.trim() === '*' || tags.split(',').some((one) => one.trim() === tag));
}
