/**
 * One run: a file in, a file out, and the proof of what left.
 *
 * What must stay true, wherever it is stopped: under the final name there is no file, or a complete one that was recorded
 * before; and nobody is in it whose opt-out the set held at `seqEnd`. Rows are judged by the set as it is when they are asked for,
 * so when it has moved by the end of a pass, what was kept is filtered once more, until it stands still or the passes
 * are used up; then `seqEnd` is what the last pass began with.
 * @module
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { GateError } from '../core/errors.js';
import type { TableHolder } from '../core/suppression/index.js';
import { removeLeftovers } from '../temporary-files.js';
import { AtomicFile, EXPORT_LEFTOVER_AGE_MS } from './atomic-file.js';
import { type Compression, compressed } from './compression.js';
import { keepEarlierProof, removeEarlierIndex } from './earlier-proof.js';
import { fileHash, type Hashing } from './file-hash.js';
import { type FilterProgress, tableOf } from './filter.js';
import { InputFile, type InputFileOptions } from './input-file.js';
import { LineageBuilder, LineageFile } from './lineage-file.js';
import {
  LINEAGE_SUFFIX,
  MANIFEST_SUFFIX,
  type Manifest,
  type ManifestRows,
  manifestJson,
  manifestOf,
  manifestRows,
  type PassCounts,
  type RunFacts,
} from './manifest.js';

/** Passes over the rows at most, the first included. */
export const PASSES_MAX = 6;

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
  /** What is given out is no longer used when the next piece is asked for. */
  readonly isOutputLent: boolean;
  /** Of rows that stay, after they were given out. */
  onFingerprints(fingerprints: BigUint64Array): void;
  /** Of what was read so far; `bytesIn` counts where the file is read in place. */
  onProgress?(progress: FilterProgress): void;
}

/** A filter made ready: judges rows by the set as it is while they are read. */
export type Pass<Input = AsyncIterable<Uint8Array>> = (
  input: Input,
  hooks: PassHooks,
) => { readonly output: AsyncIterable<Uint8Array>; readonly done: Promise<PassCounts> };

export interface RunOptions extends RunFacts {
  readonly input: string;
  readonly output: string;
  /** Reads the input as rows, or in place. */
  readonly pass: Pass<InputFile>;
  /** How the files are compressed. Default: the input as its first bytes say, the output not at all. */
  readonly compression?: { readonly input?: Compression | undefined; readonly output: Compression };
  /** Of both files. Default: by threads of their own where the input is long. */
  readonly hashing?: 'here' | 'thread' | undefined;
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
  readonly rowsRead: number;
  /** Bytes on disk. */
  readonly bytesRead: number;
  /** Bytes on disk of what this pass reads; 0: nobody knows, since it is a pipe. */
  readonly bytesTotal: number;
}

