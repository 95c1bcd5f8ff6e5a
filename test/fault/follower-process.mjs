/**
 * A follower in a process of its own, until it is killed: `node follower-process.mjs LOCATION FOLDER SOFT_STALE_MS`.
 *
 * Prints lines: `up` before it does anything, `s seq freshAtMs state wallMs` every few milliseconds, and `d seq digest` whenever the table is known to
 * stand at one seq.
 */
import { writeSync } from 'node:fs';
import { TableHolder } from '../../dist/core/suppression/index.js';
import { openFeed } from '../../dist/ledger/index.js';
import { createHttpSource, createLedgerSource, createNatsSource, Follower } from '../../dist/sync/index.js';

const [location, folder, softStaleAfterMs] = process.argv.slice(2);
const holder = new TableHolder();
const print = (...words) => writeSync(1, `${words.join(' ')}\n`);

print('up');

async function openSource() {
  if (location.startsWith('http:')) return createHttpSource({ url: location });
  if (location.startsWith('nats:')) return createNatsSource({ url: location });
  return createLedgerSource(await openFeed(location));
}

const follower = new Follower({
  source: await openSource(),
  holder,
  folder,
  softStaleAfterMs: Number(softStaleAfterMs),
  enforcer: { role: 'library', version: '0.0.0' },
  limits: { waitMs: 300, changesGraceMs: 1500, tailBytesMax: 20_000 },
});
const look = () => print('d', holder.seq, holder.current?.stateDigest);
follower.on('applied', look);
follower.on('resync', look);
follower.on('error', ({ code }) => print('e', code));
setInterval(() => print('s', holder.seq, holder.freshAtMs, follower.status().state, Date.now()), 10);
await follower.start();
look();
