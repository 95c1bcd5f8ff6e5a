/**
 * What pages ask the server for, as JSON.
 * @module
 */

/** A refusal, in words for a person. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {string | null} field
   */
  constructor(status, code, message, field = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/** @param {string} name */
function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute('content') ?? '';
}

/** True where whoever is signed in may change things. */
export function mayChange() {
  return meta('role') === 'operator';
}

/**
 * @param {string} path Below `/console/api`.
 * @param {{ readonly isBackground?: boolean, readonly signal?: AbortSignal }} [options] `isBackground`: nobody did anything.
 * @returns {Promise<any>}
 */
export function get(path, { isBackground = false, signal } = {}) {
  const headers = isBackground ? { 'x-console-background': '1' } : {};
  return ask(path, { headers, ...(signal === undefined ? {} : { signal }) });
}

/**
 * @param {'POST' | 'PUT' | 'DELETE'} method
 * @param {string} path
 * @param {object | null} body
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
export function change(method, path, body, headers = {}) {
  const csrf = { 'x-csrf-token': meta('csrf'), ...headers };
  if (body === null) return ask(path, { method, headers: csrf });
  return ask(path, { method, headers: { ...csrf, 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** The entity tag of what was read last from a path. @type {Map<string, string>} */
export const entityTags = new Map();

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  let response;
  try {
    response = await fetch(`/console/api${path}`, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'network', 'The server does not answer.');
  }
  const text = await response.text();
  if (response.ok) {
    const tag = response.headers.get('etag');
    if (tag !== null) entityTags.set(path, tag);
    return text === '' ? null : JSON.parse(text);
  }
  throw refusal(response.status, text);
}

/** @param {number} status @param {string} text */
function refusal(status, text) {
  /** @type {{ code?: string, title?: string, detail?: string, field?: string }} */
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // not one of ours: a proxy, perhaps
  }
  if (status === 401) return new ApiError(401, 'http.unauthorized', 'The session has ended. Sign in again.');
  const { code = 'http.failed', title = `the server answered ${status}`, detail, field = null } = problem;
  const where = field === null ? '' : `${field}: `;
  const said = `${where}${title}${detail === undefined ? '' : ` (${detail})`}`;
  return new ApiError(status, code, `${said.charAt(0).toUpperCase()}${said.slice(1)}.`, field);
}
