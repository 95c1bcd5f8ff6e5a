/**
 * Opting in again: a request, then a page of its own to confirm it (11 CCR 7028(a)). "Stay opted out" weighs as much as
 * "Opt in".
 * @module
 */

import { html } from '../html.js';
import { errorSummary, type FormState, whoFields } from './form-view.js';
import { addressOf, contactList, hiddenFields, type Page, type View } from './layout.js';
import { BASE_PATH, PATHS } from './paths.js';
import { CHOICES } from './strings.js';

export function optInPage(view: View, state: Omit<FormState, 'choices'>): Page {
  const { strings, settings, hasSignal, knowsBrowser } = view;
  const { optIn } = settings;
  const isError = Object.keys(state.errors).length > 0;
  const isServed = optIn === 'form' || (optIn === 'browser' && knowsBrowser);
  const refusal = optIn === 'off' ? strings.optInOff : strings.optInUnknownBrowser;
  return {
    status: isError ? 422 : state.notice === 'unavailable' ? 503 : state.notice === 'expired' ? 403 : 200,
    isError: isError || state.notice !== null,
    isAlone: true,
    title: strings.optInTitle,
    main: html`<h1>${strings.optInTitle}</h1>
${isServed ? html`<p class="lead">${strings.optInLead}</p>` : html`<p class="lead">${refusal}</p>${contactList(view)}`}
${hasSignal ? html`<p class="box">${strings.optInGpc}</p>` : null}
${isError ? errorSummary(strings, state.errors) : null}
${state.notice === 'expired' ? html`<div class="box"><p>${strings.expiredTitle}. ${strings.expiredText}</p></div>` : null}
${state.notice === 'unavailable' ? html`<div class="box is-wrong"><p>${strings.unavailableTitle}. ${strings.unavailableText}</p></div>` : null}
${
  isServed
    ? html`<form method="post" action="${addressOf(view, PATHS.optIn)}" novalidate data-form="opt-in">
${hiddenFields(view, state.seal)}
${optIn === 'form' ? whoFields(strings, state, html`<p class="hint" id="who-hint">${strings.optInHint}${knowsBrowser ? html` ${strings.optInHintBrowser}` : null}</p>`) : html`<p>${strings.optInBrowserOnly}</p>`}
<p class="send"><button type="submit">${strings.optInSubmit}</button></p>
</form>`
    : null
}
<p><a href="${BASE_PATH}?lang=${view.language}">${strings.toForm}</a></p>`,
  };
}

export interface Pending {
  readonly requestId: string;
  readonly confirmation: string;
  readonly seal: string;
}

export function confirmPage(view: View, { requestId, confirmation, seal }: Pending): Page {
  const { strings } = view;
  const named = CHOICES.filter((choice) => choice !== 'all');
  return {
    status: 200,
    isAlone: true,
    title: strings.confirmTitle,
    main: html`<h1>${strings.confirmTitle}</h1>
<p class="lead">${strings.confirmText}</p>
<ul class="covers">${named.map((choice) => html`<li>${strings.choices[choice].name}</li>`)}</ul>
<form method="post" action="${addressOf(view, PATHS.confirm)}" data-form="confirm">
${hiddenFields(view, seal)}
<input type="hidden" name="request" value="${requestId}">
<input type="hidden" name="confirmation" value="${confirmation}">
<p class="send is-pair"><a class="button" href="${BASE_PATH}?lang=${view.language}">${strings.confirmNo}</a><button type="submit">${strings.confirmYes}</button></p>
</form>`,
  };
}
