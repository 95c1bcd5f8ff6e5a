/**
 * The pages: where each is, what it is called, and the script that fills it. THE TABLE.
 * @module
 */

export interface Page {
  /** Below `/console`; matched whole. */
  readonly path: RegExp;
  readonly title: string;
  /** File of its script, below `pages/`. */
  readonly script: string;
  /** Link in the navigation that is marked as the current one. */
  readonly link: string;
}

const REQUEST_ID = 'r_[A-Za-z0-9_-]{22}';
const RUN_ID = 'x_[A-Za-z0-9_-]{22}';

export const PAGES: readonly Page[] = [
  { path: /^\/?$/, title: 'Overview', script: 'overview', link: '/console' },
  { path: /^\/requests$/, title: 'Requests', script: 'requests', link: '/console/requests' },
  { path: new RegExp(`^/requests/${REQUEST_ID}$`), title: 'Request', script: 'request', link: '/console/requests' },
  { path: /^\/person$/, title: 'Person', script: 'person', link: '/console/person' },
  { path: /^\/destinations$/, title: 'Destinations', script: 'destinations', link: '/console/destinations' },
  { path: /^\/destination$/, title: 'Destination', script: 'destination', link: '/console/destinations' },
  { path: /^\/exports$/, title: 'Exports', script: 'exports', link: '/console/exports' },
  { path: new RegExp(`^/exports/${RUN_ID}$`), title: 'Export', script: 'export', link: '/console/exports' },
  { path: /^\/explain$/, title: 'Explain a string', script: 'explain', link: '/console/explain' },
  { path: /^\/audit$/, title: 'Audit', script: 'audit', link: '/console/audit' },
];

export const LINKS: readonly (readonly [href: string, label: string])[] = [
  ['/console', 'Overview'],
  ['/console/requests', 'Requests'],
  ['/console/person', 'Person'],
  ['/console/destinations', 'Destinations'],
  ['/console/exports', 'Exports'],
  ['/console/explain', 'Explain'],
  ['/console/audit', 'Audit'],
];

/** The page at a path below `/console`. */
export function pageAt(path: string): Page | undefined {
  return PAGES.find((page) => page.path.test(path));
}

/** What a request for a path below `/console` is counted as; an id in it is no part of that. */
export function pageNameAt(path: string): string {
  const page = pageAt(path);
  if (page !== undefined) return page.script;
  const [, first = ''] = path.split('/', 2);
  return ['api', 'assets', 'events', 'sign-in', 'sign-out'].includes(first) ? first : 'other';
}

/** Where to go after sign-in: a page of the console, as it was asked for; else the first one. */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith('/console') || next.length > 200) return '/console';
  return pageAt(next.slice('/console'.length)) === undefined ? '/console' : next;
}
