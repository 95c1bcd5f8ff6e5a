/**
 * The decision log as the configuration has it.
 * @module
 */
import type { SidecarConfig } from './config-settings.js';
import { DecisionLog, DecisionSpool, type EventLog } from './observe/index.js';

/** `null`: there is none. @throws {GateError} for a folder that cannot be used. */
export async function openDecisionLog(config: SidecarConfig, log: EventLog): Promise<DecisionLog | null> {
  if (config['decisionLog.sample'] === null) return null;
  const folder = config['decisionLog.spoolFolder'];
  const spool =
    folder === null
      ? null
      : await DecisionSpool.open({
          folder,
          totalBytesMax: config['decisionLog.spoolBytesMax'],
          onFailure: (error) => log.failure('decision_log.failed', error),
        });
  const [entriesMax, bytesMax] = [config['decisionLog.entriesMax'], config['decisionLog.bytesMax']];
  return new DecisionLog({ entriesMax, bytesMax, spool });
}
