/**
 * The URL of a consumer: read once when it is registered; where its name leads to is looked at again for every connection.
 *
 * The parser of URLs turns every form of an IPv4 address (decimal, octal, hexadecimal, short) into the one with four numbers,
 * so looking at what it gives is enough.
 * @module
 */
import { isIP } from 'node:net';
import { InputError } from '../../core/errors.js';
import { mayConnect } from './address.js';
import { WEBHOOK_URL_LENGTH_MAX } from './limits.js';

/**
 * A URL that events can be sent to.
 * @throws {InputError} `url`: not http or https, with user name or fragment, with characters that no URL has, or an address
 * that may not be connected to.
 */
export function readTarget(text: unknown, allowPrivate: boolean): URL {
  if (typeof text !== 'string') throw new InputError('url', text === undefined ? 'required' : 'type', 'expected a URL');
  if (text.length > WEBHOOK_URL_LENGTH_MAX) {
    throw new InputError('url', 'too_long', `expected at most ${WEBHOOK_URL_LENGTH_MAX} characters`);
  }
  // the parser would take line breaks out and go on
  if (!/^https?:\/\/[!-~]+$/i.test(text) || text.includes('\\') || !URL.canParse(text)) {
    throw new InputError('url', 'malformed', 'expected http://… or https://… in ASCII, without spaces');
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw new InputError('url', 'malformed', 'expected a URL without user name and password');
  }
  if (url.hash !== '') throw new InputError('url', 'malformed', 'expected a URL without a fragment');
  const host = hostOf(url);
  const isRefused = isIP(host) === 0 ? !allowPrivate && isLocalName(host) : !mayConnect(host, allowPrivate);
  if (isRefused) throw refusedAddress();
  return url;
}

/** The name or address, without the brackets of an IPv6 address. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

export function refusedAddress(): InputError {
  return new InputError('url', 'reserved', 'expected a public address, or allowPrivate for one of a private network');
}

function isLocalName(host: string): boolean {
  return /(?:^|\.)localhost\.?$/.test(host);
}
