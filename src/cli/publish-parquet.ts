/**
 * `optgate publish --parquet DIR`: writes the set in force as Parquet files, once, for joins in a warehouse.
 * @module
 */
import { SetFolderTaken, writeSetFolder } from '../exports/parquet/set-folder.js';
import type { Ledger } from '../ledger/index.js';
import { CommandError, EXIT, type Io, isSystemError, messageOf, UsageError } from './command.js';
import { createProgress } from './progress.js';

export async function publishParquet(ledger: Ledger, folder: string, io: Io): Promise<number> {
  const progress = createProgress(io, 'digests');
  let count = 0;
  try {
    const manifest = await writeSetFolder(
      folder,
      async (add) => {
        const { position } = await ledger.eachCurrentDigest(async (digests) => {
          await add(digests);
          count += digests.length;
          progress.at(count);
        });
        return position;
      },
      io.now(),
    );
    progress.end();
    io.stdout.write(`${JSON.stringify({ parquet: folder, ...manifest })}\n`);
    return EXIT.ok;
  } catch (error) {
    progress.end();
    if (error instanceof SetFolderTaken) throw new UsageError(`--parquet: ${error.message}`);
    if (isSystemError(error)) throw new CommandError(`${folder}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
}
