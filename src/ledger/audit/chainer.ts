/**
 * The chainer: chains the audit trail at an interval while this process is the sequencer, and once more at the end.
 *
 * It is apart from the sequencer's own loop, so that a trail that cannot be chained holds no opt-out up. Correct whoever
 * runs it, and however many do (chain-step.ts); who leads is asked only to spare the work.
 * @module
 */
import { GateError } from '../../core/errors.js';
import type { Transactor } from '../database.js';
import { CHAIN_ROWS_MAX, type ChainOptions, chainAll, chainStep, hasChainWork } from './chain-step.js';

/** How often rows that have come in are chained. */
export const CHAIN_EVERY_MS = 500;

export class Chainer {
  readonly #timer: NodeJS.Timeout;
  #working: Promise<void> | null = null;
  #hasFailed = false;

  constructor(
    private readonly database: Transactor,
    private readonly options: ChainOptions,
    private readonly isDue: () => boolean,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.#timer = setInterval(() => this.#tick(), CHAIN_EVERY_MS);
    this.#timer.unref();
  }

  /** Chains what there is, with a checkpoint, unless another process does or the database is gone. Never throws. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
    if (this.isDue() && !this.#hasFailed) await chainAll(this.database, this.options).catch(this.onFailure);
  }

  #tick(): void {
    if (this.#working !== null || !this.isDue()) return;
    this.#working = this.#work()
      .then(() => {
        this.#hasFailed = false;
      })
      .catch((error: unknown) => {
        this.#hasFailed = true;
        this.onFailure(error);
      })
      .finally(() => {
        this.#working = null;
      });
  }

  async #work(): Promise<void> {
    const { rowsMax = CHAIN_ROWS_MAX } = this.options;
    if (!(await hasChainWork(this.database, this.options))) return;
    for (let count = rowsMax; count === rowsMax; ) {
      const step = await chainStep(this.database, this.options);
      if (step.damagedCount > 0)
        this.onFailure(new GateError('ledger.damaged', 'a row of the audit trail is no entry'));
      count = step.count;
    }
  }
}
