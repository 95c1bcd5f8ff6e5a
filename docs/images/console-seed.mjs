/**
 * Fills an embedded ledger with a month of made-up requests, enforcers, destinations and exports, for pictures.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { openDatabase } from '../../dist/ledger/database.js';
import { IdentifierReader } from '../../dist/ledger/identity.js';
import { exportRunIdOf, openLedger } from '../../dist/ledger/index.js';
import { readOne } from '../../dist/ledger/input.js';
import { KeyMixer } from '../../dist/ledger/keys.js';

const DAY_MS = 86_400_000;
const CHANNELS = ['gpc', 'gpc', 'gpc', 'gpc', 'web_form', 'web_form', 'web_form', 'agent', 'email', 'phone', 'mail'];
const REQUEST_COUNT = 260;
const OTHERS = BigInt64Array.from([-5n, 3n, 900n]);

export const PERSON = { kind: 'email', value: 'jane@example.com' };

/** Numbers that look random and are the same each time. */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @returns {Promise<{ requestId: string, runId: string }>} What pages can be shown of. */
export async function seed(folder) {
  const random = createRandom(7);
  const ledger = await openLedger(folder, { canaryEveryMs: null });
  const { epoch } = await ledger.head();
  for (const [index, name] of ['edge-fra-1', 'edge-iad-1', 'edge-iad-2', 'bidder-lib'].entries()) {
    const role = name === 'bidder-lib' ? 'library' : 'sidecar';
    const report = {
      name,
      role,
      version: '0.1.0',
      leaseMs: index === 2 ? 1000 : 3_600_000,
      state: 'live',
      isLeaving: false,
    };
    await ledger.ack({ id: `e-${index}`, ...report, position: { epoch, seq: 0 }, appliedAgeMs: 0 });
  }
  await destinations(ledger);
  const runId = await exports(ledger, random);
  const now = Date.now();
  for (let index = 0; index < REQUEST_COUNT; index++) {
    const channel = CHANNELS[Math.floor(random() * CHANNELS.length)];
    const receivedAtMs = now - Math.floor(random() ** 1.4 * 30 * DAY_MS);
    const value = `person-${index}@example.com`;
    await ledger.recordOptOut({ identifiers: [{ kind: 'email', value }], channel, receivedAtMs, operator: 'web-form' });
  }
  const { requestId } = await ledger.recordOptOut({
    identifiers: [PERSON, { kind: 'maid', value: '6d92078a-8246-4ba4-ae5b-76104861e7dc' }],
    channel: 'web_form',
    state: 'CA',
    operator: 'privacy-desk',
  });
  for (let index = 0; index < 3; index++) {
    await ledger.recordOptIn({
      identifiers: [{ kind: 'email', value: `back-${index}@example.com` }],
      channel: 'web_form',
    });
  }
  await ledger.close();
  await spread(folder, epoch, random);
  return { requestId, runId };
}

async function destinations(ledger) {
  const inDays = (days) => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
  const all = [
    { id: 'acme-dsp', purposes: ['cross_context_ads', 'audience'] },
    {
      id: 'northwind-measurement',
      role: 'service_provider',
      purposes: ['measurement'],
      contract: { reference: 'MSA 2024-117', expires: inDays(12) },
    },
    {
      id: 'contoso-fraud',
      role: 'service_provider',
      purposes: ['fraud_security'],
      contract: { reference: 'DPA 31', expires: null },
    },
    {
      id: 'fabrikam-clean-room',
      role: 'contractor',
      purposes: ['measurement', 'contextual_ads'],
      contract: { reference: 'CR-9', expires: inDays(-20) },
      states: { CA: { whenOptedOut: 'block' } },
    },
    { id: 'tailspin-exchange', whenOptedOut: 'block' },
  ];
  for (const destination of all) await ledger.putDestination(destination);
}

async function exports(ledger, random) {
  let runId = '';
  const { seed: ledgerSeed } = await ledger.head();
  const { keyWords: words, keyCount: count } = readOne(PERSON, 'identifier', new IdentifierReader());
  const keys = BigInt64Array.from(new KeyMixer(ledgerSeed).keysOf({ words, count })).sort();
  for (let index = 0; index < 6; index++) {
    runId = exportRunIdOf(randomBytes(16));
    const finishedAtMs = Date.now() - (6 - index) * 2 * DAY_MS;
    const rows = {
      in: 120_000 + Math.floor(random() * 9000),
      kept: 0,
      blanked: 0,
      droppedSuppressed: 0,
      droppedUnidentifiable: 0,
    };
    rows.droppedSuppressed = Math.floor(rows.in * (0.03 + random() * 0.01));
    rows.kept = rows.in - rows.droppedSuppressed;
    const destination = index % 3 === 2 ? 'northwind-measurement' : 'acme-dsp';
    const purpose = index % 3 === 2 ? 'measurement' : 'audience';
    const manifest = { version: 1, runId, destination, purpose, mode: 'drop', rows };
    const times = { startedAtMs: finishedAtMs - 4200, finishedAtMs };
    await ledger.recordExport({ runId, destination, purpose, rights: ['sale', 'share'], ...times, manifest }, [
      index === 2 ? OTHERS : keys,
    ]);
  }
  return runId;
}

/** Requests as if they had come in over the last day, each in force somewhat later. */
async function spread(folder, epoch, random) {
  const database = await openDatabase(folder);
  const rows = await database.query(
    'select seq::int4 as seq from optgate.change_log where seq is not null order by seq',
  );
  const beginMs = Date.now() - 0.98 * DAY_MS;
  await database.query(`update optgate.enforcer set registered_at = clock_timestamp() - interval '40 days'`);
  for (const [index, { seq }] of rows.entries()) {
    const atMs = beginMs + (index / rows.length) * 0.979 * DAY_MS;
    await database.query('update optgate.change_log set at = to_timestamp($2::float8 / 1000) where seq = $1::int8', [
      seq,
      atMs,
    ]);
    for (const enforcer of ['e-0', 'e-1', 'e-2', 'e-3']) {
      const tookMs = 90 + random() * 160 + (random() < 0.01 ? 400 + random() * 500 : 0);
      await database.query(
        `insert into optgate.enforcer_ack values ($1, $2, $3::int8, to_timestamp($4::float8 / 1000)) on conflict do nothing`,
        [enforcer, epoch, seq, atMs + tookMs],
      );
    }
  }
  // the last one is looked at by itself: received a moment before it was written
  await database.query(
    `update optgate.request set received_at = entry.at - interval '60 milliseconds' from optgate.change_log as entry
     where entry.id = request.last_entry and request.operator = 'privacy-desk'`,
  );
  const last = rows.at(-1)?.seq ?? 0;
  await database.query(
    `update optgate.enforcer set applied_seq = $1::int8 - case id when 'e-2' then 14 else 0 end,
       last_seen_at = clock_timestamp() - case id when 'e-2' then interval '6 minutes' else interval '2 seconds' end`,
    [last],
  );
  await database.close();
}
