/**
 * The OpenAPI 3.1 document of the control plane, made of the table of routes and the schemas of the bodies.
 *
 * Every status an operation answers with is listed, but for what nobody expects (500), which is `default`.
 * @module
 */
import { z } from 'zod';
import { packageVersion } from '../../version.js';
import { CONTROL_PROBLEMS, type ControlProblemCode } from './problems.js';
import type { DocumentedAnswer, Parameter, Route } from './route.js';
import { ANSWERS, BODIES, FOREIGN_BODIES } from './schemas.js';

const INFO = {
  title: 'optgate control plane',
  description: 'Opt-outs and opt-ins, the data inventory, and the set passed on to enforcers.',
} as const;

export function openApiOf(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const one of routes) {
    paths[one.path] ??= {};
    Object.assign(paths[one.path] ?? {}, { [one.method]: operationOf(one) });
  }
  return {
    openapi: '3.1.0',
    info: { ...INFO, version: packageVersion(), license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: {
        ...schemasOf({ ...BODIES, ...FOREIGN_BODIES }, 'input'),
        ...schemasOf(ANSWERS, 'output'),
      },
    },
  };
}

function schemasOf(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Record<string, object> {
  const entries = Object.entries(schemas).map(([name, schema]) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
    return [name, rest];
  });
  return Object.fromEntries(entries);
}

function operationOf(one: Route): object {
  const body = bodyOf(one);
  return {
    operationId: one.operationId,
    summary: one.summary,
    ...(one.roles === null ? { security: [] } : { security: [{ bearer: [] }], 'x-roles': one.roles }),
    parameters: parametersOf(one),
    ...(body === null ? {} : { requestBody: { required: true, content: body } }),
    responses: responsesOf(one),
  };
}

function parametersOf({ path, parameters = [] }: Route): readonly object[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return [...inPath, ...parameters.map((parameter: Parameter) => ({ ...parameter, required: false }))];
}

function bodyOf({ body, streams, streamBody }: Route): object | null {
  if (body !== null) return { 'application/json': { schema: refTo(body) } };
  if (streams === undefined) return null;
  const content = streamBody === undefined ? { schema: { type: 'string' } } : { schema: refTo(streamBody) };
  return Object.fromEntries(streams.map((type) => [type, content]));
}

function responsesOf(one: Route): object {
  const responses: Record<string, object> = {};
  for (const [status, answer] of Object.entries(one.answers)) responses[status] = responseOf(answer);
  for (const [status, codes] of problemsByStatus(one)) responses[status] = problemResponse(status, codes);
  return { ...responses, default: problemResponse(500, ['http.failed']) };
}

function responseOf({ description, body, otherMediaType, headers }: DocumentedAnswer): object {
  const named = Object.entries(headers ?? {}).map(([name, meaning]) => [
    name,
    { description: meaning, schema: { type: 'string' } },
  ]);
  return {
    description,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    ...(body === null
      ? {}
      : { content: { ...contentOf(body), ...(otherMediaType === undefined ? {} : { [otherMediaType]: {} }) } }),
  };
}

function contentOf(body: NonNullable<DocumentedAnswer['body']>): object {
  if (typeof body === 'string') return { 'application/json': { schema: refTo(body) } };
  return { [body.mediaType]: {} };
}

/** What a route can refuse, by status: its own problems, and those that come with what it is. */
function problemsByStatus(one: Route): ReadonlyMap<number, readonly ControlProblemCode[]> {
  const byStatus = new Map<number, ControlProblemCode[]>();
  for (const code of new Set([...one.problems, ...sharedProblems(one)])) {
    const [status] = CONTROL_PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

function sharedProblems(one: Route): readonly ControlProblemCode[] {
  const codes: ControlProblemCode[] = ['http.bad_request', 'http.closing'];
  if (one.roles !== null) codes.push('http.unauthorized', 'http.forbidden', 'http.misdirected');
  if (one.isRateLimited === true) codes.push('http.rate');
  if (one.isWaiting !== true) codes.push('http.busy');
  if (one.needs !== null) codes.push(`${one.needs}.none`);
  if (one.needs === 'ledger') codes.push('ledger.unavailable');
  if (one.body !== null) codes.push('json.invalid', 'json.not_utf8', 'json.duplicate_key');
  if (one.body !== null || one.streams !== undefined) codes.push('http.too_large', 'http.media_type');
  // the relay closes the connection of whoever stands still
  if (one.needs === 'ledger' && (one.body !== null || one.streams !== undefined)) codes.push('http.timeout');
  return codes;
}

function problemResponse(status: number, codes: readonly ControlProblemCode[]): object {
  const lines = codes.map((code) => `${code}: ${CONTROL_PROBLEMS[code][1]}`);
  const schema = {
    allOf: [refTo('Problem'), { properties: { status: { const: status }, code: { enum: codes } } }],
  };
  return { description: lines.join('\n'), content: { 'application/problem+json': { schema } } };
}

function refTo(name: string): object {
  return { $ref: `#/components/schemas/${name}` };
}
