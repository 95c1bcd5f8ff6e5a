/**
 * Which operations of the API a session may be used for, below `/console/api/v1`. All others need a token.
 *
 * They are the API's own: its checks, its records of who did what, and its problems are those of the console too.
 * @module
 */
const ID = '[^/?]{1,1000}';

const FORWARDED: readonly (readonly [method: string, path: RegExp])[] = [
  ['GET', new RegExp(`^/v1/requests/${ID}$`)],
  ['GET', new RegExp(`^/v1/propagation/${ID}$`)],
  ['GET', /^\/v1\/enforcers$/],
  ['DELETE', new RegExp(`^/v1/enforcers/${ID}$`)],
  ['GET', /^\/v1\/destinations$/],
  ['GET', new RegExp(`^/v1/destinations/${ID}$`)],
  ['PUT', new RegExp(`^/v1/destinations/${ID}$`)],
  ['DELETE', new RegExp(`^/v1/destinations/${ID}$`)],
  ['POST', /^\/v1\/status-of$/],
  ['GET', /^\/v1\/status$/],
  ['GET', /^\/v1\/audit(?:\/head)?$/],
  ['GET', /^\/v1\/deadlines$/],
];

const PREFIX = '/console/api';

/** The path of the API that a URL of the console stands for, with its query; `null`: it stands for none. */
export function forwardedUrl(method: string, url: string): string | null {
  if (!url.startsWith(`${PREFIX}/v1/`)) return null;
  const target = url.slice(PREFIX.length);
  const path = target.split('?', 1)[0] ?? '';
  return FORWARDED.some(([allowed, pattern]) => allowed === method && pattern.test(path)) ? target : null;
}
