/**
 * Rows of people streamed in, and out again without those who have opted out.
 *
 * What must stay true: an answer ends with its trailers only where all of it was filtered and, with a ledger, recorded; else the
 * connection is cut, and nothing of the run is kept.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { GateError, InputError } from '../../core/errors.js';
import { PURPOSES } from '../../core/policy/destinations.js';
import type { Policy } from '../../core/policy/policy.js';
import type { TableHolder } from '../../core/suppression/index.js';
import {
  type ExportTerms,
  exportTerms,
  filterRows,
  MODES,
  ON_UNIDENTIFIABLE,
  parseMapping,
  RowError,
  type RowFormat,
} from '../../exports/index.js';
import { exportRecordOf, type Manifest } from '../../exports/manifest.js';
import { type Pass, setInUse } from '../../exports/run.js';
import { removeStreamLeftovers, streamExport } from '../../exports/stream-run.js';
import { exportRunIdOf, type Ledger } from '../../ledger/index.js';
import { packageVersion } from '../../version.js';
import { isFresh } from '../table-freshness.js';
import { type BodyLimits, checkMediaType, readChunks } from './body.js';
import type { ControlPlaneOptions } from './options.js';
import { INPUT_CODES, ProblemError } from './problems.js';
import { type Exchange, type Parameter, type Route, type RouteContext, route } from './route.js';

export interface ExportLimits extends BodyLimits {
  readonly exportBytesMax: number;
  /** Exports at the same time. */
  readonly exportsInFlightMax: number;
}

/** What exports go by, as it is at the moment. */
export interface ExportBasis {
  readonly holder: TableHolder;
  readonly policy: () => Policy;
}

const FORMATS = {
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/x-ndjson': 'ndjson',
} as const satisfies Record<string, RowFormat>;
const MEDIA_TYPES = Object.keys(FORMATS) as (keyof typeof FORMATS)[];

const NAME = { type: 'string', maxLength: 200 };
const oneOf = (words: readonly string[]) => ({ type: 'string', enum: words });

const PARAMETERS: readonly Parameter[] = [
  parameter('destination', 'Id in the data inventory of the policy; another one is a third party.', NAME),
  parameter('purpose', 'What the rows go there for.', oneOf(PURPOSES)),
  parameter('map', 'Which columns or JSON paths hold which kind: email=email,maid=idfa|gaid.', { type: 'string' }),
  parameter('mode', 'What becomes of a suppressed row. Default: drop.', oneOf(MODES)),
  parameter(
    'onUnidentifiable',
    'Rows without an identifier that can be looked up. Default: drop.',
    oneOf(ON_UNIDENTIFIABLE),
  ),
  parameter('onBehalfOf', 'For whom: a note for the manifest, beside the name of the token.', NAME),
];
const TRAILERS = [
  'optgate-manifest',
  'optgate-recorded',
  'optgate-rows-in',
  'optgate-rows-kept',
  'optgate-rows-kept-unidentifiable',
  'optgate-rows-blanked',
  'optgate-rows-dropped',
];

function parameter(name: string, description: string, schema: object): Parameter {
  return { in: 'query', name, description, schema };
}

export function exportRoute({ exports }: RouteContext, limits: ExportLimits): Route {
  if (exports !== null) void removeStreamLeftovers(Date.now());
  let inFlight = 0;
  return route({
    operationId: 'exportRows',
    method: 'post',
    path: '/v1/export',
    summary: 'Gives rows back without those of people who have opted out of what the destination does with them.',
    roles: ['operator'],
    parameters: PARAMETERS,
    body: null,
    streams: MEDIA_TYPES,
    answers: {
      200: {
        description: `The rows that may leave, as they came. Trailers: ${TRAILERS.join(', ')}. Without them it is not complete, and not to be used.`,
        body: { mediaType: 'text/csv' },
        headers: { Trailer: 'Names of the trailers.' },
      },
    },
    problems: [
      ...INPUT_CODES,
      'rows.invalid',
      'table.not_loaded',
      'table.stale',
      'http.busy',
      'http.timeout',
      'ledger.unavailable',
    ],
    needs: null,
    isRateLimited: true,
    isWaiting: true,
    async handle(exchange) {
      const mediaType = checkMediaType(exchange.request, MEDIA_TYPES);
      if (exports === null) throw new ProblemError('table.not_loaded');
      refuseStale(exports);
      if (inFlight >= limits.exportsInFlightMax) throw new ProblemError('http.busy');
      inFlight++;
      try {
        await run(exchange, mediaType, { basis: exports, ledger: openLedgerOf(exchange.ledger), limits });
      } catch (error) {
        if (!exchange.response.headersSent) throw error instanceof RowError ? rowProblem(error) : error;
        exchange.response.destroy(); // whoever reads must not take it for the end
      } finally {
        inFlight--;
      }
      return null;
    },
  });
}

