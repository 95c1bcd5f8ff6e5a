/**
 * Puts snapshots of the ledger into the object store, and keeps the stream as long as it should be: never without what
 * comes after the newest snapshot.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ReadableStream } from 'node:stream/web';
import { GateError } from '../core/errors.js';
import { type Signer, SuppressionTable } from '../core/suppression/index.js';
import { writeSnapshotFile } from '../snapshot-file.js';
import type { Clock } from './clock.js';
import type { NatsLink } from './nats-connect.js';
import { type NatsNames, SNAPSHOT_OBJECT } from './nats-names.js';
import { findSnapshot, type StoredSnapshot, snapshotMetadata } from './nats-object.js';
import type { ChangeWriter } from './nats-writer.js';
import { hashFile } from './relay-snapshot.js';
import type { LedgerFeed } from './source.js';

const PIECE_BYTES = 128 * 1024;
const READ_BYTES = 2 ** 20;
/** Age from which a file is taken to be left behind. */
const LEFTOVER_AGE_MS = 3_600_000;
/** Share of its limit from which the stream is cut back to the newest snapshot. */
const TRIM_FROM = 0.75;

export interface UploadOptions {
  readonly feed: LedgerFeed;
  readonly folder: string;
  readonly signer: Signer | undefined;
  readonly replicas: number;
  readonly streamBytesMax: number;
  readonly streamAgeMsMax: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export class SnapshotUploads {
  /** What is in the bucket, as last seen. */
  current: StoredSnapshot | null = null;

  constructor(
    private readonly link: NatsLink,
    private readonly names: NatsNames,
    private readonly writer: ChangeWriter,
    private readonly options: UploadOptions,
  ) {}

  /** Looks into the bucket. A thing in there that is no snapshot counts for none. Throws a GateError. */
  async look(): Promise<StoredSnapshot | null> {
    await this.ask(() => this.link.createBucket(this.names.bucket, this.options.replicas));
    this.current = await findSnapshot(this.link, this.names).catch((error: unknown) => {
      if (error instanceof GateError && error.code === 'sync.protocol') return null;
      throw error;
    });
    return this.current;
  }

  /** Builds a snapshot and puts it in the place of the one that is there. Throws a GateError. */
  async renew(): Promise<StoredSnapshot> {
    const { feed, folder, signer, clock, signal } = this.options;
    const { share, position } = await feed.buildTable(signal);
    const table = SuppressionTable.attach(share);
    const path = join(folder, `upload-${position.seq}-${randomBytes(6).toString('hex')}.ogs`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o750 });
      await removeLeftovers(folder, clock.wallMs());
      await writeSnapshotFile(path, table, clock.wallMs(), signer === undefined ? {} : { signer });
      const sha256 = Buffer.from(await hashFile(path)).toString('hex');
      const place = await this.writer.stream.locate(position, null);
      const streamSeq = place.kind === 'found' ? place.streamSeq : 0;
      await this.put(path, snapshotMetadata({ position, entryCount: table.entryCount, sha256, streamSeq }));
    } catch (error) {
      throw error instanceof GateError ? error : new GateError('snapshot.io', undefined, { cause: error });
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
    const stored = await this.look();
    if (stored === null) throw new GateError('sync.unavailable', 'the snapshot was removed at once');
    return stored;
  }

  /**
   * Cuts the stream back if it is too long or too old, as far as a snapshot reaches that is there at this moment. False if
   * there is none that reaches into the stream: then one has to be made.
   */
  async trim(): Promise<boolean> {
    const { bytes, firstSeq, firstAtMs } = await this.writer.state();
    const snapshot = await this.look();
    if (snapshot === null) return false;
    const place = await this.writer.stream.locate(snapshot.position, snapshot.streamSeq);
    if (place.kind !== 'found') return false;
    const { streamBytesMax, streamAgeMsMax, clock } = this.options;
    const { lastStreamSeq } = this.writer;
    if (bytes > streamBytesMax * TRIM_FROM) {
      await this.writer.trim(place.streamSeq + 1);
    } else if (clock.wallMs() - firstAtMs > streamAgeMsMax && firstSeq < place.streamSeq) {
      const isYoung = (atMs: number) => clock.wallMs() - atMs <= streamAgeMsMax;
      const young = await this.writer.stream.search(firstSeq, lastStreamSeq, ({ storedAtMs }) => isYoung(storedAtMs));
      await this.writer.trim(Math.min(young, place.streamSeq + 1));
    }
    return true;
  }

  private async put(path: string, metadata: Record<string, string>): Promise<void> {
    const bucket = await this.ask(() => this.link.createBucket(this.names.bucket, this.options.replicas));
    // also of one that was removed: that has a place, too
    const previousRevision = (await this.ask(() => bucket.info(SNAPSHOT_OBJECT)))?.revision ?? 0;
    const meta = { name: SNAPSHOT_OBJECT, metadata, options: { max_chunk_size: PIECE_BYTES } };
    const file = await open(path, 'r');
    try {
      await this.ask(() => bucket.put(meta, contentOf(file, this.options.signal), { previousRevision }));
    } finally {
      await file.close();
    }
  }

  private async ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.link.asError(error);
    }
  }
}

/** Files of publishers that were killed: what is older than an hour is nobody's any more. */
async function removeLeftovers(folder: string, wallMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^upload-\d+-[0-9a-f]{12}\.ogs$/.test(name)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (wallMs - mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true }).catch(() => {});
  }
}

/** A file as a stream that is read when it is asked for, until the signal is given. */
function contentOf(file: FileHandle, signal: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (signal.aborted) throw new GateError('sync.closed');
      const { buffer, bytesRead } = await file.read(new Uint8Array(READ_BYTES));
      if (bytesRead === 0) controller.close();
      else controller.enqueue(buffer.subarray(0, bytesRead));
    },
  });
}
