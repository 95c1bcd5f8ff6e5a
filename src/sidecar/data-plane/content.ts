/**
 * The types of bodies: JSON, msgpack, NDJSON.
 *
 * A body without a type is taken for JSON (NDJSON where lines are expected): the value decides, and what is not JSON is
 * refused. A body of another type is not guessed at, so that `curl -d` without a header says what is missing.
 * @module
 */

export type Format = 'json' | 'msgpack';

export const JSON_TYPE = 'application/json';
export const MSGPACK_TYPE = 'application/msgpack';
export const NDJSON_TYPE = 'application/x-ndjson';

export const TYPE_OF: Readonly<Record<Format, string>> = { json: JSON_TYPE, msgpack: MSGPACK_TYPE };

const JSON_TYPES = [JSON_TYPE] as const;
const LINE_TYPES = [NDJSON_TYPE, 'application/ndjson', 'application/jsonl'] as const;
const MSGPACK_TYPES = [MSGPACK_TYPE, 'application/vnd.msgpack', 'application/x-msgpack'] as const;
/** JSON is UTF-8 (RFC 8259, 8.1); a parameter may say so. */
const PARAMETERS = /^\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?;?\s*$/i;

/** HOT. The format of a body; `null` for none that is read. `json` stands for lines where those are expected. */
export function formatOf(contentType: string | undefined, expectsLines: boolean): Format | null {
  if (contentType === undefined || contentType === (expectsLines ? NDJSON_TYPE : JSON_TYPE)) return 'json';
  if (contentType === MSGPACK_TYPE) return 'msgpack';
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (semicolon >= 0 && !PARAMETERS.test(contentType.slice(semicolon))) return null;
  if (isAmong(type, expectsLines ? LINE_TYPES : JSON_TYPES)) return 'json';
  return isAmong(type, MSGPACK_TYPES) ? 'msgpack' : null;
}

/** HOT. The format of the answer: the first of the two that `Accept` names, else that of the body. */
export function answerFormatOf(accept: string | undefined, bodyFormat: Format): Format {
  if (accept === undefined || accept === '*/*') return bodyFormat;
  for (const item of accept.split(',')) {
    const type = (item.split(';')[0] ?? '').trim().toLowerCase();
    if (isAmong(type, JSON_TYPES)) return 'json';
    if (isAmong(type, MSGPACK_TYPES)) return 'msgpack';
  }
  return bodyFormat;
}

function isAmong(type: string, types: readonly string[]): boolean {
  return types.includes(type);
}
