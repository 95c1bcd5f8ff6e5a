/**
 * The settings of the public pages: rows of THE TABLE (config-settings.ts).
 * @module
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { checkIdentifier } from '../core/identity/index.js';
import type { IdentifierKind } from '../core/vocabulary.js';
import type { CookieId, OptInMode } from './choices/settings.js';
import type { Setting } from './config-settings.js';
import {
  addressText,
  choice,
  flag,
  type ListenAddress,
  listenAddress,
  listOf,
  orOff,
  refined,
  text,
} from './config-values.js';

const LIST: readonly never[] = [];
/** A value that every kind we take has the form of. */
const SOME_ID = 'id-0123456789';
const COOKIE_NAME = /^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$/;

/** The kinds that a site's own id can have. */
const siteKind = refined<IdentifierKind>('account:<name space> or eid:<source>', (value) => {
  if (!/^(?:account|eid):/i.test(value)) return null;
  return checkIdentifier(value, SOME_ID).ok?.kind ?? null;
});

const cookieId = refined<CookieId>('COOKIE=KIND, such as visitor=account:shop', (value) => {
  const at = value.indexOf('=');
  const cookie = value.slice(0, at);
  const kind = siteKind.safeParse(value.slice(at + 1));
  return at > 0 && COOKIE_NAME.test(cookie) && kind.success ? { cookie, kind: kind.data } : null;
});

/** As Content-Security-Policy takes it: https with a host, or http for this machine. */
const origin = refined<string>('an origin, such as https://www.example.com', (value) => {
  if (!/^https?:\/\/(?:\*\.)?[A-Za-z0-9.-]+(?::\d{1,5})?$|^https?:\/\/\[[0-9a-f:]+\](?::\d{1,5})?$/i.test(value))
    return null;
  return value.toLowerCase();
});

const network = refined<string>('an address, a network such as 10.0.0.0/8, or unix', (value) => {
  const [address = '', bits, ...rest] = value.split('/');
  if (value === 'unix') return value;
  const bitsMax = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (rest.length > 0 || bitsMax < 0) return null;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax) ? value : null;
});

const day = refined<string>('a day, such as 2026-11-20', (value) =>
  z.iso.date().safeParse(value).success ? value : null,
);

const link = refined<string>('a link: https://… or a path that begins with /', (value) =>
  /^https:\/\/[^\s"<>]+$|^\/(?!\/)[^\s"<>]*$/.test(value) ? value : null,
);

const asIs = (value: unknown) => value as string | number | boolean | null | readonly string[];

function row<T>(schema: z.ZodType<T>, fallback: T, help: string, more: Partial<Setting<T>> = {}): Setting<T> {
  return { schema, fallback, help, show: asIs, ...more };
}

export const PAGES_SETTINGS = {
  'publicPages.enabled': row<boolean>(flag, false, 'serve the privacy-choices page', {
    flag: 'public-pages',
    isSwitch: true,
  }),
  'publicPages.listen': row<readonly ListenAddress[]>(
    listOf(listenAddress),
    LIST,
    'where the public pages alone are served; none: on the control plane',
    { flag: 'public', isList: true, show: (list) => list.map(addressText) },
  ),
  'publicPages.siteName': row<string | null>(orOff(text), null, 'whose choices they are, as people know the site'),
  'publicPages.contact': row<readonly string[]>(
    listOf(text),
    LIST,
    'how else to opt out: e-mail addresses, phone numbers, links, or text',
  ),
  'publicPages.policyUrl': row<string | null>(orOff(link), null, 'link to the privacy policy'),
  'publicPages.stylesheet': row<string | null>(orOff(text), null, 'a style sheet of your own, after ours'),
  'publicPages.frameAncestors': row<readonly string[]>(listOf(origin), LIST, 'sites that may embed the page'),
  'publicPages.cookies': row<readonly CookieId[]>(
    listOf(cookieId),
    LIST,
    'cookies that hold an id of your own: COOKIE=account:<name space> or COOKIE=eid:<source>',
    { show: (list) => list.map(({ cookie, kind }) => `${cookie}=${kind}`) },
  ),
  'publicPages.embedKinds': row<readonly IdentifierKind[]>(
    listOf(siteKind),
    LIST,
    'kinds of id an embedding page may pass',
  ),
  'publicPages.trustedProxies': row<readonly string[]>(
    listOf(network),
    LIST,
    'proxies whose X-Forwarded-For and X-Forwarded-Host are believed',
  ),
  'publicPages.gpcUpdated': row<string | null>(orOff(day), null, 'lastUpdate of /.well-known/gpc.json'),
  'publicPages.optIn': row<OptInMode>(
    choice(['off', 'browser', 'form']),
    'off',
    'opting in again: off, for the id in a cookie, or for whoever knows an identifier',
  ),
  'publicPages.keyFile': row<string | null>(
    orOff(text),
    null,
    'key that forms are sealed with, shared by all processes',
  ),
} as const;
