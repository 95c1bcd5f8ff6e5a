/**
 * `optgate lineage --index`: whether somebody is in lineage files, which lie beside outputs that no ledger knows of.
 *
 * What a file is about stands in the manifest beside it. One that is missing, or not of this index, is no reason not to
 * answer: the name of the file is answer enough.
 * @module
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { GateError } from '../core/errors.js';
import type { Identifier } from '../core/vocabulary.js';
import { fingerprintsOf } from '../exports/index.js';
import { LineageFile } from '../exports/lineage-file.js';
import { LINEAGE_SUFFIX, MANIFEST_SUFFIX } from '../exports/manifest.js';
import { readSnapshotFileHeader } from '../snapshot-file.js';
import { CommandError, messageOf, UsageError } from './command.js';
import { filesOf } from './export-files.js';

/** What is told of a run; fields that nobody knows are `null`. */
export interface IndexHit {
  readonly destination: string | null;
  readonly purpose: string | null;
  readonly finishedAt: string | null;
  readonly runId: string | null;
  readonly output: object | null;
  readonly index: string;
}

const RUN = z.object({
  format: z.literal('optgate-export'),
  destination: z.string(),
  purpose: z.string(),
  finishedAt: z.iso.datetime(),
  runId: z.string(),
  output: z.object({ name: z.string().nullable(), bytes: z.number(), sha256: z.string() }),
  fingerprintCount: z.number(),
});

/** The files that `--index` names: with commas between, or * and ? in them. @throws {UsageError} where there are none. */
export function indexFiles(given: readonly string[]): readonly string[] {
  const names = given.flatMap((text) => (existsSync(text) ? [text] : text.split(',')));
  if (names.some((name) => name === '')) throw new UsageError('--index: expected FILE,…');
  return [...new Set(names.flatMap((name) => filesOf(name, '--index')))];
}

/** The seed of the ledger that a snapshot is of. @throws {CommandError} */
export async function seedOfSnapshot(path: string): Promise<bigint> {
  try {
    return (await readSnapshotFileHeader(path)).seed;
  } catch (error) {
    throw new CommandError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The files that somebody is in, oldest run first.
 * @param seed Of the set that the runs went by.
 * @throws {CommandError} for a file that cannot be read, is damaged, or is of another set. Then there is no answer at all.
 */
export async function searchIndexes(
  paths: readonly string[],
  identifier: Identifier,
  seed: bigint,
): Promise<readonly IndexHit[]> {
  const fingerprints = fingerprintsOf(identifier, seed);
  const hits: IndexHit[] = [];
  for (const path of paths) {
    const count = await countIfFound(path, fingerprints, seed);
    if (count !== null) hits.push({ ...(await runOf(path, count)), index: path });
  }
  return hits.sort((a, b) => (a.finishedAt ?? '').localeCompare(b.finishedAt ?? ''));
}

/** How many fingerprints the file has, if one of these is among them; otherwise `null`. */
async function countIfFound(path: string, fingerprints: BigUint64Array, seed: bigint): Promise<number | null> {
  try {
    const file = await LineageFile.open(path, seed);
    try {
      for (const fingerprint of fingerprints) if (await file.has(fingerprint)) return file.count;
      return null;
    } finally {
      await file.close();
    }
  } catch (error) {
    const advice =
      error instanceof GateError && error.code === 'lineage.seed' ? '; give the --set it was made with' : '';
    throw new CommandError(`${path}: ${messageOf(error)}${advice}`, { cause: error });
  }
}

async function runOf(path: string, count: number): Promise<Omit<IndexHit, 'index'>> {
  const unknown = { destination: null, purpose: null, finishedAt: null, runId: null, output: null };
  if (!path.endsWith(LINEAGE_SUFFIX)) return unknown;
  const text = await readFile(`${path.slice(0, -LINEAGE_SUFFIX.length)}${MANIFEST_SUFFIX}`, 'utf8').catch(() => '');
  const read = RUN.safeParse(parsed(text));
  if (!read.success || read.data.fingerprintCount !== count) return unknown;
  const { destination, purpose, finishedAt, runId, output } = read.data;
  return { destination, purpose, finishedAt, runId, output };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
