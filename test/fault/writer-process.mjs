/**
 * A writer in a process of its own, until it is done or killed: `node writer-process.mjs URL WRITER FIRST COUNT`.
 *
 * Makes its writes from number FIRST on, up to COUNT, and prints `ok NUMBER` for each that is acknowledged. Every write has
 * its idempotency key, so that one that may have been made before can be made again. Number n is an import if it is a
 * multiple of 25, else the opt-out of one person.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLedger } from '../../dist/ledger/index.js';

const [url, writer, first, count, importRows] = process.argv.slice(2);
const IN_FLIGHT = 4;

/** A device for each person; 16 bits of the writer, 16 of the write, 32 of the row. */
function personOf(write, row) {
  const hex = (number, length) => number.toString(16).padStart(length, '0');
  return { kind: 'maid', value: `6d92078a-${hex(Number(writer), 4)}-4ba4-ae5b-${hex(write, 4)}${hex(row, 8)}` };
}

async function* rowsOf(write) {
  for (let row = 0; row < Number(importRows); row++) yield personOf(write, row);
}

async function make(ledger, write) {
  const idempotencyKey = `writer-${writer}-${write}`;
  if (write % 25 === 0) return ledger.importOptOuts(rowsOf(write), { idempotencyKey, channel: 'import' });
  return ledger.recordOptOut({ identifiers: [personOf(write, 0)], channel: 'api', idempotencyKey });
}

/** Until it is done: a ledger that is away is asked again. */
async function enduring(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.code !== 'ledger.unavailable') throw error;
      await sleep(50);
    }
  }
}

const ledger = await enduring(() => openLedger(url, { migrate: false, sequence: false }));
let next = Number(first);
await Promise.all(
  Array.from({ length: IN_FLIGHT }, async () => {
    while (next < Number(count)) {
      const write = next++;
      await enduring(() => make(ledger, write));
      writeSync(1, `ok ${write}\n`);
    }
  }),
);
await ledger.close();
