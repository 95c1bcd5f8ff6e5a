/**
 * Looks for bytes that the scanner and the object path answer differently, for a while.
 *
 *     npm run fuzz -- [seconds] [--keep] [--seed=N]
 *
 * `--keep` writes the inputs that reach something new into the corpus.
 * @module
 */
import { spawnSync } from 'node:child_process';

const args = process.argv.slice(2);
const seconds = Number(args.find((arg) => !arg.startsWith('-')) ?? 60);
const seed = args.find((arg) => arg.startsWith('--seed='))?.slice('--seed='.length) ?? String(Date.now() % 2 ** 31);
if (!(seconds > 0)) throw new RangeError('seconds: expected a positive number');
const { status } = spawnSync('npx', ['vitest', 'run', 'test/fuzz'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    OPTGATE_FUZZ_SECONDS: String(seconds),
    OPTGATE_FUZZ_SEED: seed,
    ...(args.includes('--keep') ? { OPTGATE_FUZZ_KEEP: '1' } : {}),
  },
});
process.exit(status ?? 1);
