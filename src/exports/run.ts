/**
 * One run: a file in, a file out, and the proof of what left.
 *
 * What must stay true, wherever it is stopped: under the final name there is no file, or a complete one that was recorded
 * before; and nobody is in it whose opt-out the set held at `seqEnd`. Rows are judged by the set as it is when they are read,
 * so when it has moved by the end of a pass, what was kept is filtered once more, until it stands still or the passes
 * are used up; then `seqEnd` is what the last pass began with.
 * @module
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { GateError } from '../core/errors.js';
import type { TableHolder } from '../core/suppression/index.js';
import { AtomicFile, removeLeftovers } from './atomic-file.js';
import { tableOf } from './filter.js';
import { LineageBuilder, LineageFile } from './lineage-file.js';
import {
  LINEAGE_SUFFIX,
  MANIFEST_SUFFIX,
  type Manifest,
  type ManifestFile,
  type ManifestRows,
  manifestJson,
  manifestOf,
  manifestRows,
  type PassCounts,
  type RunFacts,
} from './manifest.js';

/** Passes over the rows at most, the first included. */
export const PASSES_MAX = 6;
/** Bytes read from a file at a time. */
const READ_BYTES = 1024 * 1024;

/** The set that rows are judged by. */
export interface ExportSet {
  /** Of the table in use: what fingerprints are made with. */
  readonly seed: bigint;
  readonly epoch: string;
  readonly seq: number;
  /** Waits until the table has everything that is in the ledger now, and gives its seq. @throws {GateError}. */
  catchUp(): Promise<number>;
}

/** What a run asks of the set besides catching up, of the table in use at that moment. */
export function setInUse(holder: TableHolder): Omit<ExportSet, 'catchUp'> {
  return {
    get seed() {
      return tableOf(holder).seed;
    },
    get epoch() {
      return tableOf(holder).epoch;
    },
    get seq() {
      return tableOf(holder).seq;
    },
  };
}

export interface PassHooks {
  /** The input is what an earlier pass has kept: rows without identifiers were let pass on purpose, and stay. */
  readonly isRecheck: boolean;
  /** Of rows that stay, after they were given out. */
  onFingerprints(fingerprints: BigUint64Array): void;
}

/** A filter made ready: judges rows by the set as it is while they are read. */
export type Pass = (
  input: AsyncIterable<Uint8Array>,
  hooks: PassHooks,
) => { readonly output: AsyncIterable<Uint8Array>; readonly done: Promise<PassCounts> };

export interface RunOptions extends RunFacts {
  readonly input: string;
  readonly output: string;
  readonly pass: Pass;
  readonly set: ExportSet;
  /** Filter what was kept again where the set has moved. Default: true. */
  readonly recheck?: boolean;
  /**
   * Keeps the manifest and the index for good; called before the output gets its name. Without it the index is left beside
   * the output, as a lineage file.
   */
  readonly record?: (manifest: Manifest, index: AsyncIterable<BigInt64Array>) => Promise<unknown>;
  /** Count and throw everything away: nothing is written or recorded. */
  readonly isDryRun?: boolean;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  onProgress?(progress: RunProgress): void;
}

export interface RunProgress {
  /** From 1. */
  readonly passNumber: number;
  readonly bytesRead: number;
  /** Bytes of what this pass reads. */
  readonly bytesTotal: number;
}

/**
 * Runs an export; resolves when the output has its name.
 * @throws {GateError} `export.io`, `export.same_file`, `export.set_replaced`; what the filter, the set and `record` throw, and
 * the reason of `signal`. In all these cases there is no output, or the one that was there before.
 */
export async function runExport(options: RunOptions): Promise<Manifest> {
  const run = new Run(options);
  try {
    return await run.run();
  } catch (error) {
    await run.discard();
    options.signal?.throwIfAborted();
    throw asExportError(error);
  }
}

interface Written {
  /** `null` in a dry run. */
  readonly file: AtomicFile | null;
  readonly lineage: LineageBuilder | null;
  readonly sha256: string;
  readonly bytes: number;
}

class Run {
  readonly #options: RunOptions;
  readonly #now: () => number;
  /** What is to be removed if the run fails. */
  readonly #made = new Set<{ discard(): Promise<void> }>();
  #passCount = 0;
  #inputBytes = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async run(): Promise<Manifest> {
    const { input, output, set, terms, isDryRun = false, recheck = true } = this.#options;
    const startedAtMs = this.#now();
    await refuseSameFile(input, output);
    if (!isDryRun)
      for (const suffix of ['', MANIFEST_SUFFIX, LINEAGE_SUFFIX])
        await removeLeftovers(`${output}${suffix}`, startedAtMs);
    const { seed, epoch } = set;
    const seqStart = await set.catchUp();
    const inputHash = createHash('sha256');
    let { counts, written } = await this.#pass(input, inputHash);
    let rows = manifestRows(counts);
    let seqEnd = seqStart;
    while (recheck && !isDryRun && terms.rightsMask !== 0 && this.#passCount < PASSES_MAX) {
      const seq = await set.catchUp();
      if (seq === seqEnd && set.epoch === epoch) break;
      const before = written;
      ({ counts, written } = await this.#pass(before.file?.temporaryPath ?? '', null));
      await this.#drop(before);
      rows = recheckedRows(rows, counts);
      seqEnd = seq;
    }
    if (set.seed !== seed) throw new GateError('export.set_replaced');
    return this.#finish({ startedAtMs, seqStart, seqEnd, rows, written, inputSha256: inputHash.digest('hex') });
  }

