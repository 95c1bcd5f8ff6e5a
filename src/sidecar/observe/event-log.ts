/**
 * The log of the sidecar: one JSON object a line, of events that are known beforehand (log-events.ts).
 * @module
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { GateError, InputError } from '../../core/errors.js';
import { LOG_EVENTS, type LogEventName, type LogFields, type LogLevel, loggable } from './log-events.js';

/** Frames of a stack that are logged. */
const FRAMES_MAX = 6;
/** Causes behind an error that are logged. */
const CAUSES_MAX = 3;

export interface EventLogOptions {
  readonly level?: LogLevel | 'silent' | undefined;
  /** Where to; a stream for tests. Default: `stderr`. */
  readonly to?: 'stdout' | 'stderr' | DestinationStream | undefined;
}

/**
 * @example
 * const log = new EventLog({ level: 'info' });
 * log.event('sync.state', { state: status.state, seqLag: status.seqLag });
 * log.failure('sync.failed', error);
 */
export class EventLog {
  readonly #logger: Logger;

  constructor({ level = 'info', to = 'stderr' }: EventLogOptions = {}) {
    // written at once: events are rare, and the last ones before an end matter most
    const stream = typeof to === 'string' ? destination({ dest: to === 'stdout' ? 1 : 2, sync: true }) : to;
    this.#logger = pino(
      {
        level,
        base: { name: 'optgate', pid: process.pid },
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      stream,
    );
  }

  event(name: LogEventName, fields: LogFields = {}): void {
    this.#write(name, loggable(fields));
  }

  /**
   * An event with the error behind it: its class, its code, where it was thrown. Its message only if it is one of ours,
   * which never holds an identifier; any other may quote what was being read.
   */
  failure(name: LogEventName, error: unknown, fields: LogFields = {}): void {
    this.#write(name, { ...loggable(fields), ...describe(error) });
  }

  #write(name: LogEventName, fields: Record<string, unknown>): void {
    const [level, sentence] = LOG_EVENTS[name];
    this.#logger[level]({ event: name, ...fields }, sentence);
  }
}

function describe(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: 'unknown' };
  const { code, syscall } = error as NodeJS.ErrnoException;
  const isOurs = error instanceof GateError || error instanceof InputError;
  const cause = error.cause instanceof Error && depth < CAUSES_MAX ? describe(error.cause, depth + 1) : undefined;
  return {
    error: /^[A-Z][A-Za-z]{1,40}$/.test(error.name) ? error.name : 'Error',
    ...(isOurs ? { message: error.message } : {}),
    ...(isOurs || (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) ? { code } : {}),
    ...(typeof syscall === 'string' && /^[a-z_]{1,20}$/.test(syscall) ? { syscall } : {}),
    ...(isOurs ? {} : { frames: framesOf(error) }),
    ...(cause === undefined ? {} : { cause }),
  };
}

/** The lines of a stack that name a place; the first lines, of any number, are the message. */
function framesOf({ stack = '', message }: Error): readonly string[] {
  const afterMessage = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : '';
  return afterMessage
    .split('\n')
    .filter((line) => /^ {4}at [^\n]*:\d+:\d+\)?$/.test(line))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim());
}
