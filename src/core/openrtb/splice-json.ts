/**
 * JSON in a text of a scanned request (`imp.native.request`) that certainly stays as it is: it is scanned like the request
 * around it, and nothing in it has to be looked at.
 *
 * What must stay true: what restrict.ts would change or remove in such a text, is never taken for plain. What is searched
 * for removed identifiers is the text without its escapes, as in restrict.ts.
 * @module
 */
import { addSpare, spareEnd } from './cuts.js';
import { DEPTH_MAX } from './json.js';
import { scanInside } from './scan.js';
import { SCAN_DEPTH_MAX, SOURCE_BYTES } from './scan-memory.js';
import { FROM, HAS_ESCAPE, KIND, ROW, source, TO, tape } from './tape.js';

const bytes = source;
const rows = tape;

const QUOTE = 0x22;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;

/**
 * HOT. Whether nothing in the text has any of `marks`, whatever it is JSON of. Its own marks but the escape must not
 * matter. Parsing and walking it took 10 times as long, and a fifth of the time of all real requests.
 */
export function isPlainJson(row: number, marks: number, depth: number): boolean {
  const at = row * ROW;
  const from = rows[at + FROM]! + 1;
  const to = rows[at + TO]! - 1;
  if ((rows[at + KIND]! & marks) !== HAS_ESCAPE || bytes[from] !== OPEN_BRACE) return false;
  if (depth + SCAN_DEPTH_MAX >= DEPTH_MAX || to - from >= SOURCE_BYTES - spareEnd()) return false;
  const textFrom = spareEnd();
  const textTo = layUnescaped(from, to, textFrom);
  if (textTo < 0) return false;
  const inner = scanInside(textFrom, textTo);
  if (inner === 0 || (rows[inner * ROW + KIND]! & marks) !== 0) return false;
  addSpare(textTo - textFrom);
  return true;
}

/** HOT. Lays the text at `target`, its quotes and slashes without escapes; negative where it has others. */
function layUnescaped(from: number, to: number, target: number): number {
  let writtenAt = target;
  for (let at = from; at < to; at++) {
    let byte = bytes[at]!;
    if (byte === BACKSLASH) {
      byte = bytes[++at]!;
      if (byte !== QUOTE && byte !== SLASH) return -1;
    }
    bytes[writtenAt++] = byte;
  }
  return writtenAt;
}
