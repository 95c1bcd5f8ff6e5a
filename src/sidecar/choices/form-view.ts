/**
 * The form: who, what, one button. All choices look the same; "all" comes first (11 CCR 7026(h), 7004(a)).
 * @module
 */
import { type Html, html } from '../html.js';
import { icon } from './icons.js';
import { addressOf, contactList, hiddenFields, type Page, type View } from './layout.js';
import { BASE_PATH } from './paths.js';
import { CHOICES, type Choice, type Strings } from './strings.js';

export const FIELDS = ['email', 'phone', 'device'] as const;
export type FieldName = (typeof FIELDS)[number];
/** What is wrong with which field; `who` and `what` are the groups. */
export type FormErrors = Readonly<Partial<Record<FieldName | 'who' | 'what', string>>>;

export interface FormState {
  readonly values: Readonly<Record<FieldName, string>>;
  readonly choices: readonly Choice[];
  readonly errors: FormErrors;
  /** Why the form is shown again though nothing is wrong with it. */
  readonly notice: 'expired' | 'unavailable' | null;
  readonly seal: string;
}

export const EMPTY_VALUES: FormState['values'] = { email: '', phone: '', device: '' };

/** How each field is entered. `id` of its error and hint follow from its name. */
const INPUTS = {
  email: { type: 'email', mode: 'email', complete: 'email', label: 'email', hint: 'emailHint' },
  phone: { type: 'tel', mode: 'tel', complete: 'tel', label: 'phone', hint: 'phoneHint' },
  device: { type: 'text', mode: 'text', complete: 'off', label: 'device', hint: 'deviceHint' },
} as const satisfies Readonly<Record<FieldName, Readonly<Record<string, string>>>>;

export function formPage(view: View, state: FormState): Page {
  const { strings } = view;
  const isError = Object.keys(state.errors).length > 0;
  const status = isError ? 422 : state.notice === 'unavailable' ? 503 : state.notice === 'expired' ? 403 : 200;
  return {
    status,
    isError: status !== 200,
    title: strings.title,
    ...(status === 503 ? { headers: { 'retry-after': '60' } } : {}),
    main: html`<h1>${strings.title}</h1>
<p class="lead">${strings.lead}</p>
${signalStatus(view)}
${isError ? errorSummary(strings, state.errors) : null}
${state.notice === null ? null : noticeBox(view, state.notice)}
<form method="post" action="${addressOf(view, BASE_PATH)}" novalidate data-form="opt-out">
${hiddenFields(view, state.seal)}
${trapField(strings)}
${whoFields(strings, state, hintOf(view))}
${whatFields(strings, state)}
<p class="send"><button type="submit">${strings.submit}</button></p>
<p class="note">${strings.submitNote}</p>
</form>`,
  };
}

/** The status that 11 CCR 7025(c)(6) asks for: in the page, where it is looked for, and nothing that opens by itself. */
function signalStatus(view: View): Html {
  const { strings, hasSignal, isIdIncluded } = view;
  // shown by script where only the script can see the signal
  return html`<section class="signal" aria-labelledby="signal-title" data-signal${hasSignal ? null : html` hidden`}>
<p class="signal-title" id="signal-title">${icon('check')}<span>${strings.gpcHonored}</span><span class="state">${strings.gpcState}</span></p>
<p>${strings.gpcExplained}${isIdIncluded ? html` ${strings.browserKnown}` : null}</p>
<p>${strings.gpcMore}</p>
</section>`;
}

export function errorSummary(strings: Strings, errors: FormErrors): Html {
  const items = Object.entries(errors).map(
    ([name, message]) => html`<li><a href="#${anchorOf(name)}">${message}</a></li>`,
  );
  return html`<section class="box is-wrong" aria-labelledby="wrong-title"><h2 id="wrong-title">${strings.errorTitle}</h2><ul>${items}</ul></section>`;
}

function anchorOf(name: string): string {
  if (name === 'who') return 'email';
  return name === 'what' ? 'choice-all' : name;
}

