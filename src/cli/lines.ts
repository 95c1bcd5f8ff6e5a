/**
 * NDJSON in, NDJSON out: one answer per line, in order, whatever a line holds.
 *
 * Memory is bounded by the longest line allowed and by what the reader of our output has taken. A line that cannot be
 * used is answered with an error that names its number, and the run goes on.
 * @module
 */
import { once } from 'node:events';
import { LineError, lineText, parseJson, readLines } from '../rows/lines.js';
import { CommandError, type Io, isSystemError } from './command.js';
import { createProgress } from './progress.js';

/** Output is handed on in pieces of about this size. */
const OUTPUT_BYTES = 64 * 1024;

/** How many lines were read and how many of them were refused. */
export interface LineCounts {
  readonly lineCount: number;
  readonly refusedCount: number;
}

/** Where `{"error":{"code","line"}}` goes for a line that cannot be used. */
type RefusalsTo = 'stdout' | 'stderr';

/** As {@link answerBytes}, for the JSON value of each line. */
export function answerLines(io: Io, answer: (value: unknown) => string | null): Promise<LineCounts> {
  return answerBytes(io, (line) => answer(parseJson(lineText(line))));
}

/**
 * Answers each line of standard input with what `answer` returns; `null` writes nothing for that line. Whatever ends the
 * run early, the lines before it are answered.
 * @param answer Gets the bytes of the line, which it may return as they are.
 * @throws {CommandError} where standard input fails, or `answer` for a reason that is not the line's.
 */
export async function answerBytes(
  io: Io,
  answer: (line: Uint8Array) => string | Uint8Array | null,
  refusalsTo: RefusalsTo = 'stdout',
): Promise<LineCounts> {
  const progress = createProgress(io, 'lines');
  const output = new Output(io.stdout);
  let lineCount = 0;
  let refusedCount = 0;
  try {
    for await (const line of readLines(io.stdin as AsyncIterable<Uint8Array>)) {
      lineCount++;
      try {
        if (line === null) throw new LineError('line.too_long', 'the line is too long');
        const answered = answer(line);
        if (answered !== null) output.add(answered);
      } catch (error) {
        if (!(error instanceof LineError)) throw error;
        refusedCount++;
        const refusal = JSON.stringify({ error: { code: error.code, line: lineCount } });
        if (refusalsTo === 'stdout') output.add(refusal);
        else {
          progress.clear();
          io.stderr.write(`${refusal}\n`);
        }
      }
      if (output.isFull) await output.flush();
      progress.at(lineCount);
    }
  } catch (error) {
    throw failureAt(lineCount, error);
  } finally {
    await output.flush();
    progress.end();
  }
  return { lineCount, refusedCount };
}

/** Lines on their way out. */
class Output {
  #pieces: (string | Uint8Array)[] = [];
  #pieceBytes = 0;
  constructor(readonly stream: NodeJS.WritableStream) {}

  get isFull(): boolean {
    return this.#pieceBytes >= OUTPUT_BYTES;
  }

  add(line: string | Uint8Array): void {
    this.#pieces.push(line, '\n');
    this.#pieceBytes += line.length + 1;
  }

  /** Writes and waits until the reader has taken enough of it. */
  async flush(): Promise<void> {
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    await write(
      this.stream,
      Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))),
    );
  }
}

/** An error's message may quote what was being read, so only the system's own are shown. */
function failureAt(line: number, error: unknown): CommandError {
  const said = isSystemError(error) ? error.message : `unexpected ${(error as Error)?.name ?? 'error'}`;
  return new CommandError(`standard input, line ${line}: ${said}`, { cause: error });
}

/** Writes and waits until the reader has taken enough of it. */
export async function write(stream: NodeJS.WritableStream, output: string | Uint8Array): Promise<void> {
  if (output.length > 0 && !stream.write(output)) await once(stream, 'drain');
}
