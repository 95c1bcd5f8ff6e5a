/**
 * What every page has around its main part, and the headers it goes out with.
 * @module
 */
import { checkIdentifier } from '../../core/identity/index.js';
import { type Html, html } from '../html.js';
import type { Assets } from './assets.js';
import { BASE_PATH, PATHS } from './paths.js';
import type { ChoicesSettings } from './settings.js';
import { LANGUAGES, type Language, STRINGS, type Strings } from './strings.js';

/** What a page knows of the request it answers. */
export interface View {
  readonly strings: Strings;
  readonly language: Language;
  readonly settings: ChoicesSettings;
  readonly assets: Assets;
  /** In a frame of another site. */
  readonly isEmbedded: boolean;
  /** The browser sends Global Privacy Control. */
  readonly hasSignal: boolean;
  /** The site knows this browser by an id of its own. */
  readonly knowsBrowser: boolean;
  /** The signal's opt-out of that id is recorded, or waits in a queue to be. */
  readonly isIdIncluded: boolean;
  /** Where the same page is in another language, without `lang`. */
  readonly address: string;
}

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly main: Html;
  /** Something is wrong with what was entered. */
  readonly isError?: boolean;
  /** Never in a frame, whatever the settings say. */
  readonly isAlone?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export function viewOf(view: Omit<View, 'strings'>): View {
  return { ...view, strings: STRINGS[view.language] };
}

export function renderPage(view: View, page: Page): string {
  const { strings, language, settings, assets, isEmbedded } = view;
  const title = `${page.isError === true ? `${strings.errorPrefix}: ` : ''}${page.title}`;
  const site = settings.siteName === null ? '' : ` – ${settings.siteName}`;
  const sheets = [assets['choices.css'], assets['theme.css']].filter((sheet) => sheet !== undefined);
  return html`<!doctype html>
<html lang="${language}"${isEmbedded ? html` class="is-embedded"` : null}>
<head>
<meta charset="utf-8">
<title>${title}${site}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noarchive">
${sheets.map(({ url }) => html`<link rel="stylesheet" href="${url}">`)}
<script type="module" src="${assets['choices.js']?.url ?? ''}"></script>
</head>
<body>
${isEmbedded ? null : html`<a class="skip" href="#main">${strings.skip}</a>`}
<div class="sheet">
<header class="top">
${isEmbedded || settings.siteName === null ? html`<span></span>` : html`<p class="site">${settings.siteName}</p>`}
${languageLinks(view)}
</header>
<main id="main" tabindex="-1">
${page.main}
</main>
${footer(view)}
</div>
</body>
</html>
`.toString();
}

/** The address of a page of ours, in this language, and in the frame if this one is. */
export function addressOf(view: View, path: string, query: Readonly<Record<string, string>> = {}): string {
  const parameters = new URLSearchParams(query);
  parameters.set('lang', view.language);
  if (view.isEmbedded) parameters.set('embed', '1');
  return `${path}?${parameters}`;
}

/** Hidden fields that every form has: its seal, and the signal, which a script may see where the header got lost. */
export function hiddenFields({ hasSignal }: View, seal: string): Html {
  return html`<input type="hidden" name="seal" value="${seal}">
<input type="hidden" name="gpc" value="${hasSignal ? '1' : ''}">`;
}

/** Ways to reach the site that are not this page; nothing where none is configured. */
export function contactList({ settings }: View): Html {
  return html`<ul class="contact">${settings.contact.map((one) => html`<li>${contactLink(one)}</li>`)}</ul>`;
}

function contactLink(text: string): Html {
  if (/^https:\/\/\S+$/.test(text)) return html`<a href="${text}" target="_top">${text.replace(/^https:\/\//, '')}</a>`;
  if (/^\+?[\d ().-]{7,}$/.test(text)) return html`<a href="tel:${text.replace(/[^+\d]/g, '')}">${text}</a>`;
  const isEmail = !/\s/.test(text) && checkIdentifier('email', text).ok !== undefined;
  return isEmail ? html`<a href="mailto:${encodeURI(text)}">${text}</a>` : html`${text}`;
}

function languageLinks({ language, address, isEmbedded }: View): Html {
  const others = LANGUAGES.filter((other) => other !== language);
  const mark = address.includes('?') ? '&' : '?';
  const embed = isEmbedded ? '&embed=1' : '';
  return html`<p class="languages">${others.map(
    (other) =>
      html`<a href="${address}${mark}lang=${other}${embed}" lang="${other}" hreflang="${other}">${STRINGS[other].languageName}</a>`,
  )}</p>`;
}

function footer(view: View): Html {
  const { strings, settings, language, isEmbedded } = view;
  const full = (path: string) => `${path}?lang=${language}`;
  const target = isEmbedded ? html` target="_blank" rel="noopener"` : null;
  const links = [
    isEmbedded ? html`<a href="${full(BASE_PATH)}"${target}>${strings.openFull}</a>` : null,
    html`<a href="${full(PATHS.status)}"${target}>${strings.statusTitle}</a>`,
    html`<a href="${full(PATHS.optIn)}"${target}>${strings.optInTitle}</a>`,
    settings.policyUrl === null ? null : html`<a href="${settings.policyUrl}"${target}>${strings.policy}</a>`,
  ];
  return html`<footer class="foot"><nav aria-label="${strings.footerLabel}"><ul>${links.map((link) =>
    link === null ? null : html`<li>${link}</li>`,
  )}</ul></nav></footer>`;
}