function noticeBox(view: View, notice: 'expired' | 'unavailable'): Html {
  const { strings } = view;
  if (notice === 'expired') {
    return html`<section class="box" aria-labelledby="notice-title"><h2 id="notice-title">${strings.expiredTitle}</h2><p>${strings.expiredText}</p></section>`;
  }
  return html`<section class="box is-wrong" aria-labelledby="notice-title"><h2 id="notice-title">${strings.unavailableTitle}</h2>
<p>${strings.unavailableText}</p>${otherWays(view)}</section>`;
}

/** What somebody can do who cannot be served here now. */
export function otherWays(view: View): Html {
  const { strings, settings } = view;
  return html`${settings.contact.length === 0 ? null : html`<p>${strings.otherWays}</p>${contactList(view)}`}
<p>${strings.otherWaysSignal}</p>`;
}

/** For programs that fill in everything. Not seen, not read out, not reached by the keyboard; what is in it stops nobody. */
function trapField(strings: Strings): Html {
  return html`<div class="apart" aria-hidden="true"><label for="website">${strings.trap}</label><input id="website" name="website" type="text" tabindex="-1" autocomplete="off"></div>`;
}

function hintOf({ strings, hasSignal, knowsBrowser }: View): Html {
  const hint = hasSignal ? strings.whoHintGpc : knowsBrowser ? strings.whoHintBrowser : strings.whoHint;
  // a script may learn of the signal, or of an id that the page around passes
  return html`<p class="hint" id="who-hint" data-with-signal="${strings.whoHintGpc}" data-with-id="${strings.whoHintBrowser}">${hint}</p>`;
}

/** @param hint With the id `who-hint`. */
export function whoFields(
  strings: Strings,
  { values, errors }: Pick<FormState, 'values' | 'errors'>,
  hint: Html,
): Html {
  const focused = FIELDS.find((name) => errors[name] !== undefined) ?? (errors.who === undefined ? null : 'email');
  const fields = FIELDS.map((name) => identifierField(strings, name, values[name], errors, focused === name));
  return html`<fieldset class="who" aria-describedby="who-hint"><legend>${strings.whoLegend}</legend>
${hint}
${errors.who === undefined ? null : html`<p class="wrong" id="who-wrong">${icon('alert')}${errors.who}</p>`}
<div class="fields">${fields}</div>
</fieldset>`;
}

function identifierField(
  strings: Strings,
  name: FieldName,
  value: string,
  errors: FormErrors,
  isFocused: boolean,
): Html {
  const { type, mode, complete, label, hint } = INPUTS[name];
  const error = errors[name];
  const isGroupWrong = error === undefined && errors.who !== undefined;
  const described = [error === undefined ? '' : `${name}-wrong`, isGroupWrong ? 'who-wrong' : '', `${name}-hint`];
  const isInvalid = error !== undefined || isGroupWrong;
  return html`<div class="field"><label for="${name}">${strings[label]}</label>
<p class="hint" id="${name}-hint">${strings[hint]}</p>
${error === undefined ? null : html`<p class="wrong" id="${name}-wrong">${icon('alert')}${error}</p>`}
<input id="${name}" name="${name}" type="${type}" inputmode="${mode}" autocomplete="${complete}" autocapitalize="none" spellcheck="false" value="${value}" aria-describedby="${described.filter(Boolean).join(' ')}"${isInvalid ? html` aria-invalid="true"` : null}${isFocused ? html` autofocus` : null}></div>`;
}

function whatFields(strings: Strings, { choices, errors }: FormState): Html {
  const cards = CHOICES.map((choice) => {
    const { name, detail } = strings.choices[choice];
    return html`<div class="choice"><input type="checkbox" id="choice-${choice}" name="choice" value="${choice}" aria-describedby="detail-${choice}"${choices.includes(choice) ? html` checked` : null}>
<label for="choice-${choice}">${name}</label><p id="detail-${choice}">${detail}</p></div>`;
  });
  const described = errors.what === undefined ? null : html` aria-describedby="what-wrong"`;
  return html`<fieldset class="what"${described}><legend>${strings.whatLegend}</legend>
${errors.what === undefined ? null : html`<p class="wrong" id="what-wrong">${icon('alert')}${errors.what}</p>`}
<div class="choices">${cards}</div>
</fieldset>`;
}