interface Running {
  readonly basis: ExportBasis;
  readonly ledger: Ledger | null;
  readonly limits: ExportLimits;
}

async function run(
  exchange: Exchange,
  mediaType: keyof typeof FORMATS,
  { basis, ledger, limits }: Running,
): Promise<void> {
  const { request, response, principal, query, signal } = exchange;
  const policy = basis.policy();
  const destination = query.get('destination') ?? '';
  if (destination === '') throw new InputError('destination', 'required', 'expected the id of a destination');
  const purpose = wordOf(query, 'purpose', PURPOSES, null);
  const terms = exportTerms({ policy, destination, purpose, now: Date.now() });
  const { pass, filter } = passOf(exchange, FORMATS[mediaType], terms, basis.holder);
  const set = setInUse(basis.holder);
  if (ledger !== null && (await ledger.head()).seed !== set.seed) throw new GateError('lineage.seed');
  const answer = new StreamedAnswer(response, mediaType, signal);
  const manifest = await streamExport({
    runId: exportRunIdOf(randomBytes(16)),
    input: readChunks(request, limits.exportBytesMax, limits, signal),
    pass,
    set,
    checkSet: () => refuseStale(basis),
    destination,
    purpose,
    terms,
    policyVersion: policy.version,
    operator: principal.name,
    onBehalfOf: query.get('onBehalfOf') ?? null,
    optgate: packageVersion(),
    filter,
    write: (bytes) => answer.write(bytes),
    ...(ledger === null ? {} : { record: (made, index) => ledger.recordExport(exportRecordOf(made, terms), index) }),
    now: Date.now,
  });
  answer.end(manifest, ledger !== null);
}

function passOf(
  { query }: Exchange,
  format: RowFormat,
  terms: ExportTerms,
  table: TableHolder,
): { pass: Pass; filter: object & Record<string, unknown> } {
  const mapping = parseMapping(query.get('map') ?? '');
  const mode = wordOf(query, 'mode', MODES, 'drop');
  const onUnidentifiable = wordOf(query, 'onUnidentifiable', ON_UNIDENTIFIABLE, 'drop');
  const named = mapping.map(({ kind, place }) => `${kind}=${place}`);
  return {
    pass: (input, { onFingerprints }) =>
      filterRows(input, { table, terms, format, mapping, mode, onUnidentifiable, onFingerprints }),
    filter: { format, mapping: named, mode, onUnidentifiable, recheck: false },
  };
}

function wordOf<W extends string>(
  query: ReadonlyMap<string, string>,
  name: string,
  words: readonly W[],
  fallback: W | null,
): W {
  const text = query.get(name);
  if (text === undefined && fallback !== null) return fallback;
  const word = words.find((known) => known === text);
  if (word !== undefined) return word;
  throw new InputError(name, text === undefined ? 'required' : 'unknown', `expected one of ${words.join(', ')}`);
}

/** An answer that begins with its first piece: until then a problem can still be told. */
class StreamedAnswer {
  constructor(
    private readonly response: ServerResponse,
    private readonly mediaType: string,
    private readonly signal: AbortSignal,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    this.signal.throwIfAborted();
    this.#begin();
    if (!this.response.write(bytes)) await once(this.response, 'drain', { signal: this.signal });
  }

  end(manifest: Manifest, isRecorded: boolean): void {
    this.signal.throwIfAborted();
    this.#begin();
    const { rows } = manifest;
    this.response.addTrailers({
      'optgate-manifest': Buffer.from(JSON.stringify(manifest)).toString('base64url'),
      'optgate-recorded': String(isRecorded),
      'optgate-rows-in': String(rows.in),
      'optgate-rows-kept': String(rows.kept),
      'optgate-rows-kept-unidentifiable': String(rows.keptUnidentifiable),
      'optgate-rows-blanked': String(rows.blanked),
      'optgate-rows-dropped': String(rows.in - rows.kept - rows.blanked),
    });
    this.response.end();
  }

  #begin(): void {
    if (this.response.headersSent) return;
    this.response.writeHead(200, { 'content-type': this.mediaType, trailer: TRAILERS.join(', ') });
  }
}

/** Nobody is let out by a table that may not know of the latest opt-outs, however fresh it was when the rows began. */
function refuseStale({ holder, policy }: ExportBasis): void {
  if (holder.current === null) throw new ProblemError('table.not_loaded');
  if (!isFresh(holder.current, policy().table.staleAfterMs, Date.now(), null)) throw new ProblemError('table.stale');
}

function rowProblem(error: RowError): ProblemError {
  return new ProblemError('rows.invalid', { detail: error.message });
}

/** `null`: the set is kept elsewhere, and runs cannot be recorded. One that cannot be reached is waited for, not passed by. */
function openLedgerOf(ledger: ControlPlaneOptions['ledger']): Ledger | null {
  if (ledger === 'unavailable') throw new GateError('ledger.unavailable');
  return ledger;
}