/**
 * Runs an export; resolves when the output has its name.
 * @throws {GateError} `export.io`, `export.same_file`, `export.input_changed`, `export.set_replaced`; what the filter, the set and `record` throw, and
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
        await removeLeftovers(`${output}${suffix}`, startedAtMs, EXPORT_LEFTOVER_AGE_MS);
    const seqStart = await set.catchUp();
    const { seed, epoch } = set; // of the table that catching up has brought
    const { compression, hashing } = this.#options;
    const source = await this.#source(input, { compression: compression?.input, hashing });
    const refuseReplaced = () => {
      if (set.seed !== seed || set.epoch !== epoch) throw new GateError('export.set_replaced');
    };
    let { counts, written } = await this.#pass(source, source.hashing);
    refuseReplaced();
    const read = await source.finish();
    let rows = manifestRows(counts);
    let seqEnd = seqStart;
    while (recheck && !isDryRun && terms.rightsMask !== 0 && this.#passCount < PASSES_MAX) {
      const seq = await set.catchUp();
      refuseReplaced();
      if (seq === seqEnd) break;
      const before = written;
      await before.lineage?.discard(); // its memory is needed for the next one
      const sealed = sealing(before); // what is read below must not be what a disk has dropped
      const path = before.file?.temporaryPath ?? '';
      const kept = await this.#source(path, { compression: this.#packing, hashing: 'none' });
      ({ counts, written } = await this.#pass(kept, source.hashing));
      refuseReplaced();
      await sealed;
      await this.#drop(before);
      rows = recheckedRows(rows, counts);
      seqEnd = seq;
    }
    const sealed = sealing(written);
    const fingerprintCount = (await written.lineage?.finish(seed)) ?? 0; // sorts while the disk writes
    await sealed;
    refuseReplaced();
    const manifest = manifestOf(this.#options, {
      dryRun: isDryRun,
      set: { epoch, seqStart, seqEnd, passes: this.#passCount },
      startedAtMs,
      finishedAtMs: this.#now(),
      input: { name: basename(input), ...read },
      output: isDryRun ? null : { name: basename(output), bytes: written.bytes, sha256: written.sha256 },
      rows,
      fingerprintCount,
    });
    if (!isDryRun) await this.#publish(manifest, written, seed);
    return manifest;
  }

  /** Removes everything that has no final name. Never throws. */
  async discard(): Promise<void> {
    await Promise.all(Array.from(this.#made, (one) => one.discard()));
  }

  /** How the output is compressed. */
  get #packing(): Compression {
    return this.#options.compression?.output ?? 'none';
  }

  async #source(path: string, options: InputFileOptions): Promise<InputFile> {
    return this.#keep(await InputFile.open(path, { ...options, signal: this.#options.signal }));
  }

  /** Filters a file into a temporary one. */
  async #pass(source: InputFile, hashing: Hashing): Promise<{ counts: PassCounts; written: Written }> {
    const { pass, output, runId, isDryRun = false, signal } = this.#options;
    const passNumber = ++this.#passCount;
    const file = isDryRun ? null : this.#keep(await AtomicFile.create(output, `${runId}-${passNumber}`));
    const lineage =
      file === null ? null : this.#keep(new LineageBuilder(`${file.temporaryPath.slice(0, -4)}-index.tmp`));
    const hash = this.#keep(fileHash(isDryRun ? 'none' : hashing));
    let bytes = 0;
    const filtering = pass(source, {
      isRecheck: passNumber > 1,
      isOutputLent: isDryRun || this.#packing === 'none', // an engine is given pieces ahead
      onFingerprints: (fingerprints) => lineage?.add(fingerprints),
      onProgress: (progress) => this.#tell(passNumber, source, progress),
    });
    filtering.done.catch(() => {}); // looked at below, unless writing fails first
    for await (const chunk of compressed(filtering.output, isDryRun ? 'none' : this.#packing)) {
      signal?.throwIfAborted();
      bytes += chunk.length;
      await hash.update(chunk);
      await file?.write(chunk);
      await lineage?.settled();
    }
    const counts = await filtering.done;
    return { counts, written: { file, lineage, sha256: isDryRun ? '' : await hash.digest(), bytes } };
  }

  #tell(passNumber: number, { bytesStreamed, bytesTotal }: InputFile, { rowsIn, bytesIn }: FilterProgress): void {
    this.#options.onProgress?.({ passNumber, rowsRead: rowsIn, bytesRead: bytesStreamed ?? bytesIn, bytesTotal });
  }

  /** Recorded first, then the manifest, then the output: what has left without a trace is worse than a trace of nothing. */
  async #publish(manifest: Manifest, { file, lineage }: Written, seed: bigint): Promise<void> {
    const { output, runId, record, signal } = this.#options;
    if (file === null || lineage === null) throw new Error('unreachable: a run that is no dry run writes');
    const proof = this.#keep(await AtomicFile.create(`${output}${MANIFEST_SUFFIX}`, runId));
    await proof.write(manifestJson(manifest));
    await proof.seal();
    signal?.throwIfAborted();
    await keepEarlierProof(output);
    if (record === undefined) await lineage.publish(`${output}${LINEAGE_SUFFIX}`);
    else await recordIndex(lineage.path, seed, (index) => record(manifest, index));
    await proof.publish();
    await file.publish();
    await lineage.discard();
    if (record !== undefined) await removeEarlierIndex(output);
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

/** Begins to bring a file to disk. To be waited for; if nobody does, since something else went wrong, no matter. */
function sealing({ file }: Written): Promise<void> {
  const sealed = file?.seal() ?? Promise.resolve();
  sealed.catch(() => {});
  return sealed;
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
