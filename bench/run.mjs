/**
 * Every bench, one after the other, each in a process of its own with the memory it needs.
 * @module
 */
import { spawnSync } from 'node:child_process';

const BENCHES = [
  ['bench/gpp.mjs', ['--expose-gc']],
  ['bench/gate.mjs', ['--expose-gc', '--max-semi-space-size=256']],
  ['bench/bytes.mjs', []],
  ['bench/table.mjs', ['--expose-gc', '--max-old-space-size=18000']],
  ['bench/ledger.mjs', []],
  ['bench/audit.mjs', []],
  ['bench/sync.mjs', []],
  ['bench/exports.mjs', []],
  ['bench/socket.mjs', []],
  ['bench/sidecar.mjs', []],
];
const wanted = process.argv[2];

for (const [file, flags] of BENCHES) {
  if (wanted !== undefined && !file.includes(wanted)) continue;
  const { status } = spawnSync(process.execPath, [...flags, file], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
