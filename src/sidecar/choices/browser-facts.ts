/**
 * What a browser says of itself: Global Privacy Control, and the ids of the site's own that it holds in cookies.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { checkIdentifier } from '../../core/identity/index.js';
import type { Identifier } from '../../core/vocabulary.js';
import type { CookieId } from './settings.js';

/** Longest header of cookies that is looked through. */
const COOKIES_LENGTH_MAX = 16_384;

/** Exactly `1` is the signal (Global Privacy Control, section 3). */
export function hasSignal(headers: IncomingHttpHeaders): boolean {
  return headers['sec-gpc'] === '1';
}

/** The ids in the cookies of the site; what cannot be an id is not there. Never throws. */
export function cookieIdentifiers(headers: IncomingHttpHeaders, cookieIds: readonly CookieId[]): readonly Identifier[] {
  const header = headers.cookie ?? '';
  if (cookieIds.length === 0 || header.length > COOKIES_LENGTH_MAX) return [];
  const found: Identifier[] = [];
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    const cookieId = at < 0 ? undefined : cookieIds.find(({ cookie }) => cookie === name);
    const value = cookieId === undefined ? undefined : cookieValue(pair.slice(at + 1));
    const identifier = value === undefined ? undefined : checkIdentifier(cookieId?.kind, value).ok;
    if (identifier !== undefined) found.push(identifier);
  }
  return found;
}

function cookieValue(text: string): string | undefined {
  const plain = text.trim().replace(/^"(.*)"$/, '$1');
  try {
    return decodeURIComponent(plain);
  } catch {
    return undefined;
  }
}
