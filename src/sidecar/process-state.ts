/**
 * What the process tells of itself: to the console, and in its status.
 * @module
 */
import type { LiveTable } from '../live-table.js';
import { packageVersion } from '../version.js';
import type { SidecarConfig } from './config-settings.js';
import type { ConsoleProcess } from './console/index.js';
import type { CanaryWatch, Health } from './observe/index.js';
import type { PolicyDesk } from './policy-desk.js';
import type { Serving } from './serving.js';

/** Parts of a sidecar; `null`: not there yet, or not at all. */
export interface ProcessParts {
  readonly startedAtMs: number;
  readonly health: Health;
  readonly live: LiveTable | null;
  readonly canaries: CanaryWatch | null;
  readonly serving: Serving | null;
  readonly policies: PolicyDesk;
}

export function consoleProcess(config: SidecarConfig, parts: ProcessParts): ConsoleProcess {
  const readiness = parts.health.readiness();
  const threads = parts.serving?.state() ?? null;
  return {
    version: packageVersion(),
    startedAtMs: parts.startedAtMs,
    readiness: readiness.kind === 'ready' ? 'ready' : readiness.reason,
    table: parts.live?.status() ?? null,
    canary: parts.canaries?.state() ?? null,
    isShedding: threads?.shedding.isShedding ?? false,
    unknownDestinationCount: threads?.doors.unknownDestinations.length ?? 0,
    policyVersion: parts.policies.policy.version,
    workers: config.workers,
  };
}

/** The state of the threads that answer. Names of unknown destinations are told elsewhere. */
export function threadsShown(serving: Serving | null): object | null {
  if (serving === null) return null;
  const state = serving.state();
  const { unknownDestinations, ...doors } = state.doors;
  return { ...state, doors: { ...doors, unknownDestinationCount: unknownDestinations.length } };
}
