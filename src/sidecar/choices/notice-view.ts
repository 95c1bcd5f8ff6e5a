/**
 * Pages that say why nothing was done, and what to do instead.
 * @module
 */

import { html } from '../html.js';
import { otherWays } from './form-view.js';
import { addressOf, type Page, type View } from './layout.js';
import { PATHS } from './paths.js';

/** Why a request is not served. */
export const NOTICES = {
  tooOften: [429, 'tooOftenTitle', 'tooOftenText'],
  foreign: [403, 'foreignTitle', 'foreignText'],
  notFound: [404, 'notFoundTitle', 'notFoundText'],
  method: [405, 'notFoundTitle', 'notFoundText'],
  broken: [400, 'brokenTitle', 'brokenText'],
  tooLarge: [413, 'brokenTitle', 'brokenText'],
  timeout: [408, 'brokenTitle', 'brokenText'],
  mediaType: [415, 'brokenTitle', 'brokenText'],
  busy: [503, 'tooOftenTitle', 'tooOftenText'],
  noStatus: [503, 'noStatusTitle', 'noStatusText'],
  unavailable: [503, 'unavailableTitle', 'failedText'],
  confirmExpired: [422, 'optInTitle', 'confirmExpired'],
  failed: [500, 'failedTitle', 'failedText'],
} as const;
export type NoticeName = keyof typeof NOTICES;

export function noticePage(view: View, name: NoticeName, headers: Readonly<Record<string, string>> = {}): Page {
  const { strings } = view;
  const [status, title, text] = NOTICES[name];
  return {
    status,
    title: strings[title],
    headers,
    main: html`<h1>${strings[title]}</h1>
<p class="lead">${strings[text]}</p>
<p><a href="${addressOf(view, view.isEmbedded ? PATHS.embed : PATHS.form)}">${strings.toForm}</a></p>
${status === 404 || status === 405 ? null : otherWays(view)}`,
  };
}
