/**
 * Reads the snapshot out of the object store, piece by piece, into a file.
 *
 * The client library pushes an object as fast as the server sends it, whatever becomes of it, and waits for a piece that
 * never comes for ever. So each piece is asked for on its own, a few ahead, with a deadline, where the object store keeps
 * it (ADR-20); what comes is hashed here.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectInfo, ObjectStore } from '@nats-io/obj';
import { Backoff } from '../backoff.js';
import { GateError } from '../core/errors.js';
import { type Clock, sleep } from './clock.js';
import type { NatsLink } from './nats-connect.js';
import { type NatsNames, SNAPSHOT_OBJECT } from './nats-names.js';
import { parsePosition } from './position.js';
import type { Position, SnapshotSummary } from './source.js';

/** Pieces asked for ahead. */
const PIECES_AHEAD = 8;
const BACKOFF_CAP_MS = 1000;

/** What the object says of itself; nothing of it is believed before the snapshot is verified. */
export interface StoredSnapshot {
  readonly objectId: string;
  readonly fileBytes: number;
  readonly position: Position;
  readonly entryCount: number;
  readonly sha256: string;
  /** Changes after the snapshot are behind this place in the stream. */
  readonly streamSeq: number;
  /** For replacing this one and no other. */
  readonly revision: number;
}

/** Metadata of an object: texts only. */
export function snapshotMetadata(snapshot: Pick<StoredSnapshot, 'position' | 'entryCount' | 'sha256' | 'streamSeq'>) {
  const { position, entryCount, sha256, streamSeq } = snapshot;
  const { epoch, seq } = position;
  return { epoch, seq: String(seq), entries: String(entryCount), sha256, streamSeq: String(streamSeq) };
}

/** The snapshot in the bucket; `null`: there is none. Throws a GateError. */
export async function findSnapshot(link: NatsLink, names: NatsNames): Promise<StoredSnapshot | null> {
  let info: ObjectInfo | null;
  try {
    const bucket: ObjectStore = await link.openBucket(names.bucket);
    info = await bucket.info(SNAPSHOT_OBJECT);
  } catch (error) {
    throw link.asError(error);
  }
  if (info === null || info.deleted) return null;
  const { epoch, seq, entries, sha256 = '', streamSeq } = info.metadata ?? {};
  const position = parsePosition(`${epoch}.${seq}`);
  const [entryCount, placeInStream] = [Number(entries), Number(streamSeq)];
  if (position === null || !/^[0-9a-f]{64}$/.test(sha256) || !isCount(entryCount) || !isCount(placeInStream)) {
    throw new GateError('sync.protocol', 'the object is no snapshot');
  }
  const { nuid, size, revision } = info;
  return { objectId: nuid, fileBytes: size, position, entryCount, sha256, streamSeq: placeInStream, revision };
}

export interface ObjectDownload {
  readonly folder: string;
  readonly bytesMax: number;
  validate(summary: SnapshotSummary): void;
  readonly signal: AbortSignal;
}

/**
 * Downloads a snapshot; returns the path of the file, whose hash is as announced. Throws a GateError: `sync.unavailable`
 * if the object was replaced or removed meanwhile, `snapshot.checksum`, `snapshot.too_large`, and what `validate` throws.
 */
export async function downloadSnapshot(
  link: NatsLink,
  names: NatsNames,
  snapshot: StoredSnapshot,
  download: ObjectDownload,
  clock: Clock,
): Promise<string> {
  const { fileBytes, position, entryCount, sha256 } = snapshot;
  if (fileBytes > download.bytesMax) {
    throw new GateError('snapshot.too_large', `${fileBytes} bytes, at most ${download.bytesMax}`);
  }
  download.validate({ position, entryCount });
  const path = join(download.folder, `.download-${randomBytes(6).toString('hex')}.tmp`);
  const hash = createHash('sha256');
  let written = 0;
  try {
    const file = await open(path, 'wx', 0o640).catch(asStoreError);
    try {
      for await (const piece of new Pieces(link, names, snapshot, clock, download.signal).all()) {
        hash.update(piece);
        await file.writeFile(piece).catch(asStoreError);
        written += piece.length;
      }
    } finally {
      await file.close();
    }
    if (written !== fileBytes || hash.digest('hex') !== sha256) throw new GateError('snapshot.checksum', 'download');
    return path;
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
}

/** The pieces of one object, in order. They lie one after the other in the stream, unless two were put at the same time. */
class Pieces {
  private readonly subject: string;
  private readonly ahead = new Map<number, Promise<{ readonly data: Uint8Array; readonly subject: string } | null>>();

  constructor(
    private readonly link: NatsLink,
    private readonly names: NatsNames,
    private readonly snapshot: StoredSnapshot,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {
    this.subject = names.chunks(snapshot.objectId);
  }

  async *all(): AsyncGenerator<Uint8Array> {
    let left = this.snapshot.fileBytes;
    for (let streamSeq = await this.find(1); left > 0; streamSeq++) {
      const last = Math.min(streamSeq + PIECES_AHEAD, this.snapshot.revision);
      for (let seq = streamSeq; seq < last; seq++) if (!this.ahead.has(seq)) this.ahead.set(seq, this.ask(seq));
      const message = await (this.ahead.get(streamSeq) ?? this.ask(streamSeq));
      this.ahead.delete(streamSeq);
      if (message?.subject === this.subject) {
        left -= message.data.length;
        yield message.data;
      } else if (message === null) {
        streamSeq = (await this.find(streamSeq)) - 1; // a gap, or the end of an object that was removed
        this.ahead.clear();
      }
    }
  }

  /** Where the first piece from a place on is. Throws if there is none: the object is gone. */
  private async find(streamSeq: number): Promise<number> {
    const message = await this.insist(() =>
      this.link.manager.direct.getMessage(this.names.objectStream, { seq: streamSeq, next_by_subj: this.subject }),
    );
    if (message === null) throw new GateError('sync.unavailable', 'the snapshot was replaced while it was read');
    return message.seq;
  }

  private ask(seq: number) {
    const asked = this.insist(() => this.link.manager.direct.getMessage(this.names.objectStream, { seq }));
    asked.catch(() => {}); // it is looked at when its turn comes
    return asked;
  }

  /** Asks again if a question got no answer, for a while. */
  private async insist<T>(ask: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({ capMs: BACKOFF_CAP_MS });
    const endMs = this.clock.monotonicMs() + this.link.limits.pieceMs;
    for (;;) {
      if (this.signal.aborted) throw new GateError('sync.closed');
      try {
        return await ask();
      } catch (error) {
        const failure = this.link.asError(error);
        if (failure.code === 'sync.refused' || this.clock.monotonicMs() >= endMs) throw failure;
        await sleep(this.clock, backoff.nextDelayMs(), this.signal);
      }
    }
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function asStoreError(cause: unknown): never {
  throw new GateError('sync.store', undefined, { cause });
}
