/**
 * The obvious way to look for identifiers in a text: write down everything the text may say and every way to write the
 * identifiers, and compare all with all.
 * @module
 */
import { percentDecoded, unescaped } from '../../src/core/openrtb/id-shape.js';

type Json = Record<string, unknown>;

export function parsed(text: string): Json | unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** Everything a text says: itself, decoded, and the texts in the JSON it may be. */
function readings(text: string): readonly string[] {
  const value = text.includes('\\') ? parsed(text) : undefined;
  const inner = value === undefined ? [unescaped(text)] : leaves(value).flatMap(readings);
  const all = [text, ...inner].flatMap((one) => [one, percentDecoded(one), one.toLowerCase()]);
  return [...all, ...all.map((one) => percentDecoded(one.toLowerCase()))].flatMap((one) => [
    one,
    one.replaceAll('+', ' '),
  ]);
}

function leaves(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...leaves(inner)]);
}

/** Whether any of `found` stands in the text, as it is, in another case, escaped or percent-encoded. */
export function holds(text: string, found: readonly string[]): boolean {
  const all = readings(text);
  return found.some((identifier) => {
    const forms = [identifier, identifier.toLowerCase(), identifier.toUpperCase()];
    const encoded = forms.map((form) => encodeURIComponent(Buffer.from(form).toString()));
    const decoded = [percentDecoded(identifier.toLowerCase())].filter((form) => form.length >= 8);
    const spaced = [...forms, ...decoded].filter((form) => form.includes(' ')).map((form) => form.replaceAll('+', ' '));
    return [
      ...forms,
      ...encoded,
      ...encoded.map((form) => form.toLowerCase()),
      ...decoded,
      ...spaced,
      ...uuids(identifier),
    ]
      .map(beginning)
      .some((form) => all.some((reading) => reading.includes(form)));
  });
}

/** The spellings of a UUID: bare and with hyphens. */
function uuids(identifier: string): readonly string[] {
  const folded = identifier.toLowerCase();
  const hyphened = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(folded.replaceAll('-', ''))?.slice(1).join('-') ?? '';
  if (!/^[0-9a-f-]+$/.test(hyphened) || (folded.length !== 32 && folded !== hyphened)) return [];
  return [hyphened, hyphened.replaceAll('-', '')];
}

/** What is compared of a form: 64 characters, behind the scheme of a URL. */
function beginning(form: string): string {
  const isLong = form.length > 64;
  return isLong ? form.replace(/^[a-z][a-z0-9+.-]{0,31}:\/\//, '').slice(0, 64) : form;
}
