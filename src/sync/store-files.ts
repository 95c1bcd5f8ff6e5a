/**
 * What lies in an enforcer's folder.
 *
 *     optgate.lock   the process that has the folder
 *     <seq>.ogs      a snapshot: the set after that seq
 *     <seq>.ogd      a tail: frames as they were received, one after the other, the first entry of which follows that seq
 *     fresh          up to which seq, and when, the set was last known to be complete
 *     incoming/      downloads in progress
 *
 * A generation is a snapshot and all tails that go on from it. Snapshots and `fresh` carry their epoch.
 * @module
 */
import { constants, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

export const LOCK_NAME = 'optgate.lock';
export const FRESH_NAME = 'fresh';
export const INCOMING_NAME = 'incoming';

/** Digits of a seq in a name: all there can be, so that names sort as numbers do. */
const SEQ_DIGITS = 16;
/** Snapshots that were being written, and locks that were being taken. */
const UNFINISHED = [/^\.\d+\.ogs\.[0-9a-f]+\.tmp$/, /^optgate\.lock\.[0-9a-f]+$/];
const FRESH_MAGIC = 0x3146474f; // "OGF1"
const FRESH_BYTES = 64;
const EPOCH_BYTES_MAX = 36;

/** `fresh`: a table of this epoch that holds everything up to `seq` was complete at `freshAtMs`. */
export interface FreshRecord {
  readonly epoch: string;
  readonly seq: number;
  /** Wall clock of this machine, ms since 1970; `null`: nobody said. */
  readonly freshAtMs: number | null;
}

export interface FolderContent {
  /** Seqs of the snapshots, ascending. */
  readonly snapshots: readonly number[];
  /** Seqs that the tails follow, ascending. */
  readonly tails: readonly number[];
}

export function snapshotPath(folder: string, seq: number): string {
  return join(folder, `${String(seq).padStart(SEQ_DIGITS, '0')}.ogs`);
}

export function tailPath(folder: string, seq: number): string {
  return join(folder, `${String(seq).padStart(SEQ_DIGITS, '0')}.ogd`);
}

/** Makes the folder, and an empty one for downloads in it. */
export async function prepareFolder(folder: string): Promise<void> {
  const incoming = join(folder, INCOMING_NAME);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  await rm(incoming, { recursive: true, force: true });
  await removeUnfinished(folder);
  await mkdir(incoming, { mode: 0o750 });
}

export async function listFolder(folder: string): Promise<FolderContent> {
  const names = await readdir(folder);
  const seqsOf = (extension: string): readonly number[] =>
    names
      .filter((name) => name.length === SEQ_DIGITS + extension.length && name.endsWith(extension))
      .map((name) => name.slice(0, SEQ_DIGITS))
      .filter((digits) => /^\d+$/.test(digits) && Number.isSafeInteger(Number(digits)))
      .map(Number)
      .sort((a, b) => a - b);
  return { snapshots: seqsOf('.ogs'), tails: seqsOf('.ogd') };
}

/**
 * Removes every snapshot but `keptSeqs`, and every tail that ends before the first of them.
 * @param tailSeq Where the tail that is being written starts; it may have no file yet.
 */
export async function removeUnneeded(folder: string, keptSeqs: readonly number[], tailSeq: number): Promise<void> {
  await removeUnfinished(folder);
  const { snapshots, tails } = await listFolder(folder);
  for (const seq of snapshots) if (!keptSeqs.includes(seq)) await rm(snapshotPath(folder, seq), { force: true });
  const oldestSeq = Math.min(...keptSeqs);
  for (const startSeq of tails) {
    // a tail ends where the next one starts
    const isNeeded = ![...tails, tailSeq].some((other) => other > startSeq && other <= oldestSeq);
    if (isNeeded) continue;
    await rm(tailPath(folder, startSeq), { force: true });
  }
}

/** What a writer that was killed has left; while nobody writes. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (UNFINISHED.some((pattern) => pattern.test(name))) await rm(join(folder, name), { force: true });
  }
}

/** Writes over the start of a file, which is made if it is not there: a small one is written whole or not at all. */
export async function overwriteFile(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o640);
  try {
    await handle.write(bytes, 0, bytes.length, 0);
  } finally {
    await handle.close();
  }
}

/** Makes the content of a file last. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The record's bytes: magic, checksum, seq, freshAtMs, length of the epoch, epoch. */
export function encodeFresh({ epoch, seq, freshAtMs }: FreshRecord): Uint8Array {
  const bytes = new Uint8Array(FRESH_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, FRESH_MAGIC, true);
  view.setBigUint64(8, BigInt(seq), true);
  view.setBigUint64(16, BigInt(freshAtMs ?? 0), true);
  view.setUint8(24, epoch.length);
  for (let index = 0; index < epoch.length; index++) bytes[25 + index] = epoch.charCodeAt(index);
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

/** What {@link encodeFresh} wrote; `null` for anything else. */
export function decodeFresh(bytes: Uint8Array): FreshRecord | null {
  if (bytes.length !== FRESH_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== FRESH_MAGIC || view.getUint32(4, true) !== crc32(bytes.subarray(8))) return null;
  const [seq, freshAtMs] = [Number(view.getBigUint64(8, true)), Number(view.getBigUint64(16, true))];
  const epochBytes = view.getUint8(24);
  if (!Number.isSafeInteger(seq) || !Number.isSafeInteger(freshAtMs) || epochBytes > EPOCH_BYTES_MAX) return null;
  const epoch = String.fromCharCode(...bytes.subarray(25, 25 + epochBytes));
  return { epoch, seq, freshAtMs: freshAtMs === 0 ? null : freshAtMs };
}
