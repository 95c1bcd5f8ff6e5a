/**
 * From a form that was sent to a request in the ledger.
 *
 * An opt-out asks for nothing but one identifier, and not even that where the browser sends the signal or the site knows
 * it; nothing that looks odd about a form stops it, it is only noted with the request (11 CCR 7026(d),(e)).
 * @module
 */
import { InputError } from '../../core/errors.js';
import { checkIdentifier } from '../../core/identity/index.js';
import type { Identifier, Right } from '../../core/vocabulary.js';
import type { RequestInput } from '../../ledger/index.js';
import type { FormData } from './form-data.js';
import { EMPTY_VALUES, FIELDS, type FieldName, type FormErrors, type FormState } from './form-view.js';
import { HAND_FILLED_MS } from './limits.js';
import type { Sealer } from './seal.js';
import type { ChoicesSettings } from './settings.js';
import { CHOICES, type Choice, type Strings } from './strings.js';

/** The rights that can be chosen here: what `all` stands for. */
export const OFFERED_RIGHTS = CHOICES.filter((choice): choice is Exclude<Choice, 'all'> => choice !== 'all');
/** What the signal asks for: sale and sharing (California), and targeted advertising (the states that know it by that name). */
export const SIGNAL_RIGHTS = ['sale', 'share', 'targeted_ads'] as const satisfies readonly Right[];
const DEVICE_TEXT = /^\{?[A-Za-z0-9:._-]+\}?$/;
const OPERATOR = 'privacy-choices';

/** What was entered; it goes nowhere but into the ledger, or back into the same form. */
export interface Entered {
  readonly values: FormState['values'];
  readonly choices: readonly Choice[];
  readonly hasSignal: boolean;
  /** Of the browser itself. */
  readonly browserIds: readonly Identifier[];
  /** Remarks for whoever looks at the request later. */
  readonly remarks: readonly string[];
}

/** Reads the fields of a form. `cookieIds` are of the same request; an id in the form must be of one of `embedKinds`. */
export function enteredIn(
  form: FormData,
  { cookieIds, hasSignal, ageMs }: { cookieIds: readonly Identifier[]; hasSignal: boolean; ageMs: number | null },
  embedKinds: ChoicesSettings['embedKinds'],
): Entered {
  const chosen = form.all('choice');
  const passed = checkIdentifier(form.text('id-kind'), form.text('id')).ok;
  const isPassed = passed !== undefined && embedKinds.includes(passed.kind);
  return {
    values: { email: form.text('email'), phone: form.text('phone'), device: form.text('device') },
    choices: CHOICES.filter((choice) => chosen.includes(choice)),
    hasSignal,
    browserIds: isPassed ? [...cookieIds, passed] : cookieIds,
    remarks: [
      ...(ageMs === null ? ['old seal'] : []),
      ...(ageMs !== null && ageMs < HAND_FILLED_MS ? ['sent at once'] : []),
      ...(form.text('website') === '' ? [] : ['hidden field filled']),
    ],
  };
}

/** What is to be recorded; `nothing`: the signal is enough, and there is nobody to record; or what is wrong. */
export type Intake =
  | { readonly kind: 'request'; readonly input: RequestInput; readonly fieldOf: readonly (FieldName | 'browser')[] }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'wrong'; readonly errors: FormErrors };

export function optOutOf(entered: Entered, nonce: string, sealer: Sealer, strings: Strings): Intake {
  const { hasSignal, choices, remarks } = entered;
  const { identifiers, fieldOf } = identifiersOf(entered);
  const isByHand = fieldOf.some((field) => field !== 'browser');
  const errors = {
    ...deviceError(entered, strings),
    ...(identifiers.length === 0 && !hasSignal ? { who: strings.errorNobody } : {}),
    ...(choices.length === 0 ? { what: strings.errorChoice } : {}),
  };
  if (Object.keys(errors).length > 0) return { kind: 'wrong', errors };
  if (identifiers.length === 0) return { kind: 'nothing' };
  const rights = rightsOf(choices, hasSignal);
  const operator = [OPERATOR, ...remarks].join('; ');
  // sent twice it is one request; changed and sent again from the same page, it is another
  const idempotencyKey = sealer.digest('opt-out', nonce, operator, JSON.stringify([identifiers, rights]));
  const channel = isByHand || !hasSignal ? 'web_form' : 'gpc';
  const scope = isByHand ? 'person' : 'device';
  return { kind: 'request', fieldOf, input: { identifiers, rights, channel, scope, operator, idempotencyKey } };
}

