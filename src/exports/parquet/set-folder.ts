/**
 * The suppression set as a folder of Parquet files, partitioned by kind as Hive does it, for joins in a warehouse.
 *
 *     DIR/_optgate.json                            position in the ledger, counts, when it was written
 *     DIR/kind=email_sha256/part-00000.parquet     digest, rights, since (table-file.ts)
 *
 * Every kind has its file, if only an empty one, so that a join written for it finds something to read. Folder and files
 * appear together: they are made under another name, synced, and renamed. A folder that was there is replaced, which takes
 * two renames; whoever looks between them finds nothing, and so fails instead of joining with nobody.
 * @module
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BASE_KINDS, type BaseKind } from '../../core/vocabulary.js';
import { syncFolder } from '../../snapshot-file.js';
import { removeLeftovers, temporaryPath } from '../../temporary-files.js';
import { TableFile } from './table-file.js';

/** Says that a folder is one of these; engines skip names that begin with an underscore. */
export const SET_FILE = '_optgate.json';
const FORMAT_VERSION = 1;

/** Kinds that are published: digests, and what stands for ids that have no dialects. */
export const PUBLISHED_KINDS: readonly BaseKind[] = BASE_KINDS.filter(
  (kind) => !['email', 'phone', 'maid', 'ctv'].includes(kind),
);

/** A row of the set. */
export interface SetRow {
  readonly kind: BaseKind;
  readonly digest: Buffer;
  readonly rights: number;
  readonly sinceMs: number | null;
}

/** Where in the ledger's history the set stands. */
export interface SetPosition {
  readonly epoch: string;
  readonly seq: number;
}

/** What `_optgate.json` says. */
export interface SetManifest extends SetPosition {
  readonly format: number;
  readonly writtenAt: string;
  readonly rowCount: number;
  /** Rows of each kind. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** The folder cannot be the target: there is something else in it, or no folder. Nothing was written. */
export class SetFolderTaken extends Error {
  override readonly name = 'SetFolderTaken';
}

/**
 * Writes the set that `fill` gives, some rows at a time, to `folder`; all of it or nothing.
 * @param fill Calls `add` until there are no more rows, and says where in the ledger's history they stand.
 * @throws {SetFolderTaken} where `folder` is something else; what `fill` and the file system throw.
 */
export async function writeSetFolder(
  folder: string,
  fill: (add: (rows: readonly SetRow[]) => Promise<void>) => Promise<SetPosition>,
  nowMs: number,
): Promise<SetManifest> {
  const target = resolve(folder);
  const isThere = await isSetFolder(target);
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  await removeLeftovers(target, nowMs);
  const unfinished = temporaryPath(target);
  try {
    const manifest = await writeFiles(unfinished, fill, nowMs);
    const previous = temporaryPath(target);
    if (isThere) await rename(target, previous);
    try {
      await rename(unfinished, target);
    } catch (error) {
      if (isThere) await rename(previous, target).catch(() => {}); // better yesterday's set than none
      throw error;
    }
    await syncFolder(parent);
    if (isThere) await rm(previous, { recursive: true, force: true });
    return manifest;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

async function writeFiles(
  folder: string,
  fill: (add: (rows: readonly SetRow[]) => Promise<void>) => Promise<SetPosition>,
  nowMs: number,
): Promise<SetManifest> {
  const files: FileHandle[] = [];
  const tables = new Map<BaseKind, TableFile>();
  try {
    for (const kind of PUBLISHED_KINDS) {
      await mkdir(join(folder, `kind=${kind}`), { recursive: true });
      const file = await open(join(folder, `kind=${kind}`, 'part-00000.parquet'), 'wx', 0o640);
      files.push(file);
      tables.set(kind, await TableFile.begin(file));
    }
    const { epoch, seq } = await fill(async (rows) => {
      for (const { kind, digest, rights, sinceMs } of rows) {
        const table = tables.get(kind);
        if (table === undefined) throw new RangeError(`kind: expected one that is published, got ${kind}`);
        table.add(digest, rights, sinceMs);
        if (table.isFull) await table.flush();
      }
    });
    for (const table of tables.values()) await table.end();
    for (const file of files) await file.sync();
    const kinds = Object.fromEntries([...tables].map(([kind, { rowCount }]) => [kind, rowCount]));
    const rowCount = Object.values(kinds).reduce((sum, count) => sum + count, 0);
    const writtenAt = new Date(nowMs).toISOString();
    const manifest: SetManifest = { format: FORMAT_VERSION, epoch, seq, writtenAt, rowCount, kinds };
    const file = await open(join(folder, SET_FILE), 'wx', 0o640);
    files.push(file);
    await file.writeFile(`${JSON.stringify(manifest)}\n`);
    await file.sync();
    for (const kind of PUBLISHED_KINDS) await syncFolder(join(folder, `kind=${kind}`));
    await syncFolder(folder);
    return manifest;
  } finally {
    for (const file of files) await file.close();
  }
}

/** False: nothing is there. Only what this code made is ever replaced. */
async function isSetFolder(folder: string): Promise<boolean> {
  try {
    const names = await readdir(folder);
    if (names.length === 0) return true;
    const { format } = JSON.parse(await readFile(join(folder, SET_FILE), 'utf8')) as Partial<SetManifest>;
    if (typeof format === 'number') return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && (await stat(folder).catch(() => null)) === null) return false;
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && !(error instanceof SyntaxError)) throw error;
  }
  throw new SetFolderTaken('expected a folder that is empty, not there yet, or holds a set that was published before');
}
