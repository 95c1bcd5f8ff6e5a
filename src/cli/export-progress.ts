/**
 * How far an export is, on standard error when that is a terminal: a bar, bytes, rows a second, the time that is left.
 * @module
 */
import type { RunProgress } from '../exports/run.js';
import type { Io } from './command.js';

const SHOW_EVERY_MS = 250;
const BAR_WIDTH = 20;
/** Of a terminal that does not say; a longer line would not be taken away whole. */
const COLUMNS_DEFAULT = 80;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export class ExportProgress {
  readonly #io: Io;
  readonly #startMs: number;
  readonly #place: string;
  #shownMs = Number.NEGATIVE_INFINITY;
  #passNumber = 1;
  /** Rows of passes that are over, and of the one at hand. */
  #rowsBefore = 0;
  #rowsRead = 0;

  /** @param place Which file of how many: `2/5`; empty where there is one. */
  constructor(io: Io, place: string) {
    this.#io = io;
    this.#place = place === '' ? '' : `${place} `;
    this.#startMs = io.now();
  }

  at(progress: RunProgress): void {
    const { passNumber, rowsRead } = progress;
    if (passNumber !== this.#passNumber) this.#rowsBefore += this.#rowsRead;
    this.#passNumber = passNumber;
    this.#rowsRead = rowsRead;
    const { stderr } = this.#io;
    const nowMs = this.#io.now();
    if (stderr.isTTY !== true || nowMs - this.#shownMs < SHOW_EVERY_MS) return;
    this.#shownMs = nowMs;
    const line = this.#line(progress, Math.max(1, nowMs - this.#startMs));
    stderr.write(`\r\x1b[K${line.slice(0, (stderr.columns ?? COLUMNS_DEFAULT) - 1)}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shownMs > 0) this.#io.stderr.write('\r\x1b[K');
  }

  #line({ passNumber, bytesRead, bytesTotal }: RunProgress, elapsedMs: number): string {
    const perSecond = Math.round(((this.#rowsBefore + this.#rowsRead) * 1_000) / elapsedMs).toLocaleString('en-US');
    const rate = `${perSecond} rows/s`;
    if (bytesTotal === 0) return `${this.#place}${bytesText(bytesRead)}  ${rate}${again(passNumber)}`; // a pipe
    const share = Math.min(1, bytesRead / bytesTotal);
    const bar = '#'.repeat(Math.floor(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '.');
    const done = `${String(Math.floor(100 * share)).padStart(3)} %  ${bytesText(bytesRead)} of ${bytesText(bytesTotal)}`;
    const left = passNumber === 1 && share > 0 ? `  ETA ${timeText((elapsedMs * (1 - share)) / share)}` : '';
    return `${this.#place}[${bar}] ${done}  ${rate}${left}${again(passNumber)}`;
  }
}

function again(passNumber: number): string {
  return passNumber === 1 ? '' : `  the set has moved: pass ${passNumber}`;
}

function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
