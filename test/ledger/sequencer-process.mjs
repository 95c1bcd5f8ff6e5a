/**
 * A process that runs a sequencer until it is killed: `node sequencer-process.mjs URL`. Prints `lead` when it leads.
 * @module
 */
import { openDatabase } from '../../dist/ledger/database.js';
import { Sequencer } from '../../dist/ledger/sequencer.js';

const database = await openDatabase(process.argv[2]);
new Sequencer(database, { stepRowsMax: Number(process.argv[3] ?? 2000), contendMs: 200 })
  .on('lead', () => process.stdout.write('lead\n'))
  .on('failure', (error) => process.stderr.write(`${error.message}\n`))
  .start();
