/**
 * How far an export is, on standard error when that is a terminal: a bar, rows a second, the time that is left.
 * @module
 */
import type { RunProgress } from '../exports/run.js';
import type { Io } from './command.js';

const SHOW_EVERY_MS = 250;
const BAR_WIDTH = 20;
const LINE_END = 0x0a;

export class ExportProgress {
  readonly #io: Io;
  readonly #startMs: number;
  #shownMs = 0;
  #lineCount = 0;

  constructor(io: Io) {
    this.#io = io;
    this.#startMs = io.now();
  }

  /** The input as it passes; its lines are counted where somebody looks. */
  async *counted(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of input) {
      if (this.#io.stderr.isTTY === true) this.#lineCount += linesIn(chunk);
      yield chunk;
    }
  }

  at({ passNumber, bytesRead, bytesTotal }: RunProgress): void {
    const nowMs = this.#io.now();
    if (this.#io.stderr.isTTY !== true || nowMs - this.#shownMs < SHOW_EVERY_MS) return;
    this.#shownMs = nowMs;
    const share = bytesTotal === 0 ? 1 : Math.min(1, bytesRead / bytesTotal);
    const bar = '#'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    const elapsedMs = Math.max(1, nowMs - this.#startMs);
    const perSecond = Math.round((this.#lineCount * 1_000) / elapsedMs).toLocaleString('en-US');
    const end =
      passNumber === 1
        ? `ETA ${Math.ceil((elapsedMs * (1 - share)) / share / 1_000)} s`
        : `the set has moved: pass ${passNumber}`;
    this.#io.stderr.write(`\r\x1b[K[${bar}] ${Math.floor(100 * share)} %  ${perSecond} rows/s  ${end}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shownMs !== 0) this.#io.stderr.write('\r\x1b[K');
  }
}

function linesIn(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) count++;
  return count;
}
