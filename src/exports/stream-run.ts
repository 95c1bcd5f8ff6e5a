/**
 * A run from a stream to a stream: rows leave as they come, and the proof follows them.
 *
 * What has left cannot be taken back, so nothing is looked at twice: nobody leaves whose opt-out the set held when the row was
 * read, and of the set as it was at the start the manifest says so. The run is recorded before the stream is ended; whoever
 * receives it must throw away a stream that is not.
 * @module
 */
import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { EXPORT_LEFTOVER_AGE_MS } from './atomic-file.js';
import { LineageBuilder } from './lineage-file.js';
import { type Manifest, manifestOf, manifestRows, type RunFacts } from './manifest.js';
import { type ExportSet, type Pass, recordIndex } from './run.js';

/** Of the folders in which the indexes of runs are gathered, before six letters. */
const FOLDER_PREFIX = 'optgate-export-';

export interface StreamRunOptions extends RunFacts {
  readonly input: AsyncIterable<Uint8Array>;
  readonly pass: Pass;
  readonly set: Omit<ExportSet, 'catchUp'>;
  /** Called before a piece leaves and before the run is recorded: throws where the set may not be gone by any more. */
  readonly checkSet?: () => void;
  /** Takes a piece of the output; resolves when there is room for the next. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Keeps the manifest and the index for good; without it the index is thrown away. */
  readonly record?: (manifest: Manifest, index: AsyncIterable<BigInt64Array>) => Promise<unknown>;
  readonly now: () => number;
}

/** Resolves when everything is written and recorded. @throws what reading, filtering, writing, `checkSet` and `record` throw. */
export async function streamExport(options: StreamRunOptions): Promise<Manifest> {
  const { pass, set, checkSet, record, write, now } = options;
  const startedAtMs = now();
  const { seed, epoch, seq } = set;
  const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
  const lineage = new LineageBuilder(join(folder, 'index'));
  try {
    const [input, output] = [new Hashed(), new Hashed()];
    const filtering = pass(input.of(options.input), {
      isRecheck: false,
      isOutputLent: false,
      onFingerprints: (fingerprints) => lineage.add(fingerprints),
    });
    filtering.done.catch(() => {}); // the output ends with the same error
    for await (const piece of output.of(filtering.output)) {
      checkSet?.();
      await write(piece);
      await lineage.settled();
    }
    const rows = manifestRows(await filtering.done);
    if (set.seed !== seed || set.epoch !== epoch) throw new GateError('export.set_replaced');
    checkSet?.();
    const manifest = manifestOf(options, {
      dryRun: false,
      set: { epoch, seqStart: seq, seqEnd: seq, passes: 1 },
      startedAtMs,
      finishedAtMs: now(),
      input: input.file(),
      output: output.file(),
      rows,
      fingerprintCount: await lineage.finish(seed),
    });
    if (record !== undefined) await recordIndex(lineage.path, seed, (index) => record(manifest, index));
    return manifest;
  } finally {
    await lineage.discard();
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Removes the folders of runs that were killed, when they are old enough to be nobody's. Never throws. */
export async function removeStreamLeftovers(nowMs: number): Promise<void> {
  for (const name of await readdir(tmpdir()).catch((): string[] => [])) {
    if (!name.startsWith(FOLDER_PREFIX) || !/^[A-Za-z0-9]{6}$/.test(name.slice(FOLDER_PREFIX.length))) continue;
    const folder = join(tmpdir(), name);
    const found = await lstat(folder).catch(() => null);
    if (found?.isDirectory() !== true || nowMs - found.mtimeMs <= EXPORT_LEFTOVER_AGE_MS) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Counts and hashes what passes. */
class Hashed {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  async *of(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      this.#hash.update(piece);
      this.#bytes += piece.length;
      yield piece;
    }
  }

  file(): Manifest['input'] {
    return { name: null, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}
