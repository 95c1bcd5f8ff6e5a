/**
 * The set passed on to other enforcers: the relay's own paths (src/sync/relay.ts), behind the roles of the control plane.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ACKS_PATH, CHANGES_PATH, DELTA_TYPE, SNAPSHOT_PATH, SNAPSHOT_TYPE } from '../../sync/relay-http.js';
import type { Reporter } from '../../sync/source.js';
import { ProblemError } from './problems.js';
import { type Parameter, type Reply, type Route, type RouteContext, route } from './route.js';
import type { Principal } from './tokens.js';

const QUERY: readonly Parameter[] = [
  { in: 'query', name: 'after', description: 'The position to go on from, epoch.seq.', schema: { type: 'string' } },
  { in: 'query', name: 'wait', description: 'Longest wait for news, in ms.', schema: { type: 'integer', minimum: 0 } },
  { in: 'query', name: 'limit', description: 'Most entries.', schema: { type: 'integer', minimum: 1 } },
];
const SNAPSHOT_HEADERS = {
  ETag: 'Version of the file.',
  'Repr-Digest': 'SHA-256 of the file (RFC 9530).',
  'optgate-epoch': 'History the snapshot is of.',
  'optgate-seq': 'Place in it.',
  'optgate-entries': 'Entries in the snapshot.',
};

interface RelayExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly principal: Principal | null;
}

export function relayRoutes({ relay }: RouteContext): readonly Route[] {
  const handle = ({ request, response, principal }: RelayExchange): Reply => {
    if (!relay(request, response, reporterOf(principal))) throw new ProblemError('http.not_found');
    return null;
  };
  const shared = { needs: 'relay', isWaiting: true, body: null, handle } as const;
  return [
    route({
      ...shared,
      operationId: 'getSnapshot',
      method: 'get',
      path: SNAPSHOT_PATH,
      summary: 'The newest snapshot (docs/snapshot-format.md); whole, or in ranges.',
      roles: ['enforcer', 'operator', 'auditor'],
      answers: {
        200: { description: 'The file.', body: { mediaType: SNAPSHOT_TYPE }, headers: SNAPSHOT_HEADERS },
        206: { description: 'A range of it.', body: { mediaType: SNAPSHOT_TYPE }, headers: SNAPSHOT_HEADERS },
        304: { description: 'It is the one that If-None-Match names.', body: null },
      },
      problems: ['http.range', 'http.busy', 'sync.unavailable'],
    }),
    route({
      ...shared,
      operationId: 'getChanges',
      method: 'get',
      path: CHANGES_PATH,
      summary: 'Delta frames after a position (docs/delta-format.md); waits for something to come.',
      roles: ['enforcer', 'operator', 'auditor'],
      parameters: QUERY,
      answers: { 200: { description: 'Frames, one after the other.', body: { mediaType: DELTA_TYPE } } },
      problems: ['http.bad_request', 'sync.epoch', 'sync.trimmed', 'http.busy', 'sync.unavailable'],
    }),
    route({
      ...shared,
      operationId: 'reportEnforcer',
      method: 'post',
      path: ACKS_PATH,
      summary: 'What an enforcer says of itself: that it is there, and what it has applied.',
      roles: ['enforcer', 'operator'],
      streams: ['application/json'],
      streamBody: 'EnforcerReport',
      answers: { 204: { description: 'Taken down.', body: null } },
      problems: ['http.bad_request', 'enforcer.bound', 'sync.unavailable'],
    }),
  ];
}

/** An operator reports for any enforcer. */
function reporterOf(principal: Principal | null): Reporter | undefined {
  return principal?.role === 'enforcer' ? { tokenName: principal.name } : undefined;
}
