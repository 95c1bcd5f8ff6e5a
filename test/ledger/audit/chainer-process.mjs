/**
 * A process that chains the audit trail as fast as it can until it is killed: `node chainer-process.mjs URL`. Prints a
 * point for each step.
 * @module
 */
import { chainStep } from '../../../dist/ledger/audit/chain-step.js';
import { openDatabase } from '../../../dist/ledger/database.js';

const database = await openDatabase(process.argv[2]);
for (;;) {
  await chainStep(database, { rowsMax: 25 });
  process.stdout.write('.');
}
