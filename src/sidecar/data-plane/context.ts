/**
 * Reads the context of a request, what the caller knows that the bid request does not say, from headers and query.
 *
 * Stricter than the gate: a parameter or `optgate-` header that is not one there is, is refused. A misspelt switch must
 * not pass for one that was never set. An empty value is none: headers are often written by a proxy's template.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { BytesContext } from '../../core/gate.js';
import type { DataLimits } from './limits.js';
import type { DataProblemCode } from './problems.js';

export interface RequestContext {
  readonly check: BytesContext;
  /** How long to wait for the table to reach `check.minSeq`. */
  readonly waitMs: number;
  /** Give the reasons in full. */
  readonly explain: boolean;
}

export class ContextFault {
  constructor(
    readonly code: DataProblemCode,
    readonly field?: string,
  ) {}
}

/** The parameters there are, each as query parameter; as header it is `optgate-` with `-` for `_`. */
export const PARAMETERS = ['destination', 'state', 'country', 'min_seq', 'wait_ms', 'explain'] as const;
export type Parameter = (typeof PARAMETERS)[number];

const HEADER_PREFIX = 'optgate-';
const PARAMETER_OF_HEADER = new Map<string, Parameter>(
  PARAMETERS.map((name) => [`${HEADER_PREFIX}${name.replace('_', '-')}`, name]),
);

/** What a value has to look like. A token is opaque here: one that cannot be read is never reached. */
const SHAPES: Readonly<Partial<Record<Parameter, RegExp>>> = {
  state: /^(?:US-)?[A-Z]{2}$/i,
  country: /^[A-Z]{2,3}$/i,
  wait_ms: /^\d{1,9}$/,
  explain: /^(?:true|false)$/,
};

const NO_CONTEXT: RequestContext = Object.freeze({
  check: Object.freeze({ requireBidRequest: true }),
  waitMs: 0,
  explain: false,
});
/** Most requests of the browsers that say it have this and nothing else. */
const GPC_CONTEXT: RequestContext = Object.freeze({
  check: Object.freeze({ secGpc: '1', requireBidRequest: true }),
  waitMs: 0,
  explain: false,
});

/**
 * HOT. The context of one request.
 * @param query What stands behind the `?`; empty for none.
 * @param allowed The parameters of this path.
 */
export function readContext(
  headers: IncomingHttpHeaders,
  query: string,
  allowed: ReadonlySet<Parameter>,
  limits: DataLimits,
): RequestContext | ContextFault {
  let hasParameters = query !== '';
  if (!hasParameters) {
    for (const name in headers) {
      if (name.charCodeAt(0) === 0x6f && name.startsWith(HEADER_PREFIX)) {
        hasParameters = true;
        break;
      }
    }
  }
  if (hasParameters) return readParameters(headers, query, allowed, limits);
  const secGpc = headers['sec-gpc'];
  if (secGpc === undefined) return NO_CONTEXT;
  return secGpc === '1' ? GPC_CONTEXT : { check: { secGpc, requireBidRequest: true }, waitMs: 0, explain: false };
}

function readParameters(
  headers: IncomingHttpHeaders,
  query: string,
  allowed: ReadonlySet<Parameter>,
  limits: DataLimits,
): RequestContext | ContextFault {
  const given: Partial<Record<Parameter, string>> = {};
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(query)) {
    // the name is what a stranger wrote, so it is not shown
    if (!allowed.has(name as Parameter) || seen.has(name)) return new ContextFault('query.unknown');
    seen.add(name);
    if (value !== '') given[name as Parameter] = value;
  }
  for (const header in headers) {
    if (!header.startsWith(HEADER_PREFIX)) continue;
    const name = PARAMETER_OF_HEADER.get(header);
    if (name === undefined || !allowed.has(name)) return new ContextFault('header.unknown');
    const value = String(headers[header]);
    if (value === '') continue;
    if (given[name] !== undefined && given[name] !== value) return new ContextFault('context.conflict', name);
    given[name] = value;
  }
  for (const name of PARAMETERS) {
    const value = given[name];
    if (value === undefined) continue;
    const fits = value.length <= limits.contextTextLengthMax && (SHAPES[name]?.test(value) ?? true);
    if (!fits) return new ContextFault('context.invalid', name);
  }
  return contextOf(given, headers['sec-gpc'], limits);
}

function contextOf(
  given: Partial<Record<Parameter, string>>,
  secGpc: string | string[] | undefined,
  limits: DataLimits,
): RequestContext | ContextFault {
  const { destination, state, country, min_seq: minSeq } = given;
  const waitMs = Number(given.wait_ms ?? 0);
  if (waitMs > limits.waitMsMax) return new ContextFault('context.invalid', 'wait_ms');
  if (waitMs > 0 && minSeq === undefined) return new ContextFault('context.invalid', 'min_seq');
  return {
    check: {
      destination,
      state: state?.toUpperCase(),
      country: country?.toUpperCase(),
      secGpc,
      minSeq,
      requireBidRequest: true,
    },
    waitMs,
    explain: given.explain === 'true',
  };
}
