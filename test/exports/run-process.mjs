/**
 * Exports a file again and again until it is killed: `node run-process.mjs INPUT OUTPUT [once]`. Everything is kept. Says a
 * line when it begins, and how it ended.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { runExport } from '../../dist/exports/run.js';

const [, , input, output, mode] = process.argv;
const set = { seed: 7n, epoch: 'e', seq: 1, catchUp: async () => 1 };
const none = { keptUnidentifiable: 0, rowsBlanked: 0, droppedUnidentifiable: 0, droppedUnreadable: 0 };
const counts = { rowsKept: 1, rowsIn: 1, droppedSuppressed: 0, ...none, byKind: {} };
const pass = (source, { onFingerprints }) => ({
  output: (async function* () {
    for await (const chunk of source) {
      yield chunk;
      onFingerprints(new BigUint64Array(chunk.slice().buffer, 0, chunk.length >> 3));
    }
  })(),
  done: Promise.resolve(counts),
});

do {
  process.stdout.write('begun\n');
  const code = await runExport({
    runId: `x_${randomBytes(16).toString('base64url')}`,
    input,
    output,
    pass,
    set,
    destination: 'acme',
    purpose: 'audience',
    terms: { kind: 'filter', reason: 'destination.third_party', rightsMask: 127 },
    policyVersion: 'p',
    optgate: '0',
    filter: {},
  }).then(
    () => 'done',
    (error) => `${error.code} ${error.cause?.code}`,
  );
  process.stdout.write(`${code}\n`);
} while (mode !== 'once');
