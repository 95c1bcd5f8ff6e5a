/**
 * HTML that cannot be made from text by accident: the tag below is the only way to an `Html`, and whatever is put into its
 * gaps is escaped unless it is `Html` already. Gaps stand in text or in quoted attributes, nowhere else.
 * @module
 */

/** A piece of markup. */
export class Html {
  readonly #markup: string;

  /** @internal Made by the tag `html`. */
  constructor(key: typeof KEY, markup: string) {
    if (key !== KEY) throw new TypeError('Html: made by the tag html only');
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

export type HtmlValue = Html | string | number | null | false | undefined | readonly HtmlValue[];

const KEY = Symbol('html');

/** @example html`<p lang="${language}">${text}</p>` */
export function html(pieces: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = pieces[0] ?? '';
  for (const [index, value] of values.entries()) markup += markupOf(value) + (pieces[index + 1] ?? '');
  return new Html(KEY, markup);
}

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (typeof value === 'string') return escapeText(value);
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) ? value.map(markupOf).join('') : '';
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Text as it may stand between tags, and in attributes in quotes. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '');
}
