/**
 * Writes to a ledger until it is killed: `node writer-process.mjs URL opt-outs|import`. Says on standard output what it
 * was told is recorded, a line each.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { openLedger } from '../../dist/ledger/index.js';

const [, , location, what] = process.argv;
const ledger = await openLedger(location, { migrate: false, sequence: false, tokenWaitMs: 0 });
const say = (line) => process.stdout.write(`${line}\n`);

if (what === 'import') {
  const rows = (function* () {
    for (let index = 0; index < 30_000; index++) {
      yield { kind: 'email_sha256', value: createHash('sha256').update(`killed ${index}`).digest('hex') };
    }
  })();
  await ledger.importOptOuts(rows, {
    idempotencyKey: 'killed',
    batchRows: 500,
    onProgress: ({ identifierCount }) => say(identifierCount),
  });
} else {
  const write = async () => {
    for (;;) {
      const value = randomBytes(16).toString('hex');
      const shared = { kind: 'account:shop', value: `shared ${value.slice(0, 1)}` };
      const identifiers = [{ kind: 'maid', value }, shared];
      const { requestId } = await ledger.recordOptOut({ identifiers, channel: 'api' });
      say(`${requestId} ${value}`);
    }
  };
  await Promise.all([write(), write(), write(), write()]);
}
await ledger.close();
