/**
 * Changes: what one entry of the ledger's log does to each of its keys, as records of 20 bytes.
 *
 *     0  high         4   mixed key; its low 25 bits are never all zero
 *     4  low          4   mixed key; never zero
 *     8  version      8   of the key, from 1; below 2^53
 *     16 tag          1   kind of the key, 1 to 31
 *     17 rightsBefore 1   rights at the version before, 0 to 127
 *     18 rights       1   rights at this version, 0 to 127
 *     19 flags        1   bit 0: derived
 *
 * Little-endian, whatever the machine. Records are read in place: get a {@link changesView} once for a list, then the
 * fields one by one, with `at` counting up by {@link CHANGE_BYTES}. Nothing is allocated per record.
 * @module
 */
import { GateError } from '../errors.js';
import { RIGHTS_ALL } from '../vocabulary.js';

export const CHANGE_BYTES = 20;
/** Changes in one entry at most. */
export const ENTRY_CHANGES_MAX = 4096;
/** Flag: the key is a digest of a clear value whose own key is entered too. */
export const CHANGE_DERIVED = 1;

const TAG_MAX = 31;
/** The part of `high` that is stored in a slot as the fingerprint. */
const HIGH_FINGERPRINT = 0x1ffffff;
const AT = { high: 0, low: 4, version: 8, versionHigh: 12, tag: 16, rightsBefore: 17, rights: 18, flags: 19 } as const;

/** One change, for code where speed does not matter. */
export interface Change {
  /** The mixed key as it is stored. Read as signed 32-bit integers; either sign is written. */
  readonly high: number;
  readonly low: number;
  readonly version: number;
  readonly tag: number;
  readonly rightsBefore: number;
  readonly rights: number;
  readonly isDerived: boolean;
}

/** The records of some changes. Throws a RangeError for a change that cannot be. */
export function writeChanges(changes: readonly Change[]): Uint8Array {
  const bytes = new Uint8Array(changes.length * CHANGE_BYTES);
  const view = changesView(bytes);
  for (const [index, change] of changes.entries()) {
    const at = index * CHANGE_BYTES;
    view.setInt32(at + AT.high, change.high, true);
    view.setInt32(at + AT.low, change.low, true);
    view.setUint32(at + AT.version, change.version, true);
    view.setUint32(at + AT.versionHigh, change.version / 2 ** 32, true);
    view.setUint8(at + AT.tag, change.tag);
    view.setUint8(at + AT.rightsBefore, change.rightsBefore);
    view.setUint8(at + AT.rights, change.rights);
    view.setUint8(at + AT.flags, change.isDerived ? CHANGE_DERIVED : 0);
    if (!isWritten(view, at, change)) throw new RangeError(`expected legal changes, got another at ${index}`);
  }
  return bytes;
}

/** The changes of some records. Throws a GateError `delta.header` for what is no list of legal records. */
export function readChanges(bytes: Uint8Array): Change[] {
  checkChanges(bytes);
  const view = changesView(bytes);
  const changes: Change[] = [];
  for (let at = 0; at < bytes.length; at += CHANGE_BYTES) changes.push(changeAt(view, at));
  return changes;
}

/** Throws a GateError `delta.header` for what is no list of legal records. */
export function checkChanges(bytes: Uint8Array): void {
  if (bytes.length % CHANGE_BYTES !== 0 || !areChangesLegal(changesView(bytes), 0, bytes.length)) {
    throw new GateError('delta.header', 'changes');
  }
}

/** What the functions below read from. */
export function changesView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** HOT. The high mixed word of the record at `at`, signed. */
export function changeHigh(view: DataView, at: number): number {
  return view.getInt32(at + AT.high, true);
}

/** HOT. The low mixed word of the record at `at`, signed. */
export function changeLow(view: DataView, at: number): number {
  return view.getInt32(at + AT.low, true);
}

/** HOT. The key's version after this change. */
export function changeVersion(view: DataView, at: number): number {
  return view.getUint32(at + AT.version, true) + view.getUint32(at + AT.versionHigh, true) * 2 ** 32;
}

/** HOT. The tag of the key. */
export function changeTag(view: DataView, at: number): number {
  return view.getUint8(at + AT.tag);
}

/** HOT. The key's rights before this change. */
export function changeRightsBefore(view: DataView, at: number): number {
  return view.getUint8(at + AT.rightsBefore);
}

/** HOT. The key's rights after this change. */
export function changeRights(view: DataView, at: number): number {
  return view.getUint8(at + AT.rights);
}

/** HOT. True if the key is a digest of a clear value whose own key is entered too. */
export function changeIsDerived(view: DataView, at: number): boolean {
  return (view.getUint8(at + AT.flags) & CHANGE_DERIVED) !== 0;
}

/** @internal HOT. Whether every record from `from` to `to` is one that can be. */
export function areChangesLegal(view: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at += CHANGE_BYTES) {
    const version = view.getUint32(at + AT.version, true);
    const versionHigh = view.getUint32(at + AT.versionHigh, true);
    const tag = view.getUint8(at + AT.tag);
    if ((view.getInt32(at + AT.high, true) & HIGH_FINGERPRINT) === 0 || view.getInt32(at + AT.low, true) === 0)
      return false;
    if ((version | versionHigh) === 0 || versionHigh >= 2 ** 21) return false;
    if (tag === 0 || tag > TAG_MAX) return false;
    if (view.getUint8(at + AT.rightsBefore) > RIGHTS_ALL || view.getUint8(at + AT.rights) > RIGHTS_ALL) return false;
    if (view.getUint8(at + AT.flags) > CHANGE_DERIVED) return false;
  }
  return true;
}

function changeAt(view: DataView, at: number): Change {
  return {
    high: changeHigh(view, at),
    low: changeLow(view, at),
    version: changeVersion(view, at),
    tag: changeTag(view, at),
    rightsBefore: changeRightsBefore(view, at),
    rights: changeRights(view, at),
    isDerived: changeIsDerived(view, at),
  };
}

/** Whether the record says what it was written from: numbers that do not fit come back as others. */
function isWritten(view: DataView, at: number, change: Change): boolean {
  const written = changeAt(view, at);
  return (
    areChangesLegal(view, at, at + CHANGE_BYTES) &&
    (written.high === change.high || written.high >>> 0 === change.high) &&
    (written.low === change.low || written.low >>> 0 === change.low) &&
    written.version === change.version &&
    written.tag === change.tag &&
    written.rightsBefore === change.rightsBefore &&
    written.rights === change.rights
  );
}
