/**
 * Finds names that an object in a JSON text has twice. `JSON.parse` would keep the last and say nothing, and of two rights
 * lists in one request neither is what the person asked for.
 * @module
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Whether any object in a text has a name twice. The text must be valid JSON. */
export function hasDuplicateKey(text: string): boolean {
  /** Names of each object that is open; `null` for an array. */
  const open: (Set<string> | null)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (isName && names) {
        const name = JSON.parse(text.slice(at, end + 1)) as string;
        if (names.has(name)) return true;
        names.add(name);
      }
      at = end;
    } else if (code === COLON) isName = false;
    else if (code === COMMA) isName = true;
    else if (text[at] === '{' || text[at] === '[') {
      open.push(text[at] === '{' ? new Set() : null);
      isName = true;
    } else if (text[at] === '}' || text[at] === ']') open.pop();
  }
  return false;
}

/** Index of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
