/**
 * Takes out of a URL what names a person, and leaves the rest byte for byte.
 *
 * Works on the text, never on a parsed URL: relative addresses, bare host names and macros (`${PAGE}`) are common in
 * bid requests and must come through as they are. Out go the user before `@`, the fragment, path segments that hold an
 * e-mail address, and query parameters whose name is known to carry an id (id-names.ts) or whose text is shaped like
 * one, also when percent-encoded or inside the URL of another parameter. What has nothing to lose is returned as it is.
 * @module
 */
import { isIdParameter } from './id-names.js';
import { holdsEmail, isIdentifierShaped, percentDecoded } from './id-shape.js';

const QUESTION_MARK = 0x3f;
const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const NAME_LENGTH_MAX = 64;
const REMOVED_SEGMENT = '-';

/** The URL without what names a person. */
export function cleanUrl(url: string): string {
  const fragmentAt = url.indexOf('#');
  let text = fragmentAt < 0 ? url : url.slice(0, fragmentAt);
  const authorityAt = startOfAuthority(text);
  let pathAt = 0;
  if (authorityAt >= 0) {
    const end = endOfAuthority(text, authorityAt);
    const userEnd = text.lastIndexOf('@', end - 1) + 1;
    pathAt = end;
    if (userEnd > authorityAt) {
      text = text.slice(0, authorityAt) + text.slice(userEnd);
      pathAt -= userEnd - authorityAt;
    }
  }
  const queryAt = nextDelimiter(text, pathAt);
  const path = text.slice(pathAt, queryAt);
  const cleanedPath = cleanPath(path);
  const query = queryAt === text.length ? '' : cleanQuery(text, queryAt);
  if (cleanedPath === path && queryAt + query.length === text.length) return text;
  return text.slice(0, pathAt) + cleanedPath + query;
}

/** Where the authority begins, behind `//` or `scheme://` at the start; -1 where there is none. */
function startOfAuthority(text: string): number {
  if (text.startsWith('//')) return 2;
  const colonAt = text.indexOf(':');
  if (colonAt < 0 || !text.startsWith('//', colonAt + 1)) return -1;
  const beforeColon = text.slice(0, colonAt);
  return beforeColon.includes('/') || nextDelimiter(beforeColon, 0) < colonAt ? -1 : colonAt + 3;
}

function endOfAuthority(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isPathStart(text.charCodeAt(at))) at++;
  return at;
}

/** `/`, `\` (which browsers read as `/`) and `?`. */
function isPathStart(code: number): boolean {
  return code === 0x2f || code === 0x5c || code === QUESTION_MARK;
}

/** Index of the next character that begins a parameter, or the length. */
function nextDelimiter(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isDelimiter(text.charCodeAt(at))) at++;
  return at;
}

function isDelimiter(code: number): boolean {
  return code === QUESTION_MARK || code === AMPERSAND || code === SEMICOLON;
}

/** A segment that holds an e-mail address becomes `-`, so that the others keep their places. */
function cleanPath(path: string): string {
  if (!path.includes('@') && !path.includes('%')) return path;
  if (!holdsEmail(percentDecoded(path))) return path;
  const kept = path.split('/').map((segment) => (holdsEmail(percentDecoded(segment)) ? REMOVED_SEGMENT : segment));
  return kept.join('/');
}

/** The parameters from `from` on that name nobody, each with the delimiter before it. */
function cleanQuery(text: string, from: number): string {
  let query = '';
  let questionMarkLost = false;
  for (let at = from; at < text.length; ) {
    const end = nextDelimiter(text, at + 1);
    const parameter = text.slice(at + 1, end);
    const delimiter = text.charCodeAt(at);
    if (namesPerson(parameter)) questionMarkLost ||= delimiter === QUESTION_MARK;
    else {
      query += questionMarkLost ? `?${parameter}` : text.slice(at, end);
      questionMarkLost = false;
    }
    at = end;
  }
  return query;
}

/** Whether a parameter, as written, carries an id. */
export function namesPerson(parameter: string): boolean {
  if (parameter === '') return false;
  const decoded = percentDecoded(parameter);
  return carriesIdParameter(decoded) || isIdentifierShaped(decoded);
}

/** Whether `name=` with the name of an id stands anywhere: the parameter's own name, or one in a URL it carries. */
function carriesIdParameter(text: string): boolean {
  for (let equalsAt = text.indexOf('='); equalsAt >= 0; equalsAt = text.indexOf('=', equalsAt + 1)) {
    const end = text[equalsAt - 1] === ']' ? equalsAt - 1 : equalsAt;
    let start = end;
    while (start > 0 && end - start <= NAME_LENGTH_MAX && isNameCharacter(text.charCodeAt(start - 1))) start--;
    if (isIdParameter(text.slice(start, end))) return true;
  }
  return false;
}

function isNameCharacter(code: number): boolean {
  const lower = code | 0x20;
  return (
    (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a && code > 0x40) || code === 0x5f || code === 0x2d
  );
}