  /** Removes everything that has no final name. Never throws. */
  async discard(): Promise<void> {
    await Promise.all(Array.from(this.#made, (one) => one.discard()));
  }

  /** Filters a file into a temporary one. */
  async #pass(path: string, inputHash: Hash | null): Promise<{ counts: PassCounts; written: Written }> {
    const { pass, output, runId, isDryRun = false, signal } = this.#options;
    const passNumber = ++this.#passCount;
    const file = isDryRun ? null : this.#keep(await AtomicFile.create(output, `${runId}-${passNumber}`));
    const lineage =
      file === null ? null : this.#keep(new LineageBuilder(`${file.temporaryPath.slice(0, -4)}-index.tmp`));
    const hash = createHash('sha256');
    let bytes = 0;
    const filtering = pass(this.#read(path, passNumber, inputHash), {
      isRecheck: passNumber > 1,
      onFingerprints: (fingerprints) => lineage?.add(fingerprints),
    });
    filtering.done.catch(() => {}); // looked at below, unless writing fails first
    for await (const chunk of filtering.output) {
      signal?.throwIfAborted();
      hash.update(chunk);
      bytes += chunk.length;
      await file?.write(chunk);
      await lineage?.settled();
    }
    const counts = await filtering.done;
    await file?.seal();
    return { counts, written: { file, lineage, sha256: hash.digest('hex'), bytes } };
  }

  async *#read(path: string, passNumber: number, hash: Hash | null): AsyncGenerator<Uint8Array> {
    const { signal, onProgress } = this.#options;
    const bytesTotal = (await stat(path)).size;
    let bytesRead = 0;
    const stream = createReadStream(path, { highWaterMark: READ_BYTES, ...(signal === undefined ? {} : { signal }) });
    for await (const chunk of stream) {
      const bytes = chunk as Uint8Array;
      hash?.update(bytes);
      bytesRead += bytes.length;
      if (passNumber === 1) this.#inputBytes = bytesRead;
      yield bytes;
      onProgress?.({ passNumber, bytesRead, bytesTotal });
    }
  }

  async #finish(end: {
    startedAtMs: number;
    seqStart: number;
    seqEnd: number;
    rows: ManifestRows;
    written: Written;
    inputSha256: string;
  }): Promise<Manifest> {
    const { input, output, set, isDryRun = false } = this.#options;
    const { startedAtMs, seqStart, seqEnd, rows, written, inputSha256 } = end;
    const manifest = manifestOf(this.#options, {
      set: { epoch: set.epoch, seqStart, seqEnd, passes: this.#passCount },
      startedAtMs,
      finishedAtMs: this.#now(),
      input: fileOf(input, this.#inputBytes, inputSha256),
      output: fileOf(output, written.bytes, written.sha256),
      rows,
      fingerprintCount: (await written.lineage?.finish(set.seed)) ?? 0,
    });
    if (!isDryRun) await this.#publish(manifest, written);
    return manifest;
  }

  /** Recorded first, then the manifest, then the output: what has left without a trace is worse than a trace of nothing. */
  async #publish(manifest: Manifest, { file, lineage }: Written): Promise<void> {
    const { output, runId, record, set, signal } = this.#options;
    if (file === null || lineage === null) throw new Error('unreachable: a run that is no dry run writes');
    const proof = this.#keep(await AtomicFile.create(`${output}${MANIFEST_SUFFIX}`, runId));
    await proof.write(manifestJson(manifest));
    await proof.seal();
    signal?.throwIfAborted();
    if (record === undefined) await lineage.publish(`${output}${LINEAGE_SUFFIX}`);
    else await recordIndex(lineage.path, set.seed, (index) => record(manifest, index));
    await proof.publish();
    await file.publish();
    await lineage.discard();
  }

  #keep<T extends { discard(): Promise<void> }>(made: T): T {
    this.#made.add(made);
    return made;
  }

  async #drop({ file, lineage }: Written): Promise<void> {
    await file?.discard();
    await lineage?.discard();
  }
}

/** Lets `record` read a lineage file. */
export async function recordIndex(
  path: string,
  seed: bigint,
  record: (index: AsyncIterable<BigInt64Array>) => Promise<unknown>,
): Promise<void> {
  const index = await LineageFile.open(path, seed);
  try {
    await record(index.fingerprints());
  } finally {
    await index.close();
  }
}

/** The counts after another pass. Rows that were blanked before come in again, and count as kept in that pass. */
function recheckedRows(rows: ManifestRows, counts: PassCounts): ManifestRows {
  const found = counts.droppedSuppressed + counts.rowsBlanked;
  const byKind: Record<string, number> = { ...rows.byKind };
  for (const [kind, count] of Object.entries(counts.byKind)) byKind[kind] = (byKind[kind] ?? 0) + count;
  return {
    ...rows,
    kept: rows.kept - found,
    blanked: rows.blanked + counts.rowsBlanked,
    droppedSuppressed: rows.droppedSuppressed + counts.droppedSuppressed,
    suppressedOnRecheck: rows.suppressedOnRecheck + found,
    byKind,
  };
}

function fileOf(path: string, bytes: number, sha256: string): ManifestFile {
  return { name: basename(path), bytes, sha256 };
}

async function refuseSameFile(input: string, output: string): Promise<void> {
  const source = await stat(input);
  const there = await stat(output).catch(() => null);
  if (there !== null && there.dev === source.dev && there.ino === source.ino) throw new GateError('export.same_file');
}

/** What the system or a decompressor threw, as one of ours; anything else as it is. */
function asExportError(error: unknown): unknown {
  const { syscall, code } = Object(error) as NodeJS.ErrnoException;
  const isOfSystem = typeof syscall === 'string' || (typeof code === 'string' && code.startsWith('Z_'));
  return isOfSystem ? new GateError('export.io', undefined, { cause: error }) : error;
}
