/**
 * Remembers what this process has signed of the audit trail, and whether it refuses to sign more.
 * @module
 */
import { isForked, type Ledger } from '../../ledger/index.js';
import type { EventLog } from './event-log.js';
import { Setting } from './log-events.js';

export interface TrailState {
  /** Checkpoints signed since the start. */
  readonly checkpointCount: number;
  /** Number of the last entry that was signed; `null`: none was. */
  readonly signedN: number | null;
  /** The trail does not go on from what was signed: nothing more is, until it does. */
  readonly isRefused: boolean;
}

export class TrailWatch {
  #state: TrailState = { checkpointCount: 0, signedN: null, isRefused: false };

  constructor(private readonly log: EventLog) {}

  get state(): TrailState {
    return this.#state;
  }

  /** From now on; nothing ends it, as the ledger ends with the process. */
  watch(ledger: Pick<Ledger, 'on'>): void {
    ledger.on('checkpoint', ({ ledgerId, n, head }) => {
      this.#state = { checkpointCount: this.#state.checkpointCount + 1, signedN: n, isRefused: false };
      this.log.event('audit.checkpoint', { head: new Setting(`${n}:${head}`), ledger: new Setting(ledgerId) });
    });
    ledger.on('failure', (error) => {
      if (!isForked(error) || this.#state.isRefused) return;
      this.#state = { ...this.#state, isRefused: true };
      this.log.failure('audit.refused', error);
    });
  }
}
