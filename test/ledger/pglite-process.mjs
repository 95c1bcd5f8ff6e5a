/**
 * A process that commits to a folder without end, saying after each commit that it was made: `node pglite-process.mjs FOLDER`.
 * @module
 */
import { openDatabase } from '../../dist/ledger/database.js';

const database = await openDatabase(process.argv[2]);
await database.query('create table if not exists made (n int4)');
for (let n = 0; ; n++) {
  await database.transaction((session) => session.query('insert into made values ($1)', [n]));
  process.stdout.write(`${n}\n`);
}