/** The first step of an opt-in. Without an idempotency key: its confirmation is shown once, so each time is another. */
export function optInOf(entered: Entered, mode: ChoicesSettings['optIn'], strings: Strings): Intake {
  const isByHand = mode === 'form' && FIELDS.some((field) => entered.values[field].trim() !== '');
  // nobody is opted in beside whoever was named: by hand, or else the browser
  const named = isByHand ? { ...entered, browserIds: [] } : { ...entered, values: EMPTY_VALUES };
  const { identifiers, fieldOf } = identifiersOf(named);
  const errors = deviceError(named, strings);
  if (Object.keys(errors).length > 0) return { kind: 'wrong', errors };
  if (identifiers.length === 0) return { kind: 'wrong', errors: { who: strings.errorNobody } };
  const scope = isByHand ? 'person' : 'device';
  const operator = [OPERATOR, ...entered.remarks].join('; ');
  return {
    kind: 'request',
    fieldOf,
    input: { identifiers, rights: OFFERED_RIGHTS, channel: 'web_form', scope, operator },
  };
}

/** Which field of the form the ledger could not read; none: it is not about the form. */
export function fieldErrors(
  error: unknown,
  fieldOf: readonly (FieldName | 'browser')[],
  strings: Strings,
): FormErrors | null {
  if (!(error instanceof InputError)) return null;
  const index = Number(/^identifiers\[(\d+)\]/.exec(error.field)?.[1] ?? Number.NaN);
  const field = fieldOf[index];
  if (field === undefined || field === 'browser') return null;
  return { [field]: { email: strings.errorEmail, phone: strings.errorPhone, device: strings.errorDevice }[field] };
}

function rightsOf(choices: readonly Choice[], hasSignal: boolean): readonly Right[] {
  const chosen = choices.includes('all') ? OFFERED_RIGHTS : OFFERED_RIGHTS.filter((right) => choices.includes(right));
  if (!hasSignal) return chosen;
  // a partial choice never takes back what the browser asks for
  return OFFERED_RIGHTS.filter((right) => chosen.includes(right) || SIGNAL_RIGHTS.some((signal) => signal === right));
}

function identifiersOf({ values, browserIds }: Entered): {
  readonly identifiers: readonly Identifier[];
  readonly fieldOf: readonly (FieldName | 'browser')[];
} {
  const identifiers: Identifier[] = [];
  const fieldOf: (FieldName | 'browser')[] = [];
  for (const field of FIELDS) {
    for (const identifier of readField(field, values[field].trim())) {
      identifiers.push(identifier);
      fieldOf.push(field);
    }
  }
  for (const identifier of browserIds) {
    identifiers.push(identifier);
    fieldOf.push('browser');
  }
  return { identifiers, fieldOf };
}

/** A TV's id is its letters and digits, whatever stands between them; a sentence is not meant to be one. */
function deviceError({ values }: Entered, strings: Strings): FormErrors {
  const device = values.device.trim();
  return device === '' || DEVICE_TEXT.test(device) ? {} : { device: strings.errorDevice };
}

/** An advertising id looks alike on phones and on many TVs: one that can be both is recorded as both. */
function readField(field: FieldName, value: string): readonly Identifier[] {
  if (value === '') return [];
  if (field !== 'device') return [{ kind: field, value }];
  const kinds = (['maid', 'ctv'] as const).filter((kind) => checkIdentifier(kind, value).ok !== undefined);
  return (kinds.length === 0 ? (['ctv'] as const) : kinds).map((kind) => ({ kind, value }));
}
