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
const OUTPUT_CHARS = 64 * 1024;

/**
 * Answers each line of standard input with what `answer` returns; `null` writes nothing for that line. Whatever ends the
 * run early, the lines before it are answered.
 * @param answer Gets the value of the line, and its text as it came.
 * @param refusalsTo Where `{"error":{"code","line"}}` goes for a line that cannot be used.
 * @throws {CommandError} where standard input fails, or `answer` for a reason that is not the line's.
 * @returns How many lines were read and how many of them were refused.
 */
export async function answerLines(
  io: Io,
  answer: (value: unknown, text: string) => string | null,
  refusalsTo: 'stdout' | 'stderr' = 'stdout',
): Promise<{ readonly lineCount: number; readonly refusedCount: number }> {
  const progress = createProgress(io, 'lines');
  let lineCount = 0;
  let refusedCount = 0;
  let output = '';
  try {
    for await (const line of readLines(io.stdin as AsyncIterable<Uint8Array>)) {
      lineCount++;
      try {
        const text = lineText(line);
        const answered = answer(parseJson(text), text);
        if (answered !== null) output += `${answered}\n`;
      } catch (error) {
        if (!(error instanceof LineError)) throw error;
        refusedCount++;
        const refusal = `${JSON.stringify({ error: { code: error.code, line: lineCount } })}\n`;
        if (refusalsTo === 'stdout') output += refusal;
        else {
          progress.clear();
          io.stderr.write(refusal);
        }
      }
      if (output.length >= OUTPUT_CHARS) {
        const full = output;
        output = '';
        await write(io.stdout, full);
      }
      progress.at(lineCount);
    }
  } catch (error) {
    throw failureAt(lineCount, error);
  } finally {
    await write(io.stdout, output);
    progress.end();
  }
  return { lineCount, refusedCount };
}

/** An error's message may quote what was being read, so only the system's own are shown. */
function failureAt(line: number, error: unknown): CommandError {
  const said = isSystemError(error) ? error.message : `unexpected ${(error as Error)?.name ?? 'error'}`;
  return new CommandError(`standard input, line ${line}: ${said}`, { cause: error });
}

/** Writes and waits until the reader has taken enough of it. */
export async function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (text !== '' && !stream.write(text)) await once(stream, 'drain');
}
