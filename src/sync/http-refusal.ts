/**
 * What an answer of a relay that brings nothing means.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { GateError } from '../core/errors.js';
import type { Clock } from './clock.js';
import { type HttpLimits, readBody } from './http-client.js';
import { PROBLEM_TYPE } from './http-problem.js';

/**
 * The error that an answer stands for. Anyone between here and the relay can answer with a status, so only problem details
 * say more than that: see {@link codeOf}.
 */
export async function refusalOf(response: IncomingMessage, limits: HttpLimits, clock: Clock): Promise<GateError> {
  const { statusCode = 0 } = response;
  const code = await codeOf(response, limits, clock);
  const detail = code === null ? `status ${statusCode}` : `status ${statusCode}, ${code}`;
  if (statusCode === 401 || statusCode === 403) return new GateError('sync.refused', detail);
  if (statusCode === 410 && code === 'sync.trimmed') return new GateError('sync.trimmed');
  if (statusCode === 409 && code === 'sync.epoch') return new GateError('sync.epoch');
  if (statusCode >= 300 && statusCode < 400) {
    return new GateError('sync.protocol', `status ${statusCode}: redirects are not followed`);
  }
  if (statusCode === 429 || statusCode >= 500) return new GateError('sync.unavailable', detail);
  return new GateError('sync.protocol', detail);
}

/** The `code` of problem details; `null` if there are none. Reads the body to its end, so that the connection can be kept. */
async function codeOf(response: IncomingMessage, limits: HttpLimits, clock: Clock): Promise<string | null> {
  try {
    const body = await readBody(response, { ...limits, bytesMax: limits.problemBytesMax }, clock);
    if (response.headers['content-type'] !== PROBLEM_TYPE) return null;
    const { code } = JSON.parse(Buffer.from(body).toString('utf8')) as { readonly code?: unknown };
    return typeof code === 'string' && /^[a-z]+\.[a-z_]{1,40}$/.test(code) ? code : null;
  } catch {
    return null;
  }
}
