/**
 * Lines of text from a stream of bytes, and what is in them.
 *
 * Lines are split on bytes; memory is bounded by the longest line allowed. A line that cannot be used is a LineError with a
 * stable code, which never quotes the line.
 * @module
 */

/** Longest line that is read; a longer one is refused and skipped. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Why a line was refused. Stable. */
export type LineErrorCode =
  | 'line.too_long'
  | 'json.not_utf8'
  | 'json.invalid'
  | 'request.invalid'
  | 'request.too_deep'
  | 'input.invalid';

export class LineError extends Error {
  override readonly name = 'LineError';
  constructor(
    readonly code: LineErrorCode,
    message: string = code,
  ) {
    super(message);
  }
}

/** One line's bytes without the newline; `null` where it was longer than allowed. */
export type Line = Uint8Array | null;

/** Splits a byte stream into lines. The last line needs no newline; an empty input has no lines. */
export async function* readLines(
  stream: AsyncIterable<string | Uint8Array>,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<Line> {
  let pieces: Uint8Array[] = [];
  let pieceBytes = 0;
  let skipping = false;
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const tooLong = skipping || pieceBytes + end - start > lineBytesMax;
      yield tooLong ? null : joined(pieces, bytes.subarray(start, end));
      pieces = [];
      pieceBytes = 0;
      skipping = false;
      start = end + 1;
    }
    if (start === bytes.length || skipping) continue;
    pieceBytes += bytes.length - start;
    if (pieceBytes > lineBytesMax) {
      skipping = true;
      pieces = [];
    } else {
      pieces.push(Uint8Array.prototype.slice.call(bytes, start));
    }
  }
  if (skipping) yield null;
  else if (pieceBytes > 0) yield joined(pieces, new Uint8Array(0));
}

function joined(pieces: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  const bytes = pieces.length === 0 ? last : Buffer.concat([...pieces, last]);
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a line, without a byte order mark. @throws {LineError} */
export function lineText(line: Line): string {
  if (line === null) throw new LineError('line.too_long', 'the line is too long');
  try {
    return utf8.decode(line);
  } catch {
    throw new LineError('json.not_utf8', 'the line is not UTF-8');
  }
}

/** The JSON value of a line's text. @throws {LineError} */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold an identifier.
    throw new LineError('json.invalid', 'the line is not JSON');
  }
}
