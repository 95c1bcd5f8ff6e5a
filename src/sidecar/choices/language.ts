/**
 * The language of a page: what the address asks for, else what the browser prefers (RFC 9110, 12.5.4), else English.
 * @module
 */
import { LANGUAGES, type Language } from './strings.js';

const FALLBACK: Language = 'en';
/** Ranges of a header that are looked at. */
const RANGES_MAX = 20;

/** The language somebody chose, if it is one of ours. */
export function languageNamed(text: string | null | undefined): Language | null {
  return LANGUAGES.find((language) => language === text) ?? null;
}

/** The first of the languages of a browser that is one of ours. Never throws. */
export function languageOf(acceptLanguage: string | undefined): Language {
  let best: Language = FALLBACK;
  let bestWeight = 0;
  for (const range of (acceptLanguage ?? '').split(',', RANGES_MAX)) {
    const [, tag = '', digits = '1'] =
      /^\s*([a-z]{1,8})(?:-[a-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*$/i.exec(range) ?? [];
    const language = languageNamed(tag.toLowerCase());
    const weight = Number(digits);
    if (language === null || weight <= bestWeight) continue;
    best = language;
    bestWeight = weight;
  }
  return best;
}
