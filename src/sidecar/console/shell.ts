/**
 * The HTML of the console: a frame that scripts fill, and the pages that need none.
 *
 * Nothing that came from outside is in it but the name of a token, which is of letters, digits and `._-`; all text is
 * escaped all the same.
 * @module
 */
import type { Principal } from '../control-plane/index.js';
import { escapeText } from '../html.js';
import { LINKS, type Page } from './pages.js';

/** Nothing but what this origin serves: no inline script, no inline style, nothing in a frame. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const MARK = `<svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M3 3v14M17 3v14M3 7h14M3 13h6"/></svg>`;

export interface Frame {
  readonly page: Page;
  /** Path of the files. */
  readonly base: string;
  readonly csrf: string;
  readonly principal: Principal;
  /** Nobody signs in here, so nobody signs out. */
  readonly isOpen: boolean;
  readonly version: string;
}

/** A page whose script fills its `main`. */
export function framedPage({ page, base, csrf, principal, isOpen, version }: Frame): string {
  const links = LINKS.map(([href, label]) => {
    const current = href === page.link ? ' aria-current="page"' : '';
    return `<li><a href="${href}"${current}>${label}</a></li>`;
  }).join('');
  const who = isOpen ? 'This machine' : escapeText(principal.name ?? principal.role);
  const role = isOpen ? 'no sign-in' : principal.role;
  const signOut = isOpen
    ? ''
    : `<form method="post" action="/console/sign-out"><input type="hidden" name="csrf" value="${csrf}">` +
      '<button class="quiet" type="submit">Sign out</button></form>';
  const body = `<a class="skip" href="#main">To the content</a>
<header class="bar"><a class="brand" href="/console">${MARK}<span>optgate</span></a>
<nav aria-label="Console"><ul>${links}</ul></nav>
<div class="who"><p><span class="name">${who}</span> <span class="role">${role}</span></p>${signOut}</div></header>
<main id="main" tabindex="-1"><h1>${page.title}</h1><div id="page" aria-busy="true"><p class="loading">Loading…</p></div>
<noscript><p class="empty">These pages need JavaScript; the same is to be had from the API.</p></noscript></main>
<footer><p>optgate ${escapeText(version)}</p><p id="live" role="status"></p></footer>`;
  const meta = `<meta name="csrf" content="${csrf}"><meta name="role" content="${principal.role}">`;
  const scripts = ['dom', 'api', 'format', 'live', 'chart', 'table'].map(
    (name) => `<link rel="modulepreload" href="${base}${name}.js">`,
  );
  const head = `${meta}${scripts.join('')}<script type="module" src="${base}pages/${page.script}.js"></script>`;
  return html(page.title, base, head, body);
}

export interface SignInForm {
  readonly base: string;
  readonly csrf: string;
  readonly next: string;
  /** What was wrong the last time. */
  readonly fault: string | null;
  /** The browser will not keep the cookie: it came without TLS from another machine. */
  readonly isPlain: boolean;
}

export function signInPage({ base, csrf, next, fault, isPlain }: SignInForm): string {
  const said = fault === null ? '' : `<p class="fault" id="fault" role="alert">${escapeText(fault)}</p>`;
  const plain = isPlain
    ? '<p class="hint">Signing in works over HTTPS, or on the machine itself: browsers keep the cookie for nothing else.</p>'
    : '';
  const described = fault === null ? '' : ' aria-describedby="fault" aria-invalid="true"';
  const body = `<main id="main" class="door"><p class="brand">${MARK}<span>optgate</span></p><h1>Sign in</h1>
<form method="post" action="/console/sign-in"><input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="next" value="${escapeText(next)}">${said}
<label for="token">Token of an operator or auditor</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus maxlength="4096"${described}>
<button class="primary" type="submit">Sign in</button></form>${plain}</main>`;
  return html('Sign in', base, '', body);
}

/** A page that says one thing. */
export function plainPage(base: string, title: string, sentence: string): string {
  const body = `<main id="main" class="door"><p class="brand">${MARK}<span>optgate</span></p><h1>${escapeText(title)}</h1>
<p>${escapeText(sentence)}</p><p><a href="/console">To the console</a></p></main>`;
  return html(title, base, '', body);
}

function html(title: string, base: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)} · optgate</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="icon" href="${base}icon.svg"><link rel="stylesheet" href="${base}vendor/uPlot.min.css">
<link rel="stylesheet" href="${base}console.css">${head}</head>
<body>${body}</body></html>
`;
}
