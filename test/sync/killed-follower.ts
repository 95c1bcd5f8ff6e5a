/**
 * A process that follows a plain ledger with a folder, to be killed at any moment. The ledger goes by the wall clock: at
 * every moment each process makes the same one, so that the next process finds what this one would have followed.
 *
 * Ends with another code than 0 as soon as the table is not the ledger's at its seq, or claims to be fresher than it is.
 * Arguments: folder, seed, start of the ledger in ms since 1970, ms until it ends by itself (0: never).
 * @module
 */
import { TableHolder } from '../../src/core/suppression/index.js';
import type { Clock } from '../../src/sync/clock.js';
import { Follower } from '../../src/sync/follower.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import { keyOf, ReferenceLedger } from '../reference/feed.js';

const [folder = '', seed = '', startText = '', endText = ''] = process.argv.slice(2);
const STEP_MS = 4;
const KEYS = 24;
const LAST_STEP = 6000;
/** Wall clocks count whole ms, each hop rounds once. */
const ROUNDING_MS = 2;

let stepAtMs: number | null = null;
const clock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => stepAtMs ?? Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs / 20); // what happens every second happens here all the time
    return () => clearTimeout(timer);
  },
};
const ledger = new ReferenceLedger({ seed: Number(seed), clock, keyCount: KEYS });
const startMs = Number(startText);
let stepCount = 0;

function goOn(): void {
  const due = Math.min(LAST_STEP, Math.floor((Date.now() - startMs) / STEP_MS));
  for (; stepCount < due; stepCount++) {
    stepAtMs = startMs + stepCount * STEP_MS;
    ledger.step();
  }
  stepAtMs = null;
}

function fail(code: number, what: string): never {
  process.stdout.write(`${what}\n`);
  process.exit(code);
}

const holder = new TableHolder();
let checkCount = 0;

/** Not in the middle of an entry, of which some may be there before its seq is. */
function checkContent(): void {
  const { current } = holder;
  if (current === null) return;
  const { seq } = current;
  const fold = ledger.fold(seq);
  if (current.entryCount !== fold.size) fail(3, `seq ${seq}: ${current.entryCount} entries, not ${fold.size}`);
  for (let key = 0; key < KEYS; key++) {
    const { high, low } = keyOf(key);
    const [found, expected] = [current.rightsOfMixed(high, low), fold.get(`${high}:${low}`) ?? 0];
    if (found !== expected) fail(3, `seq ${seq}, key ${key}: ${found}, not ${expected}`);
  }
  checkCount++;
}

function checkFreshness(): void {
  const { current } = holder;
  if (current === null) return;
  const { seq, freshAtMs } = current;
  const missingAtMs = ledger.oldestMissingAtMs(seq) ?? Number.POSITIVE_INFINITY;
  if (freshAtMs === null || freshAtMs > missingAtMs + ROUNDING_MS)
    fail(4, `seq ${seq}: fresh at ${freshAtMs}, not ${missingAtMs}, state ${follower.status().state}`);
}

goOn();
// a pull of a plug at any moment must leave what can be read, so everything is written all the time
const limits = { tailBytesMax: 1500, freshEveryMs: 5, waitMs: 100 };
const enforcer = { role: 'library', version: '0' } as const;
const source = createLedgerSource(ledger, { clock });
const follower = new Follower({ source, holder, folder, clock, enforcer, limits, maxShrink: 1 });
follower.on('error', ({ code }) => {
  // nothing fails here but by a kill; a frame that was being written is the one thing it may leave
  if (code !== 'delta.truncated') fail(5, code);
});
follower.on('applied', checkContent);
follower.on('resync', checkContent);
await follower.start();
process.stdout.write(`${follower.status().state} ${holder.seq}\n`);
checkContent();
checkFreshness();
setInterval(goOn, STEP_MS);
setInterval(checkFreshness, 3 * STEP_MS);
if (Number(endText) > 0) {
  setTimeout(async () => {
    goOn();
    await follower.close();
    checkContent();
    checkFreshness();
    process.stdout.write(`checked ${checkCount}\n`);
    process.exit(0);
  }, Number(endText));
}
