/**
 * How answers of the public pages go out: their headers, and the policy that keeps them what they are.
 *
 * The referrer stays within the site because a form without one has the origin `null`, and a receipt must not reach others.
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Asset } from './assets.js';
import { type Page, renderPage, type View } from './layout.js';

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

export function sendPage(response: ServerResponse, view: View, page: Page): void {
  const bytes = Buffer.from(renderPage(view, page));
  const isFramed = view.isEmbedded && page.isAlone !== true && view.settings.frameAncestors.length > 0;
  send(response, page.status, bytes, {
    ...HEADERS,
    'content-type': 'text/html; charset=utf-8',
    'content-language': view.language,
    'content-security-policy': policyFor(isFramed ? view.settings.frameAncestors : []),
    'cache-control': 'no-store',
    vary: 'accept-language, cookie, sec-gpc',
    ...(isFramed ? {} : { 'x-frame-options': 'DENY' }),
    ...page.headers,
  });
}

/** After a form was taken: reloading the page that follows sends nothing again. */
export function redirect(response: ServerResponse, to: string): void {
  send(response, 303, Buffer.alloc(0), {
    ...HEADERS,
    location: to,
    'cache-control': 'no-store',
    'content-security-policy': NOTHING,
  });
}

export function sendAsset(response: ServerResponse, asset: Asset, isVersioned: boolean): void {
  send(response, 200, asset.bytes, {
    ...HEADERS,
    'content-type': asset.mediaType,
    'content-security-policy': NOTHING,
    'cache-control': isVersioned ? 'public, max-age=31536000, immutable' : 'public, max-age=300',
    'cross-origin-resource-policy': asset.isShared ? 'cross-origin' : 'same-origin',
  });
}

/** Global Privacy Control, section 4: that the signal is honored, and since when that was last looked at. */
export function sendGpc(response: ServerResponse, lastUpdate: string | null): void {
  const body = { gpc: true, ...(lastUpdate === null ? {} : { lastUpdate }) };
  send(response, 200, Buffer.from(JSON.stringify(body)), {
    ...HEADERS,
    'content-type': 'application/json',
    'content-security-policy': NOTHING,
    'cache-control': 'public, max-age=3600',
  });
}

const NOTHING = "default-src 'none'; frame-ancestors 'none'";

function policyFor(frameAncestors: readonly string[]): string {
  const ancestors = frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ');
  return `default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors ${ancestors}`;
}

function send(
  response: ServerResponse,
  status: number,
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { ...headers, 'content-length': bytes.length });
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
