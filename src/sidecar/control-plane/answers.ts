/**
 * What the ledger says, in the words and forms of the API: moments as text, no unit in a name.
 * @module
 */
import type {
  AuditEntry,
  EnforcerStatus,
  IdentifierStatus,
  PendingOptIn,
  Propagation,
  Receipt,
  RequestRecord,
} from '../../ledger/index.js';
import { positionText } from '../../sync/index.js';
import type { Answer } from './schemas.js';

export function receiptAnswer(receipt: Receipt): Answer<'Receipt'> {
  const { requestId, token, receivedAtMs, noAskUntil, identifierCount, isRepeat } = receipt;
  return { requestId, token, receivedAt: timeOf(receivedAtMs), noAskUntil, identifierCount, repeat: isRepeat };
}

export function pendingAnswer(pending: PendingOptIn): Answer<'PendingOptIn'> {
  const { requestId, confirmation, confirmByMs, status, isRepeat } = pending;
  return { requestId, confirmation, confirmBy: timeOf(confirmByMs), status, repeat: isRepeat };
}

export function recordAnswer(record: RequestRecord): Answer<'RequestRecord'> {
  const { receivedAtMs, confirmByMs, dueAtMs, compliedAtMs, rights, ...same } = record;
  const due = { dueAt: timeOrNull(dueAtMs), compliedAt: timeOrNull(compliedAtMs) };
  const moments = { receivedAt: timeOf(receivedAtMs), confirmBy: timeOrNull(confirmByMs), ...due };
  return { ...same, rights: rights === null ? null : [...rights], ...moments };
}

export function auditEntryAnswer(entry: AuditEntry): Answer<'AuditEntries'>['entries'][number] {
  return { ...entry, body: { ...entry.body } };
}

export function identifierAnswer(status: IdentifierStatus): Answer<'IdentifierStatus'> {
  const { rights, sinceMs, noAskUntil, token, requests } = status;
  return {
    rights: [...rights],
    since: timeOrNull(sinceMs),
    noAskUntil,
    token,
    requests: requests.map(({ isInForce, receivedAtMs, dueAtMs, ...same }) => ({
      ...same,
      inForce: isInForce,
      receivedAt: timeOf(receivedAtMs),
      dueAt: timeOrNull(dueAtMs),
    })),
  };
}

export function propagationAnswer(propagation: Propagation): Answer<'Propagation'> {
  const { receivedAtMs, processedAtMs, inForceEverywhereAtMs, enforcers, ...same } = propagation;
  return {
    ...same,
    receivedAt: timeOf(receivedAtMs),
    processedAt: timeOrNull(processedAtMs),
    inForceEverywhereAt: timeOrNull(inForceEverywhereAtMs),
    enforcers: enforcers.map(({ id, name, role, inForceAtMs, isSilent, isRetired, isLater }) => ({
      ...{ id, name, role },
      inForceAt: timeOrNull(inForceAtMs),
      silent: isSilent,
      retired: isRetired,
      later: isLater,
    })),
  };
}

export function enforcersAnswer(enforcers: readonly EnforcerStatus[]): Answer<'Enforcers'> {
  return {
    enforcers: enforcers.map(({ position, registeredAtMs, lastSeenAtMs, retiredAtMs, isSilent, ...same }) => ({
      ...same,
      position: position === null ? null : positionText(position),
      silent: isSilent,
      registeredAt: timeOf(registeredAtMs),
      lastSeenAt: timeOf(lastSeenAtMs),
      retiredAt: timeOrNull(retiredAtMs),
    })),
  };
}

export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : timeOf(ms);
}
