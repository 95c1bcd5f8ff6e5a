/**
 * The main job on real bid requests: build a suppression set, check every request, show what may go out. No server.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGate, parsePolicy, readSnapshotFile } from '../dist/index.js';

const here = (name) => new URL(name, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'optgate-demo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

console.log('1. People who opted out: demo/optouts.csv, as "optgate set build" takes it.\n');
const set = join(folder, 'optouts.snap');
const args = ['set', 'build', '--out', set, '--seq', '1', here('optouts.csv')];
const built = spawnSync(process.execPath, [here('../dist/cli/main.js'), ...args], { encoding: 'utf8' });
if (built.status !== 0) {
  console.error(built.stderr);
  process.exit(1);
}
const { rowCount, entryCount } = JSON.parse(built.stdout);
console.log(
  `   ${rowCount} identifiers, entered as ${entryCount} keys: each clear value with its digests in every dialect.\n`,
);

const requests = readFileSync(here('../test/vectors/bid-requests.ndjson'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);
const policy = parsePolicy(JSON.parse(readFileSync(here('policy.json'), 'utf8')));
const gate = createGate({ policy, table: await readSnapshotFile(set) });

console.log(
  `2. ${requests.length.toLocaleString('en-US')} real bid requests, three recipients: ${policy.destinations.map(({ id }) => id).join(', ')}.\n`,
);
const counts = new Map();
const reasons = new Map();
for (const request of requests) {
  const decisions = gate.checkMany(
    request,
    policy.destinations.map(({ id }) => id),
  );
  for (const [index, decision] of decisions.entries()) {
    const row = counts.get(index) ?? { allow: 0, restrict: 0, block: 0 };
    row[decision.action]++;
    counts.set(index, row);
  }
  for (const reason of decisions[0].reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}
console.log('   recipient          role               allow  restrict  block');
for (const [index, { id, role }] of policy.destinations.entries()) {
  const { allow, restrict, block } = counts.get(index);
  const cells = [String(allow).padStart(6), String(restrict).padStart(9), String(block).padStart(6)].join(' ');
  console.log(`   ${id.padEnd(18)} ${role.padEnd(18)}${cells}`);
}
console.log(`\n   Why, at ${policy.destinations[0].id}:\n`);
for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 8)) {
  console.log(`   ${String(count).padStart(6)}  ${reason}`);
}

/** The suppressed request that says most about a person. */
const personal = ({ device, user }) => JSON.stringify([device, user])?.length ?? 0;
const shown = requests
  .filter((request) => gate.check(request).reasons.some((reason) => reason.startsWith('suppressed.')))
  .sort((a, b) => personal(b) - personal(a))[0];
const decision = gate.check(shown);
console.log('\n3. One of them, and what may go out:\n');
const indented = (value) => JSON.stringify(value, null, 2).replaceAll('\n', '\n        ');
console.log(`   in   ${indented({ device: shown.device, user: shown.user })}`);
const { device, user } = gate.restrict(shown, decision);
console.log(`   out  ${indented({ device, user })}`);
console.log(
  `\n   ${decision.action}: ${decision
    .explain()
    .map(({ sentence }) => sentence)
    .join(' ')}`,
);

const rounds = 200;
for (let round = 0; round < rounds / 4; round++) for (const request of requests) gate.check(request);
const start = process.hrtime.bigint();
for (let round = 0; round < rounds; round++) for (const request of requests) gate.check(request);
const nanoseconds = Number(process.hrtime.bigint() - start) / (rounds * requests.length);
console.log(`\n4. ${(nanoseconds / 1000).toFixed(2)} µs a check on this machine. Try one yourself:\n`);
console.log("   node dist/cli/main.js explain 'DBABBg~BVWSSSVY.YA' --gpp-sid 8\n");
