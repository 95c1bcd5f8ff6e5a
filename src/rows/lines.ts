/**
 * Lines of text: split on bytes, decoded strictly, each refused with a code of its own.
 *
 * Memory is bounded by the longest line allowed. A message never quotes what a line held.
 * @module
 */
import { GrowingBytes } from '../growing-bytes.js';

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
  | 'request.too_long'
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

/** Splits pieces of a byte stream into lines. The last line needs no newline; an empty input has no lines. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  readonly #begun = new GrowingBytes();
  #skipping = false;

  constructor(lineBytesMax = LINE_BYTES_MAX) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in this piece. Take them all before the next piece. */
  *push(piece: Uint8Array): Generator<Line> {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      yield this.#line(piece.subarray(start, end));
      start = end + 1;
    }
    if (start === piece.length || this.#skipping) return;
    if (this.#begun.length + piece.length - start > this.#lineBytesMax) {
      this.#skipping = true;
      this.#begun.clear();
    } else {
      this.#begun.append(piece.subarray(start));
    }
  }

  /** The line that no newline ended, if there is one. */
  *end(): Generator<Line> {
    if (this.#skipping || this.#begun.length > 0) yield this.#line(new Uint8Array(0));
  }

  #line(last: Uint8Array): Line {
    const tooLong = this.#skipping || this.#begun.length + last.length > this.#lineBytesMax;
    this.#skipping = false;
    if (this.#begun.length === 0) return tooLong ? null : withoutReturn(last);
    this.#begun.append(tooLong ? new Uint8Array(0) : last);
    const bytes = this.#begun.take();
    return tooLong ? null : withoutReturn(bytes);
  }
}

function withoutReturn(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}

/** The lines of a byte stream. */
export async function* readLines(
  stream: AsyncIterable<string | Uint8Array>,
  lineBytesMax = LINE_BYTES_MAX,
): AsyncGenerator<Line> {
  const splitter = new LineSplitter(lineBytesMax);
  for await (const piece of stream) yield* splitter.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
  yield* splitter.end();
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
