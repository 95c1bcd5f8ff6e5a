/**
 * Entries of the audit trail for what is done to the sidecar itself, and not in the ledger's tables.
 *
 * Each is written before what it tells of is answered; but a ledger that is away must not keep an operator from looking why, so
 * what cannot be written in time is done nevertheless, and `onUnrecorded` is told.
 * @module
 */
import type { Actor, AuditEvent, Ledger } from '../ledger/index.js';

/** Longest wait for an entry to be written. */
export const RECORD_MS_MAX = 2_000;

export interface TrailRecorderOptions {
  /** `null`: it cannot be reached. */
  readonly ledger: () => Ledger | null;
  /** Without one there is no trail. */
  readonly hasLedger: boolean;
  readonly onUnrecorded: (error: unknown) => void;
  readonly recordMsMax?: number;
}

export class TrailRecorder {
  constructor(private readonly options: TrailRecorderOptions) {}

  /** Never throws. Without an actor: the ledger's own. */
  async record(event: AuditEvent, actor?: Actor): Promise<void> {
    const { hasLedger, onUnrecorded, recordMsMax = RECORD_MS_MAX } = this.options;
    if (!hasLedger) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('late')), recordMsMax);
    });
    try {
      await Promise.race([this.#append(event, actor), late]);
    } catch (error) {
      onUnrecorded(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #append(event: AuditEvent, actor: Actor | undefined): Promise<void> {
    const ledger = this.options.ledger();
    if (ledger === null) throw new Error('away');
    await (actor === undefined ? ledger : ledger.actingAs(actor)).audit.append(event);
  }
}
