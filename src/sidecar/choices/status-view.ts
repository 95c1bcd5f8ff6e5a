/**
 * What became of a request: its receipt number, what it covers, where it is in force. Nothing of it says whose it is.
 * @module
 */
import type { Propagation, RequestRecord } from '../../ledger/index.js';
import { type Html, html } from '../html.js';
import { icon } from './icons.js';
import { addressOf, type Page, type View } from './layout.js';
import { BASE_PATH, PATHS } from './paths.js';
import { CHOICES, type Strings } from './strings.js';

export interface StatusFacts {
  readonly record: RequestRecord;
  readonly propagation: Propagation;
  /** An opt-in ended less than it asked for. */
  readonly hasRemaining: boolean;
}

export function receiptPage(view: View, { record, propagation, hasRemaining }: StatusFacts): Page {
  const { strings } = view;
  const { requestId } = record;
  const title = titleOf(strings, record);
  const again = addressOf(view, PATHS.status, { receipt: requestId, ...(hasRemaining ? { remaining: '1' } : {}) });
  return {
    status: 200,
    title,
    main: html`<h1>${title}</h1>
<section class="receipt" aria-labelledby="receipt-title"><h2 id="receipt-title">${strings.receiptNumber}</h2>
<p class="number"><code data-receipt>${requestId}</code><button type="button" class="quiet" data-copy="${strings.copied}" hidden>${strings.copy}</button></p>
<p class="hint">${strings.receiptKeep}</p></section>
<section aria-labelledby="progress-title"><h2 id="progress-title">${strings.progress}</h2>
<ol class="steps">${steps(view, record, propagation)}</ol>
<p><a href="${again}">${strings.checkAgain}</a></p></section>
${record.status === 'denied' ? html`<p class="box">${strings.deniedText}</p>` : covered(strings, record)}
${hasRemaining ? html`<p class="box">${strings.remaining}</p>` : null}
${record.noAskUntil === null ? null : html`<p>${strings.noAsk(dayText(view, record.noAskUntil))}</p>`}`,
  };
}

/** Where a receipt number is entered. */
export function statusPage(view: View, entered: string, error: 'malformed' | 'unknown' | null): Page {
  const { strings } = view;
  const message = error === 'malformed' ? strings.errorReceipt : strings.unknownReceipt;
  const described = html` aria-invalid="true" aria-describedby="receipt-wrong" autofocus`;
  return {
    status: error === null ? 200 : error === 'unknown' ? 404 : 422,
    isError: error !== null,
    title: strings.statusTitle,
    main: html`<h1>${strings.statusTitle}</h1>
<p class="lead">${strings.statusLead}</p>
<form method="get" action="${PATHS.status}" novalidate class="single">
<input type="hidden" name="lang" value="${view.language}">
${view.isEmbedded ? html`<input type="hidden" name="embed" value="1">` : null}
<div class="field"><label for="receipt">${strings.receiptNumber}</label>
${error === null ? null : html`<p class="wrong" id="receipt-wrong">${icon('alert')}${message}</p>`}
<input id="receipt" name="receipt" type="text" autocomplete="off" autocapitalize="none" spellcheck="false" value="${entered}"${error === null ? null : described}></div>
<p class="send"><button type="submit">${strings.statusSubmit}</button></p>
</form>`,
  };
}

/** After a form that needed nothing but the signal. */
export function honoredPage(view: View): Page {
  const { strings } = view;
  return {
    status: 200,
    title: strings.honoredTitle,
    main: html`<h1>${strings.honoredTitle}</h1>
<p class="lead">${strings.honoredText}</p>
<p><a href="${addressOf(view, view.isEmbedded ? PATHS.embed : BASE_PATH)}">${strings.toForm}</a></p>`,
  };
}

function titleOf(strings: Strings, { nature, status }: RequestRecord): string {
  if (status === 'denied') return strings.deniedTitle;
  if (nature === 'opt_out') return strings.receiptTitle;
  return status === 'pending' ? strings.pendingTitle : strings.optInReceiptTitle;
}

function covered(strings: Strings, { rights }: RequestRecord): Html {
  const named = CHOICES.filter((choice) => choice !== 'all' && (rights ?? []).includes(choice));
  return html`<section aria-labelledby="covers-title"><h2 id="covers-title">${strings.covers}</h2>
<ul class="covers">${named.map((choice) => html`<li>${strings.choices[choice].name}</li>`)}</ul></section>`;
}

function steps(view: View, record: RequestRecord, propagation: Propagation): readonly Html[] {
  const { strings } = view;
  const { inForceOn, enforcerCount, inForceEverywhereAtMs } = propagation;
  if (record.status === 'pending')
    return [step(strings, strings.stepReceived, momentText(view, record.receivedAtMs), true)];
  if (record.status === 'denied') {
    return [
      step(strings, strings.stepReceived, momentText(view, record.receivedAtMs), true),
      step(strings, strings.stepDenied, null, true),
    ];
  }
  const isSomewhere = enforcerCount > 0 && inForceOn > 0;
  const reach = enforcerCount === 0 ? strings.stepWaiting : strings.stepInForce(inForceOn, enforcerCount);
  const everywhere = inForceEverywhereAtMs === null ? null : momentText(view, inForceEverywhereAtMs);
  return [
    step(strings, strings.stepReceived, momentText(view, record.receivedAtMs), true),
    step(strings, reach, null, isSomewhere && inForceOn === enforcerCount),
    step(strings, strings.stepEverywhere, everywhere, everywhere !== null),
  ];
}

function step(strings: Strings, name: string, moment: Html | null, isDone: boolean): Html {
  const state = isDone ? strings.stepDone : strings.stepNotYet;
  return html`<li class="${isDone ? 'is-done' : 'is-open'}">${icon(isDone ? 'check' : 'wait')}<div><p class="step">${name}</p>
<p class="when">${moment ?? state}</p></div></li>`;
}

function momentText({ language }: View, ms: number): Html {
  const format = new Intl.DateTimeFormat(localeOf(language), {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  });
  return html`<time datetime="${new Date(ms).toISOString()}">${format.format(ms)} UTC</time>`;
}

function dayText({ language }: View, day: string): string {
  const format = new Intl.DateTimeFormat(localeOf(language), { dateStyle: 'long', timeZone: 'UTC' });
  return format.format(Date.parse(day));
}

function localeOf(language: View['language']): string {
  return { en: 'en-US', es: 'es-US' }[language];
}
