/**
 * `/v1/lookup`: the rights that identifiers have opted out of, without a bid request around them. Never echoes a value.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { checkIdentifier, rightsOfIdentifier, rightsOfMask, type SuppressionTable } from '../../core/index.js';
import { hasRepeatedKeys } from '../../core/openrtb/repeated-keys.js';
import { isFresh } from '../table-freshness.js';
import { answerFormatOf, type Format, TYPE_OF } from './content.js';
import type { RequestContext } from './context.js';
import { pack, readPacked } from './decide.js';
import type { Exchange } from './exchange.js';
import type { DataProblemCode } from './problems.js';

/** What is said of one identifier: in their order, so that none needs to be named. */
type LookupResult =
  | { readonly rights: readonly string[] }
  | { readonly error: { readonly code: 'identifier.invalid'; readonly field: 'kind' | 'value' } };

export function answerLookup(exchange: Exchange, bytes: Buffer, format: Format, context: RequestContext): void {
  const { desk, limits, clock } = exchange.plane;
  const identifiers = identifiersIn(bytes, format);
  if (typeof identifiers === 'string') {
    exchange.refuse(identifiers);
    return;
  }
  if (identifiers.length > limits.lookupItemsMax) {
    exchange.refuse('lookup.too_many');
    return;
  }
  const { table, gate } = desk;
  // Without a table nothing is known, which must not look like "nobody opted out".
  if (table === null) {
    exchange.refuse('table.not_loaded');
    return;
  }
  const isStale = !isFresh(table, gate.policy.table.staleAfterMs, clock.wallMs(), context.check.minSeq);
  const results = identifiers.map((identifier) => resultFor(table, identifier));
  const answer = { results, seq: table.seq, stale: isStale };
  const answerFormat = answerFormatOf(exchange.request.headers.accept, format);
  exchange.answer(
    200,
    ['content-type', TYPE_OF[answerFormat]],
    answerFormat === 'json' ? JSON.stringify(answer) : pack(answer),
  );
}

function resultFor(table: SuppressionTable, identifier: unknown): LookupResult {
  const { kind, value } = (identifier ?? {}) as { readonly kind?: unknown; readonly value?: unknown };
  const checked = checkIdentifier(kind, value);
  if (checked.ok !== undefined) return { rights: rightsOfMask(rightsOfIdentifier(table, checked.ok)) };
  const { code, field } = checked.error;
  return code === 'names_nobody' ? { rights: [] } : { error: { code: 'identifier.invalid', field } };
}

function identifiersIn(bytes: Buffer, format: Format): readonly unknown[] | DataProblemCode {
  const read = format === 'json' ? readJson(bytes) : readPacked(bytes);
  if (read.kind === 'refused') return read.code;
  const body = read.value;
  if (typeof body !== 'object' || body === null || Object.keys(body).join() !== 'identifiers') return 'lookup.invalid';
  const { identifiers } = body as { readonly identifiers: unknown };
  return Array.isArray(identifiers) ? identifiers : 'lookup.invalid';
}

function readJson(bytes: Buffer): ReturnType<typeof readPacked> {
  if (!isUtf8(bytes)) return { kind: 'refused', code: 'json.not_utf8' };
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return hasRepeatedKeys(text, value) ? { kind: 'refused', code: 'lookup.invalid' } : { kind: 'value', value };
  } catch {
    // The parser's message quotes the text, which may hold an identifier.
    return { kind: 'refused', code: 'json.invalid' };
  }
}
