/**
 * What `optgate follow` prints: where the table stands, and one line for each change, which says what changed and never
 * for whom.
 * @module
 */
import { GATE_ERRORS } from '../core/errors.js';
import { type Entry, readChanges } from '../core/suppression/index.js';
import { BASE_KINDS, rightsOfMask } from '../core/vocabulary.js';
import type { ChangesAnswer, FailureStatus, FollowerStatus, Position, Source } from '../sync/index.js';
import type { Io } from './command.js';
import { timeText } from './time.js';

/** A line again without anything new: where output is kept, and on a terminal, where it takes the place of the last. */
const REPEAT_MS = 10_000;
const REPEAT_ON_TERMINAL_MS = 1_000;
/** Takes the line away that the cursor is on. */
const ERASE_LINE = '\r\x1b[K';

export interface ReportOptions {
  readonly io: Io;
  readonly asJson: boolean;
  readonly current: () => FollowerStatus;
}

export class FollowReport {
  readonly #options: ReportOptions;
  readonly #isLive: boolean;
  #timer: NodeJS.Timeout | undefined;
  #pending: { readonly seq: number; readonly lines: readonly string[] }[] = [];
  #queued: Position = { epoch: '', seq: -1 };
  #lastErrorCode: string | null = null;

  constructor(options: ReportOptions) {
    this.#options = options;
    this.#isLive = options.io.stdout.isTTY === true && !options.asJson;
  }

  start(): void {
    const everyMs = this.#isLive ? REPEAT_ON_TERMINAL_MS : REPEAT_MS;
    this.#timer = setInterval(() => this.#show(this.#options.current(), { isLasting: !this.#isLive }), everyMs);
  }

  /** The last word, unless the state was just told. */
  end({ isTold }: { readonly isTold: boolean }): void {
    clearInterval(this.#timer);
    if (!isTold) this.#show(this.#options.current(), { isLasting: true });
  }

  /** The state is another one. */
  state(status: FollowerStatus): void {
    if (status.state === 'live') this.#lastErrorCode = null;
    this.#show(status, { isLasting: true });
  }

  /** Something failed; the same again is not repeated. */
  failed({ code }: FailureStatus): void {
    if (code === this.#lastErrorCode) return;
    this.#lastErrorCode = code;
    const { io } = this.#options;
    io.stderr.write(`${this.#isLive ? ERASE_LINE : ''}optgate follow: ${code}: ${GATE_ERRORS[code]}; trying again\n`);
  }

  /** Entries have come; they are shown once they are applied, and once only, however often they come. */
  came(epoch: string, entries: readonly Entry[]): void {
    if (epoch !== this.#queued.epoch) this.#pending = [];
    for (const entry of entries) {
      if (epoch === this.#queued.epoch && entry.seq <= this.#queued.seq) continue;
      this.#queued = { epoch, seq: entry.seq };
      this.#pending.push({ seq: entry.seq, lines: changeLines(entry, this.#options.asJson) });
    }
  }

  /** Everything up to this position is in the table. */
  applied({ epoch, seq }: Position): void {
    if (epoch !== this.#queued.epoch) return;
    let text = '';
    while (this.#pending[0] !== undefined && this.#pending[0].seq <= seq) {
      for (const line of this.#pending.shift()?.lines ?? []) text += `${line}\n`;
    }
    if (text !== '') this.#options.io.stdout.write(`${this.#isLive ? ERASE_LINE : ''}${text}`);
  }

  #show(status: FollowerStatus, { isLasting }: { readonly isLasting: boolean }): void {
    const { io, asJson } = this.#options;
    const line = asJson ? JSON.stringify(statusValue(status, io.now())) : statusLine(status, io.now());
    io.stdout.write(`${this.#isLive ? ERASE_LINE : ''}${line}${isLasting ? '\n' : ''}`);
  }
}

/** A source that lets the report see the changes on their way, and does not count as an enforcer: it enforces nothing. */
export function observed(source: Source, report: FollowReport, showsChanges: boolean): Source {
  return {
    name: source.name,
    snapshot: (request) => source.snapshot(request),
    async changes(after, options): Promise<ChangesAnswer> {
      const answer = await source.changes(after, options);
      if (showsChanges && answer.kind === 'frame') report.came(answer.frame.head.epoch, answer.frame.entries);
      return answer;
    },
    close: () => source.close(),
  };
}

/** One line for each key of an entry. Which key it is stays with the table. */
export function changeLines({ seq, isCanary, changes }: Entry, asJson: boolean): readonly string[] {
  return readChanges(changes).map(({ tag, rights, rightsBefore, isDerived }) => {
    const kind = BASE_KINDS[tag - 1] ?? 'unknown';
    const added = rightsOfMask(rights & ~rightsBefore);
    const removed = rightsOfMask(rightsBefore & ~rights);
    if (asJson) return JSON.stringify({ seq, kind, added, removed, derived: isDerived, canary: isCanary });
    const signs = [...added.map((right) => `+${right}`), ...removed.map((right) => `-${right}`)];
    const notes = [isDerived ? 'derived' : '', isCanary ? 'canary' : ''].filter(Boolean).join(', ');
    return `seq ${seq} ${kind} ${signs.join(' ') || 'as before'}${notes === '' ? '' : ` (${notes})`}`;
  });
}

function statusValue(status: FollowerStatus, nowMs: number): object {
  const { state, sinceMs, position, headSeq, seqLag, freshnessMs, entryCount } = status;
  return {
    at: timeText(nowMs),
    state,
    since: timeText(sinceMs),
    epoch: position?.epoch ?? null,
    seq: position?.seq ?? null,
    headSeq,
    seqLag,
    ageMs: freshnessMs === null ? null : Math.round(freshnessMs),
    entryCount,
    error: failing(status)?.code ?? null,
  };
}

/** `2026-11-24T00:10:00.123Z live, seq 12 of 12, 0.3 s old, 26 entries`. */
function statusLine(status: FollowerStatus, nowMs: number): string {
  const { state, position, headSeq, freshnessMs, entryCount } = status;
  const error = failing(status);
  const parts = [
    state,
    position === null ? 'no table' : `seq ${position.seq}${headSeq === null ? '' : ` of ${headSeq}`}`,
    freshnessMs === null ? 'age not known' : `${(freshnessMs / 1_000).toFixed(1)} s old`,
    `${entryCount.toLocaleString('en-US')} ${entryCount === 1 ? 'entry' : 'entries'}`,
    ...(error === null ? [] : [`failing: ${error.code}`]),
  ];
  return `${timeText(nowMs)} ${parts.join(', ')}`;
}

/** What keeps failing; `null` when it works again. */
function failing({ lastError }: FollowerStatus): FailureStatus | null {
  return lastError !== null && lastError.consecutiveCount > 0 ? lastError : null;
}
