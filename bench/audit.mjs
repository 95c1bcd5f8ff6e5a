/**
 * What does the audit trail cost, and how fast is it verified? Opt-outs of concurrent clients into PostgreSQL with the trail
 * on, how far the chain is behind, and the verification of an exported trail.
 *
 *     node bench/audit.mjs [entries, default 1000000] [opt-outs, default 20000]
 *
 * CPU is that of this process, without the database's: on a machine that is shared it says more than the clock.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { openLedger } from '../dist/index.js';
import { genesisOf, hashOfParts, lineOfParts } from '../dist/ledger/audit/entry.js';
import { headerLine, TrailVerifier } from '../dist/ledger/audit/verify-trail.js';
import { createDatabase } from './postgres.mjs';
import { isMain, printMachine, printTable } from './report.mjs';

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const OPT_OUTS = Number(process.argv[3] ?? 20_000);
const READ_BYTES = 1_048_576;
const PART_ENTRIES = 50_000;

const perSecond = (count, ms) => `${Math.round((count / ms) * 1000).toLocaleString('en-US')}/s`;
const cpuMs = ({ user, system }) => (user + system) / 1000;

async function measured(run) {
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  await run();
  return { ms: performance.now() - startMs, cpuMs: cpuMs(process.cpuUsage(cpu)) };
}

/** Opt-outs from so many clients at a time, each with or without waiting for its token. */
async function intake(clientCount, tokenWaitMs) {
  const place = await createDatabase();
  const ledger = await openLedger(place.url, { tokenWaitMs });
  let lagMax = 0;
  const watch = setInterval(async () => {
    const { unchainedCount } = await ledger.audit.head().catch(() => ({ unchainedCount: 0 }));
    lagMax = Math.max(lagMax, unchainedCount);
  }, 250);
  let next = 0;
  const client = async () => {
    while (next < OPT_OUTS) {
      const identifiers = [{ kind: 'email', value: `person.${next++}@example.com` }];
      await ledger.recordOptOut({ identifiers, channel: 'api' });
    }
  };
  const { ms } = await measured(() => Promise.all(Array.from({ length: clientCount }, client)));
  clearInterval(watch);
  const behind = (await ledger.audit.head()).unchainedCount;
  const chained = await measured(() => ledger.audit.chain());
  await ledger.close();
  await place.drop();
  const waits = tokenWaitMs === 0 ? 'no' : 'yes';
  return [clientCount, waits, perSecond(OPT_OUTS, ms), lagMax, behind, `${chained.ms.toFixed(0)} ms`];
}

/** Pieces of a trail as it is exported; made as they are asked for. */
function* trail(count, ledger, kept) {
  let previous = genesisOf(ledger);
  for (let n = 1; n <= count; ) {
    const lines = [];
    for (; lines.length < PART_ENTRIES && n <= count; n++) {
      const parts = {
        n,
        atMs: 1_790_000_000_000 + n,
        kind: 'request.opt_out',
        actor: '{"name":"web-form","role":"intake","via":"http"}',
        subject: `r_${randomBytes(16).toString('base64url')}`,
        body: `{"channel":"web_form","identifiers":[{"commitment":"${randomBytes(32).toString('hex')}","kind":"email"}],"receivedAt":"2026-11-26T10:00:00.000Z","rights":["sale","share","targeted_ads","sensitive","profiling","child","deletion"],"scope":"person","state":null}`,
        previous,
      };
      previous = hashOfParts(parts);
      lines.push(lineOfParts(parts, previous));
    }
    yield Buffer.from(`${lines.join('\n')}\n`);
  }
  kept.head = previous;
}

async function verification() {
  const ledger = '11111111-2222-4333-8444-555555555555';
  const kept = { head: '' };
  const parts = [...trail(ENTRIES, ledger, kept)];
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const rows = [];
  for (let run = 1; run <= 3; run++) {
    const verifier = new TrailVerifier();
    let report;
    const taken = await measured(async () => {
      verifier.write(Buffer.from(`${headerLine({ entries: ENTRIES, head: kept.head, ledger })}\n`));
      for (const part of parts) {
        for (let at = 0; at < part.length; at += READ_BYTES) verifier.write(part.subarray(at, at + READ_BYTES));
      }
      report = verifier.end();
    });
    if (report.fault !== null) throw new Error(`the trail is not valid: ${report.fault.code}`);
    rows.push([run, perSecond(ENTRIES, taken.ms), perSecond(ENTRIES, taken.cpuMs), `${Math.round(bytes / ENTRIES)} B`]);
  }
  return rows;
}

if (isMain(import.meta.url)) {
  printMachine();
  const header = ['run', 'entries by the clock', 'entries by CPU time', 'an entry'];
  printTable('audit: verification of an exported trail', header, await verification());
  const rows = [];
  for (const [clients, tokenWaitMs] of [
    [8, 5000],
    [64, 5000],
    [64, 0],
  ]) {
    rows.push(await intake(clients, tokenWaitMs));
  }
  printTable(
    'audit: opt-outs into PostgreSQL, with the trail on',
    ['clients', 'wait for the token', 'opt-outs', 'most unchained', 'unchained at the end', 'to chain those'],
    rows,
  );
}
