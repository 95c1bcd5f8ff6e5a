/**
 * A sidecar as a process: what signals do to it.
 *
 * SIGTERM and SIGINT end it in order, SIGHUP reads policy and tokens again. A second signal ends it at once, and so does the
 * deadline for ending in order: whoever stops processes must never have to wait for one.
 * @module
 */
import { constants } from 'node:os';
import type { SidecarConfig } from './config-settings.js';
import { type Sidecar, type SidecarIo, startSidecar } from './main.js';
import { EventLog } from './observe/index.js';

const END_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** Ended by the deadline, or because it could not go on. */
export const EXIT_FAILED = 3;

export interface ProcessHooks extends SidecarIo {
  /** It listens. */
  readonly onListening?: (sidecar: Sidecar) => void;
}

/** Runs until it is told to end. Resolves with the exit code. @throws what {@link startSidecar} throws. */
export async function runSidecar(config: SidecarConfig, hooks: ProcessHooks = {}): Promise<number> {
  const log = hooks.log ?? new EventLog({ level: config['log.level'] });
  let sidecar: Sidecar | null = null;
  let isEnding = false;
  let end = (_code: number) => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const onEnd = (signal: (typeof END_SIGNALS)[number]) => {
    if (isEnding) {
      log.event('sidecar.aborted', { signal });
      process.exit(128 + constants.signals[signal]);
    }
    isEnding = true;
    endBy(config['shutdown.deadline'], log);
    end(0);
  };
  let isReloadDue = false; // told so while it starts, with files that may have changed since they were read
  const onReload = () => {
    if (sidecar === null) isReloadDue = true;
    else void sidecar.reload();
  };
  for (const signal of END_SIGNALS) process.on(signal, onEnd);
  process.on('SIGHUP', onReload);
  try {
    sidecar = await startSidecar(config, { log });
    void sidecar.failed.then(() => {
      endBy(config['shutdown.deadline'], log);
      end(EXIT_FAILED);
    });
    if (isReloadDue) void sidecar.reload();
    if (!isEnding) hooks.onListening?.(sidecar);
    const code = await ended;
    await sidecar.close();
    return code;
  } finally {
    process.off('SIGHUP', onReload);
    process.on('SIGHUP', () => {}); // it is ending already
    if (sidecar === null) for (const signal of END_SIGNALS) process.off(signal, onEnd);
  }
}

/** Ends the process when the time is up, whatever it is waiting for. */
function endBy(deadlineMs: number, log: EventLog): void {
  setTimeout(() => {
    log.event('sidecar.aborted', { why: 'deadline', delayMs: deadlineMs });
    process.exit(EXIT_FAILED);
  }, deadlineMs).unref();
}
