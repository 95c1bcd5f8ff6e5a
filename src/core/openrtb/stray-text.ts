/**
 * Cleans a text that no row of the table speaks of: no e-mail address in it, and no ids in a URL that it is.
 * @module
 */
import { holdsEmail, percentDecoded, unescaped } from './id-shape.js';
import { cleanUrl, namesPerson } from './url.js';

const HTTP = /^\s*https?:\/\//i;
const JSON_START = /^\s*[[{]/;

/**
 * HOT. What is left of a text; `undefined` for nothing. A URL loses the parts that name a person, as `site.page` does,
 * but keeps a fragment without ids; any other text that holds an e-mail address goes.
 */
export function cleanStrayText(text: string, withoutEmails: boolean, withoutUrlIds: boolean): string | undefined {
  const rest = withoutUrlIds && isHttpUrl(text) ? cleanStrayUrl(text) : text;
  if (!withoutEmails || !showsEmail(rest)) return rest;
  const cleaned = isHttpUrl(rest) ? cleanUrl(rest) : undefined;
  return cleaned === undefined || showsEmail(cleaned) ? undefined : cleaned;
}

/** HOT. Whether an e-mail address stands in the text, also percent-encoded or escaped as in JSON. */
export function showsEmail(text: string): boolean {
  if (text.includes('\\')) return holdsEmail(percentDecoded(unescaped(text)));
  if (text.includes('%')) return holdsEmail(percentDecoded(text));
  return text.includes('@') && holdsEmail(text);
}

/** HOT. Whether a text may be JSON that has texts or names in it. */
export function isJsonLike(text: string): boolean {
  const first = text.charCodeAt(0);
  // `{`, `[` or white space
  return (first === 0x7b || first === 0x5b || first <= 0x20) && JSON_START.test(text) && text.includes('"');
}

/** HOT. */
function isHttpUrl(text: string): boolean {
  const first = text.charCodeAt(0) | 0x20;
  return (first === 0x68 || first <= 0x20) && HTTP.test(text);
}

function cleanStrayUrl(url: string): string {
  const cleaned = cleanUrl(url);
  const isSameButFragment = url.startsWith(cleaned) && url[cleaned.length] === '#';
  if (cleaned === url || !isSameButFragment) return cleaned;
  return url
    .slice(cleaned.length + 1)
    .split(/[?&;/]/)
    .some(namesPerson)
    ? cleaned
    : url;
}
