/**
 * Worker thread: serves over the table that the main thread keeps up to date.
 *
 * What is not expected ends the thread, and with it the process: threads share their listening sockets.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SharedTable } from '../gate-share.js';
import { ListenError } from './listen.js';
import { EventLog, Health } from './observe/index.js';
import { createProbe } from './probe.js';
import { ServingThread } from './thread.js';
import type { FromWorker, ToWorker, WorkerTerms } from './worker-terms.js';

/** How often the main thread is told what was counted. */
const STATE_EVERY_MS = 500;

const { config, shared, sockets } = workerData as WorkerTerms;
const port = parentPort;
if (port === null) throw new Error('unreachable: this file is run by the main thread');
const say = (message: FromWorker) => port.postMessage(message);

const log = new EventLog({ level: config['log.level'] });
const table = new SharedTable(shared);
const health = new Health({ follower: () => tableStatus() });
const thread = new ServingThread({
  config,
  table,
  policy: table.policy,
  probe: createProbe(health),
  deliver: (batch) => {
    say({ kind: 'batch', batch });
    return 'posted';
  },
  onFault: (error) => log.failure('door.failed', error),
});
table.onPolicy((policy) => thread.desk.usePolicy(policy));
port.on('message', (message: ToWorker) => void hear(message));

try {
  if (sockets !== null) await thread.join(sockets);
  const listening = sockets ?? (await thread.listen());
  await polled();
  say({ kind: 'listening', sockets: listening });
  setInterval(() => say({ kind: 'state', state: thread.state() }), STATE_EVERY_MS).unref();
} catch (error) {
  if (!(error instanceof ListenError)) throw error;
  say({ kind: 'refused', address: error.address, code: error.code });
}

/**
 * Resolves when the event loop has taken in every socket it was given. One that another thread closes before that would end
 * the process: libuv aborts where the system does not know what it asks for.
 */
function polled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

async function hear(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'announce_end':
      health.drain();
      thread.announceEnd();
      break;
    case 'drain':
      await thread.drain(message.deadlineMs, { closes: false });
      table.close();
      await polled();
      say({ kind: 'drained', state: thread.state() });
      break;
    case 'close':
      thread.closeListening();
      say({ kind: 'closed' });
      break;
    case 'acknowledge':
      thread.acknowledge();
      break;
    default:
      message satisfies never;
  }
}

/** As much of the follower's status as the table itself tells. */
function tableStatus() {
  const { current, freshAtMs } = table.holder;
  const freshnessMs = freshAtMs === null ? null : Math.max(0, Date.now() - freshAtMs);
  return { state: current === null ? ('empty' as const) : ('live' as const), freshnessMs };
}
