/**
 * Downloads a relay's snapshot into a file, and goes on where it broke off.
 *
 * What is there of a file is kept over failures, also from one call to the next, and asked to be continued by its entity
 * tag; if the relay has another snapshot by then, that one is taken from its beginning. Every byte is hashed on its way.
 * @module
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Backoff } from '../backoff.js';
import { GateError } from '../core/errors.js';
import { type Clock, sleep } from './clock.js';
import { bodyOf, type HttpClient, type HttpLimits } from './http-client.js';
import { refusalOf } from './http-refusal.js';
import { parsePosition } from './position.js';
import { digestOfField, HEADERS, SNAPSHOT_PATH, SNAPSHOT_TYPE } from './relay-http.js';
import type { SnapshotRequest, SnapshotSummary } from './source.js';

/** Attempts in a row that bring nothing worth mentioning, after which the call fails. */
const IDLE_ATTEMPTS_MAX = 4;
const BACKOFF_CAP_MS = 1000;

/** A file on its way. */
interface Partial {
  readonly path: string;
  readonly entityTag: string;
  readonly totalBytes: number;
  /** Of the whole file, in hex, as the relay says; `null`: it does not. */
  readonly digest: string | null;
  readonly hash: Hash;
  bytes: number;
}

export class SnapshotDownload {
  private partial: Partial | null = null;
  /** Bytes taken from the network since the start. */
  receivedBytes = 0;

  constructor(
    private readonly client: HttpClient,
    private readonly limits: HttpLimits,
    private readonly clock: Clock,
  ) {}

  /** The path of the file, complete and as its hash says. Throws a GateError, and what `validate` throws. */
  async fetch(request: SnapshotRequest): Promise<string> {
    const backoff = new Backoff({ capMs: BACKOFF_CAP_MS });
    for (;;) {
      const before = this.receivedBytes;
      try {
        const partial = await this.attempt(request);
        this.partial = null;
        return await finished(partial);
      } catch (error) {
        if (this.receivedBytes - before >= this.limits.stallBytes) backoff.reset();
        if (!isWorthAnother(error) || backoff.failureCount >= IDLE_ATTEMPTS_MAX - 1) throw error;
        await sleep(this.clock, backoff.nextDelayMs(), request.signal);
      }
    }
  }

  /** Removes what is there of a file. Never throws. */
  async close(): Promise<void> {
    const { partial } = this;
    this.partial = null;
    if (partial !== null) await rm(partial.path, { force: true }).catch(() => {});
  }

  private async attempt(request: SnapshotRequest): Promise<Partial> {
    const known = this.partial;
    if (known !== null && known.bytes === known.totalBytes) return known;
    const { signal } = request;
    const headers =
      known === null || known.bytes === 0 ? {} : { range: `bytes=${known.bytes}-`, 'if-range': known.entityTag };
    const response = await this.client.send({ method: 'GET', path: SNAPSHOT_PATH, headers, signal });
    if (response.statusCode === 206 && known !== null && isContinuation(response, known)) {
      return this.receive(response, known, 'r+');
    }
    await this.close();
    if (response.statusCode !== 200) throw await refusalOf(response, this.limits, this.clock);
    const started = this.begin(response, request);
    this.partial = started;
    return this.receive(response, started, 'wx');
  }

  /** What the head of the answer says of the file. Throws what `validate` throws. */
  private begin(response: IncomingMessage, { folder, validate }: SnapshotRequest): Partial {
    try {
      const { headers } = response;
      const totalBytes = countOf(headers['content-length']);
      if (headers['content-type'] !== SNAPSHOT_TYPE || totalBytes === null) {
        throw new GateError('sync.protocol', 'no snapshot');
      }
      if (totalBytes > this.limits.snapshotBytesMax) {
        throw new GateError('snapshot.too_large', `${totalBytes} bytes, at most ${this.limits.snapshotBytesMax}`);
      }
      validate(summaryOf(response));
      return {
        path: join(folder, `.download-${randomBytes(6).toString('hex')}.tmp`),
        entityTag: headers.etag ?? '',
        totalBytes,
        digest: digestOfField(headers[HEADERS.digest]?.toString()),
        hash: createHash('sha256'),
        bytes: 0,
      };
    } catch (error) {
      response.destroy();
      throw error;
    }
  }

  private async receive(response: IncomingMessage, partial: Partial, flags: 'r+' | 'wx'): Promise<Partial> {
    const file = await openFile(partial.path, flags).catch(async (error: unknown) => {
      response.destroy();
      await this.close();
      throw error;
    });
    try {
      const bytesMax = partial.totalBytes - partial.bytes;
      for await (const piece of bodyOf(response, { ...this.limits, bytesMax }, this.clock)) {
        await writeAll(file, piece, partial.bytes);
        partial.hash.update(piece);
        partial.bytes += piece.length;
        this.receivedBytes += piece.length;
      }
    } finally {
      await file.close();
    }
    if (partial.bytes !== partial.totalBytes) throw new GateError('sync.unavailable', 'the snapshot broke off');
    return partial;
  }
}

/** Checks the hash. A file that is not what was announced is removed: none of it is of use. */
async function finished({ path, hash, digest }: Partial): Promise<string> {
  if (digest === null || hash.digest('hex') === digest) return path;
  await rm(path, { force: true }).catch(() => {});
  throw new GateError('snapshot.checksum', 'download');
}

function isContinuation({ headers }: IncomingMessage, { entityTag, bytes, totalBytes }: Partial): boolean {
  return headers.etag === entityTag && headers['content-range'] === `bytes ${bytes}-${totalBytes - 1}/${totalBytes}`;
}

function summaryOf({ headers }: IncomingMessage): SnapshotSummary {
  const position = parsePosition(`${headers[HEADERS.epoch]}.${headers[HEADERS.seq]}`);
  if (position === null) throw new GateError('sync.protocol', 'no position');
  return { position, entryCount: countOf(headers[HEADERS.entries]?.toString()) };
}

function countOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** A connection that broke off, or brought nothing for a while, may bring more the next time. */
function isWorthAnother(error: unknown): boolean {
  return error instanceof GateError && (error.code === 'sync.unavailable' || error.code === 'sync.deadline');
}

async function openFile(path: string, flags: 'r+' | 'wx'): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o640);
  } catch (cause) {
    throw new GateError('sync.store', undefined, { cause });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  } catch (cause) {
    throw new GateError('sync.store', undefined, { cause });
  }
}
