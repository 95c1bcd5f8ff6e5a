/**
 * Opt-outs in bulk: a list streamed in, recorded as one request, in memory that does not grow with it.
 * @module
 */
import { InputError } from '../../core/errors.js';
import { IdentifierRows } from '../../exports/identifier-rows.js';
import { type ColumnMapping, parseMapping } from '../../exports/mapping.js';
import type { Channel, ImportOptions } from '../../ledger/index.js';
import { ListError } from '../../rows/list-error.js';
import { type RowFormat, readUncheckedRows, type UncheckedRow } from '../../rows/rows.js';
import { receiptAnswer } from './answers.js';
import { type BodyLimits, checkMediaType, readChunks } from './body.js';
import { IDEMPOTENCY_KEY, idempotencyKeyOf, REQUEST_ANSWERS, receiptReply } from './intake.js';
import { INPUT_CODES, ProblemError } from './problems.js';
import { type Exchange, type Parameter, type Route, type RouteContext, route } from './route.js';
import { type Answer, channel, moment, operator, REFUSED_SHOWN_MAX } from './schemas.js';

export interface ImportLimits extends BodyLimits {
  readonly importBytesMax: number;
  /** Longest row. */
  readonly importRowBytesMax: number;
  /** Imports at the same time. */
  readonly importsInFlightMax: number;
}

const FORMATS = { 'text/csv': 'csv', 'application/x-ndjson': 'ndjson' } as const satisfies Record<string, RowFormat>;
const MEDIA_TYPES = Object.keys(FORMATS) as (keyof typeof FORMATS)[];

const TEXT = { type: 'string' };
const MOMENT = { type: 'string', format: 'date-time' };

const PARAMETERS: readonly Parameter[] = [
  IDEMPOTENCY_KEY,
  parameter('channel', 'How the requests came. Default: import.', { type: 'string', enum: channel.options }),
  parameter('receivedAt', 'When they were received, with a zone. Default: now.', MOMENT),
  parameter('map', 'A row is a person: columns or paths with identifiers, as email=Email,phone=Mobile.', TEXT),
  parameter('operator', 'Who entered them. Default: the name of the token.', { type: 'string', maxLength: 200 }),
];

function parameter(name: string, description: string, schema: object): Parameter {
  return { in: 'query', name, description, schema };
}

export function importRoute(_context: RouteContext, limits: ImportLimits): Route {
  let inFlight = 0;
  return route({
    operationId: 'importOptOuts',
    method: 'post',
    path: '/v1/imports',
    summary: 'Records every row of a list (kind, value, rights) as an opt-out; rows come into force as they arrive.',
    roles: ['operator'],
    parameters: PARAMETERS,
    body: null,
    streams: MEDIA_TYPES,
    answers: {
      200: { ...REQUEST_ANSWERS[200], body: 'ImportReceipt' },
      201: { description: 'Recorded; rows that could not be used are listed.', body: 'ImportReceipt' },
      202: { ...REQUEST_ANSWERS[202], body: 'ImportReceipt' },
    },
    problems: [...INPUT_CODES, 'list.invalid', 'list.empty', 'ledger.idempotency_conflict', 'http.busy'],
    needs: 'ledger',
    isRateLimited: true,
    isWaiting: true,
    async handle(exchange) {
      const format = FORMATS[checkMediaType(exchange.request, MEDIA_TYPES)];
      const options = optionsOf(exchange);
      if (inFlight >= limits.importsInFlightMax) throw new ProblemError('http.busy');
      inFlight++;
      try {
        return await run(exchange, format, options, limits);
      } finally {
        inFlight--;
      }
    },
  });
}

async function run(
  { request, signal, ledger, query }: Exchange,
  format: RowFormat,
  options: ImportOptions,
  limits: ImportLimits,
) {
  const mapping = mappingOf(query.get('map'));
  const faults = new FaultList();
  const chunks = readChunks(request, limits.importBytesMax, limits, signal);
  const onFault = (line: number, field: string, detail: string) => faults.found({ line, field, detail });
  const mapped =
    mapping === null ? null : new IdentifierRows(chunks, format, mapping, onFault, limits.importRowBytesMax);
  const rows = mapped?.read() ?? readUncheckedRows(chunks, format, onFault, limits.importRowBytesMax);
  const receipt = await ledger
    .importOptOuts(await begun(rows), {
      ...options,
      signal,
      onRefused: ({ line, field, message }) => faults.refused({ line, field: mapped?.place ?? field, detail: message }),
    })
    .catch(refuseList);
  const { rowCount, refusedCount, identifierCount, token } = receipt;
  const answer: Answer<'ImportReceipt'> = {
    ...receiptAnswer(receipt),
    rowCount,
    refusedCount,
    refused: faults.shown,
  };
  return receiptReply(answer, token === null && identifierCount > 0);
}

/** Throws an InputError. */
function mappingOf(text: string | undefined): ColumnMapping | null {
  if (text === undefined) return null;
  try {
    return parseMapping(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('map', error.code, error.message.slice(error.field.length + 2));
  }
}

/** What the headers and the query say of the import. Throws a ProblemError or an InputError. */
function optionsOf({ request, query, principal }: Exchange): ImportOptions {
  const [givenChannel, receivedAt] = [query.get('channel'), query.get('receivedAt')];
  const givenOperator = query.get('operator') ?? principal.name;
  const key = idempotencyKeyOf(request);
  if (givenChannel !== undefined && !channel.safeParse(givenChannel).success) {
    throw new InputError('channel', 'unknown', `expected one of ${channel.options.join(', ')}`);
  }
  if (receivedAt !== undefined && !moment.safeParse(receivedAt).success) {
    throw new InputError('receivedAt', 'malformed', 'expected a moment with its zone, such as 2026-11-20T10:00:00Z');
  }
  if (givenOperator !== null && !operator.safeParse(givenOperator).success) {
    throw new InputError('operator', givenOperator === '' ? 'empty' : 'too_long', 'expected 1 to 200 characters');
  }
  return {
    ...(givenChannel === undefined ? {} : { channel: givenChannel as Channel }),
    ...(receivedAt === undefined ? {} : { receivedAtMs: Date.parse(receivedAt) }),
    ...(givenOperator === null ? {} : { operator: givenOperator }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

/**
 * The rows, the first of which has been read: a list that is refused whole, or has none, is found out before anything is
 * recorded. Throws a ProblemError.
 */
async function begun(rows: AsyncGenerator<UncheckedRow>): Promise<AsyncIterable<UncheckedRow>> {
  const first = await rows.next().catch(refuseList);
  if (first.done === true) throw new ProblemError('list.empty');
  let isFirst = true;
  const next = () => {
    if (!isFirst) return rows.next();
    isFirst = false;
    return Promise.resolve(first);
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => rows.return(undefined) }) };
}

function refuseList(error: unknown): never {
  throw error instanceof ListError ? new ProblemError('list.invalid', { detail: error.message }) : error;
}

type Fault = Answer<'ImportReceipt'>['refused'][number];

/**
 * The first rows that could not be used. A row that is no row is refused twice, by the reader of the list, who knows what is
 * wrong, and then by the ledger, which is given nothing: the first is the one to be told.
 */
class FaultList {
  readonly shown: Fault[] = [];
  #found: Fault | null = null;

  found(fault: Fault): void {
    this.#found = fault;
  }

  refused(fault: Fault): void {
    if (this.shown.length >= REFUSED_SHOWN_MAX) return;
    this.shown.push(this.#found?.line === fault.line ? this.#found : fault);
  }
}
