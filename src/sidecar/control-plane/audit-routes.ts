/**
 * The audit trail, for those who oversee: entries by what they say, and where the trail ends.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { AuditQuery } from '../../ledger/index.js';
import { auditEntryAnswer } from './answers.js';
import { INPUT_CODES } from './problems.js';
import { type Parameter, type Route, type RouteContext, route } from './route.js';
import { moment } from './schemas.js';

const QUERY: readonly Parameter[] = [
  parameter('after', 'Entries after this number.', { type: 'integer', minimum: 0 }),
  parameter('limit', 'Most entries. Default: 100.', { type: 'integer', minimum: 1, maximum: 1000 }),
  parameter('kind', 'Entries of this kind, such as person.looked_up.', { type: 'string', maxLength: 64 }),
  parameter('subject', 'About this: id of a request, a destination, an enforcer, a run.', textOf(200)),
  parameter('actor', 'By this one: role, role:name or :name.', textOf(220)),
  parameter('since', 'At this moment or later, with a zone.', { type: 'string', format: 'date-time' }),
  parameter('until', 'Before this moment, with a zone.', { type: 'string', format: 'date-time' }),
];

function textOf(maxLength: number): object {
  return { type: 'string', minLength: 1, maxLength };
}

function parameter(name: string, description: string, schema: object): Parameter {
  return { in: 'query', name, description, schema };
}

export function auditRoutes(_context: RouteContext): readonly Route[] {
  return [
    route({
      operationId: 'listAudit',
      method: 'get',
      path: '/v1/audit',
      summary: 'Entries of the audit trail that fit all of the query, oldest first (docs/audit-trail.md).',
      roles: ['operator', 'auditor'],
      parameters: QUERY,
      body: null,
      answers: { 200: { description: 'The entries; none too is an answer.', body: 'AuditEntries' } },
      problems: INPUT_CODES,
      needs: 'ledger',
      async handle({ query, ledger }) {
        const entries = await ledger.audit.entries(queryOf(query));
        return { status: 200, body: { entries: entries.map(auditEntryAnswer), last: entries.at(-1)?.n ?? null } };
      },
    }),
    route({
      operationId: 'getAuditHead',
      method: 'get',
      path: '/v1/audit/head',
      summary: 'Where the audit trail ends: keep it elsewhere, and nothing before it can be changed unseen.',
      roles: ['operator', 'auditor'],
      body: null,
      answers: { 200: { description: 'The head.', body: 'AuditHead' } },
      problems: [],
      needs: 'ledger',
      async handle({ ledger }) {
        const { ledgerId, n, hash, checkpointN, unchainedCount } = await ledger.audit.head();
        return { status: 200, body: { ledgerId, n, hash, checkpoint: checkpointN, unchained: unchainedCount } };
      },
    }),
  ];
}

/** Throws an InputError for what is no number or moment; the ledger looks at the rest. */
function queryOf(query: ReadonlyMap<string, string>): AuditQuery {
  return {
    after: numberOf(query, 'after'),
    limit: numberOf(query, 'limit'),
    kind: query.get('kind'),
    subject: query.get('subject'),
    actor: query.get('actor'),
    sinceMs: momentOf(query, 'since'),
    untilMs: momentOf(query, 'until'),
  };
}

function numberOf(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InputError(name, 'malformed', 'expected a whole number');
}

function momentOf(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const read = moment.safeParse(text);
  if (read.success) return Date.parse(read.data);
  throw new InputError(name, 'malformed', 'expected a moment with its zone');
}
