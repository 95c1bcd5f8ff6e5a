/**
 * The audit trail of an open ledger, as others use it.
 * @module
 */
import type { LedgerContext } from '../context.js';
import { type AuditEvent, appendAudit } from './append.js';
import { chainAll } from './chain-step.js';
import type { AuditEntry } from './entry.js';
import { type AuditHead, type AuditQuery, auditEntries, auditHead, auditLines } from './query.js';

export class AuditTrail {
  /** @internal Part of a ledger. */
  constructor(
    /** @internal */
    readonly context: LedgerContext,
  ) {}

  /**
   * Adds an entry of its own, for what is done outside the ledger's tables. What is done in them is told of in the same
   * transaction, by {@link appendAudit}.
   * @throws {TypeError} for an event that cannot be one; {GateError} `ledger.unavailable`.
   * @example await ledger.audit.append({ kind: 'tokens.reloaded', subject: null, body: { tokenCount: 3 } });
   */
  append(event: AuditEvent): Promise<void> {
    return appendAudit(this.context.database, this.context, event);
  }

  /** Where the trail ends. */
  head(): Promise<AuditHead> {
    return auditHead(this.context.database);
  }

  /** Entries by what they say, oldest first. Rows that are not chained yet are not among them. @throws {InputError} */
  entries(query: AuditQuery = {}): Promise<readonly AuditEntry[]> {
    return auditEntries(this.context.database, query);
  }

  /** The lines of entries up to a number, as an export has them, some thousands at a time. */
  lines(upTo: number): AsyncGenerator<readonly string[]> {
    return auditLines(this.context.database, upTo);
  }

  /** Chains what is not chained yet; else the process that leads does within a second. */
  chain(): Promise<void> {
    const { database, auditSigner: signer } = this.context;
    return chainAll(database, { signer });
  }
}
