/**
 * Looks for identifiers in text: in any case, behind percent-encoding, and behind the escapes of JSON.
 *
 * What must stay true: the time taken is linear in the length of the text, whatever the identifiers are. Comparing
 * them one by one is quick but may take the product of both lengths, so that is done up to a bound; beyond it only the
 * beginnings of identifiers are compared, which removes more.
 * @module
 */
import { percentDecoded, unescaped } from './id-shape.js';
import { DEPTH_MAX, parsedJson } from './json.js';

/** Shortest identifier that is searched for, in UTF-16 units. No name that OpenRTB needs for its structure is as long. */
export const SWEEP_LENGTH_MIN = 8;

/** Of a longer identifier only so much is compared, the scheme of a URL aside. */
export const SWEEP_LENGTH_MAX = 64;

/** Beyond this many identifiers only their first `SWEEP_START_LENGTH` characters are compared. */
export const SWEEP_EXACT_COUNT_MAX = 64;

/** Characters that are compared of each of a great many identifiers. Shorter ones are compared in full. */
export const SWEEP_START_LENGTH = 16;

/** Characters to compare at worst, above which only beginnings are. No ordinary request comes near. */
const EXACT_WORK_MAX = 2 ** 25;
/** Levels of JSON inside strings of JSON that are read. */
const JSON_LEVELS_MAX = 3;
/** Between two texts; no identifier is likely to hold it. */
export const SEPARATOR = '\n';
const NOT_ASCII = /[^\0-\x7f]/;
const URL_SCHEME = /^[a-z][a-z0-9+.-]{0,31}:\/\//;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_LENGTH = 36;
const UUID_DIGITS = 32;
const HEX = /^[0-9a-f]+$/;
const FILTER_BITS = 12;

/** The identifiers in the forms that are compared. */
export interface Search {
  readonly forms: readonly string[];
  /** Set where there is too much to compare. */
  readonly starts: Starts | null;
  /** Some form is not ASCII, so folding the text is not enough. */
  readonly withOriginal: boolean;
  /** Some form has a space, which URLs write as `+`. */
  readonly withSpaces: boolean;
  readonly mask: number;
}

/** The beginnings of forms. */
interface Starts {
  readonly texts: ReadonlySet<string>;
  readonly lengths: readonly number[];
  /** By the hash of four characters: whether a beginning may begin with them. */
  readonly filter: Uint8Array;
}

export function createSearch(identifiers: ReadonlySet<string>, textLength: number, mask: number): Search {
  const forms = new Set<string>();
  let withOriginal = false;
  let withSpaces = false;
  for (const identifier of identifiers) {
    addForms(forms, identifier);
    withOriginal ||= NOT_ASCII.test(identifier);
    withSpaces ||= identifier.includes(' ') || identifier.includes('%');
  }
  let formsLength = 0;
  for (const form of forms) formsLength += form.length;
  const isExact = identifiers.size <= SWEEP_EXACT_COUNT_MAX && formsLength * textLength <= EXACT_WORK_MAX;
  return { forms: [...forms], starts: isExact ? null : startsOf(forms), withOriginal, withSpaces, mask };
}

function addForms(forms: Set<string>, identifier: string): void {
  const folded = identifier.toLowerCase();
  addForm(forms, folded);
  // one that was itself encoded: the text is searched with all layers of encoding undone, or none
  if (folded.includes('%')) addForm(forms, percentDecoded(folded));
  if (folded.length === UUID_LENGTH && UUID.test(folded)) forms.add(folded.replaceAll('-', ''));
  if (folded.length === UUID_DIGITS && HEX.test(folded)) forms.add(hyphened(folded));
  if (!NOT_ASCII.test(identifier)) return;
  for (const form of [identifier, folded, identifier.toUpperCase()]) {
    addForm(forms, form);
    addForm(forms, percentEncoded(form).toLowerCase());
  }
}

function addForm(forms: Set<string>, form: string): void {
  if (form.length < SWEEP_LENGTH_MIN) return;
  forms.add(startOf(form, SWEEP_LENGTH_MAX));
  // the text is searched with every `+` read as a space, too
  if (form.includes(' ')) forms.add(startOf(form.replaceAll('+', ' '), SWEEP_LENGTH_MAX));
}

function hyphened(digits: string): string {
  const [a, b, c, d] = [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20)];
  return `${a}-${b}-${c}-${d}-${digits.slice(20)}`;
}

/** The first characters of a form that is longer than `length`; a scheme says nothing, so it does not count. */
function startOf(form: string, length: number): string {
  if (form.length <= length) return form;
  const [scheme = ''] = URL_SCHEME.exec(form) ?? [];
  const from = form.length - scheme.length < SWEEP_LENGTH_MIN ? 0 : scheme.length;
  return form.slice(from, from + length);
}

function startsOf(forms: ReadonlySet<string>): Starts {
  const texts = new Set(Array.from(forms, (form) => startOf(form, SWEEP_START_LENGTH)));
  const filter = new Uint8Array(1 << FILTER_BITS);
  for (const text of texts) filter[hashAt(text, 0)] = 1;
  return { texts, lengths: [...new Set(Array.from(texts, ({ length }) => length))], filter };
}

/** As `encodeURIComponent`, which throws on half a surrogate pair. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'));
}

/** Whether any identifier stands in the text. */
export function isFound(search: Search, text: string): boolean {
  if (text.length < SWEEP_LENGTH_MIN) return false;
  let folded = text.toLowerCase();
  if (search.withOriginal) folded += SEPARATOR + text;
  if (folded.includes('%')) folded += SEPARATOR + percentDecoded(folded);
  if (search.withSpaces && folded.includes('+')) folded += SEPARATOR + folded.replaceAll('+', ' ');
  if (search.starts !== null) return holdsStart(search.starts, folded);
  for (const form of search.forms) if (folded.includes(form)) return true;
  return false;
}

function holdsStart({ texts, lengths, filter }: Starts, text: string): boolean {
  for (let at = 0; at + SWEEP_LENGTH_MIN <= text.length; at++) {
    if (filter[hashAt(text, at)] === 0) continue;
    for (const length of lengths) if (texts.has(text.slice(at, at + length))) return true;
  }
  return false;
}

/** Of four characters. */
function hashAt(text: string, at: number): number {
  const first = (text.charCodeAt(at) << 9) ^ (text.charCodeAt(at + 1) << 6);
  return (first ^ (text.charCodeAt(at + 2) << 3) ^ text.charCodeAt(at + 3)) & ((1 << FILTER_BITS) - 1);
}

/** The text, and what it says once escapes of JSON in it are undone. */
export function searchable(text: string, level = 0): string {
  if (!text.includes('\\') || level === JSON_LEVELS_MAX) return text;
  const parsed = parsedJson(text);
  if (parsed === undefined) return text + SEPARATOR + unescaped(text);
  const parts = [text];
  addTexts(parts, parsed, level + 1, 0);
  return parts.join(SEPARATOR);
}

function addTexts(parts: string[], value: unknown, level: number, depth: number): void {
  if (typeof value === 'string') parts.push(searchable(value, level));
  else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    for (const [key, inner] of Object.entries(value)) {
      parts.push(key);
      addTexts(parts, inner, level, depth + 1);
    }
  }
}
