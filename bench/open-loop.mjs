/**
 * An open-loop load generator: sends on a schedule, whatever comes back when, and measures every answer from the moment
 * its request was due. A server that stands still for a second thus shows in every request of that second, not in one
 * ("coordinated omission"). What the generator itself is late by is counted as well, and told.
 * @module
 */
import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const CONTENT_LENGTH = Buffer.from('content-length: ');

/** One keep-alive connection with at most one request on its way. */
class Connection {
  constructor(port, onAnswer) {
    this.dueMs = 0;
    this.rest = null;
    this.socket = connect(port, '127.0.0.1').setNoDelay(true);
    this.socket.on('data', (piece) => {
      const bytes = this.rest === null ? piece : Buffer.concat([this.rest, piece]);
      const bodyAt = bytes.indexOf(HEAD_END) + HEAD_END.length;
      const lengthAt = bytes.indexOf(CONTENT_LENGTH) + CONTENT_LENGTH.length;
      const isWhole =
        bodyAt >= HEAD_END.length &&
        bytes.length >= bodyAt + Number.parseInt(bytes.latin1Slice(lengthAt, lengthAt + 9), 10);
      this.rest = isWhole ? null : bytes;
      if (isWhole) onAnswer(this, bytes.latin1Slice(9, 12) === '200');
    });
  }
}

/**
 * @param options.messages Whole HTTP requests as bytes, sent in turn.
 * @param options.restMs Pause between looking what is due. Without one the generator takes a whole core.
 * @returns Percentiles in ms from when each was due, answers a second, and what went wrong.
 */
export async function runOpenLoop({ port, messages, ratePerSecond, durationMs, connectionCount = 64, restMs = 0 }) {
  const count = Math.floor((ratePerSecond * durationMs) / 1_000);
  const latencies = new Float64Array(count);
  let [sentCount, answeredCount, failedCount, lateMsMax] = [0, 0, 0, 0];
  const free = [];
  const waiting = [];
  let waitingFrom = 0; // shift() of a long queue moves all of it
  const { promise: done, resolve } = Promise.withResolvers?.() ?? plainResolvers();

  const send = (connection, dueMs) => {
    connection.dueMs = dueMs;
    connection.socket.write(messages[sentCount++ % messages.length]);
  };
  const onAnswer = (connection, isOk) => {
    if (!isOk) failedCount++;
    latencies[answeredCount++] = performance.now() - connection.dueMs;
    if (answeredCount === count) resolve();
    if (waitingFrom === waiting.length) free.push(connection);
    else send(connection, waiting[waitingFrom++]);
  };
  const connections = Array.from({ length: connectionCount }, () => new Connection(port, onAnswer));
  await Promise.all(connections.map(({ socket }) => new Promise((ready) => socket.once('connect', ready))));
  free.push(...connections);

  const startMs = performance.now();
  let dueCount = 0;
  const turn = () => {
    const nowMs = performance.now();
    const shouldBe = Math.min(count, Math.floor(((nowMs - startMs) * ratePerSecond) / 1_000));
    for (; dueCount < shouldBe; dueCount++) {
      const dueMs = startMs + (dueCount * 1_000) / ratePerSecond;
      lateMsMax = Math.max(lateMsMax, nowMs - dueMs);
      const connection = free.pop();
      if (connection === undefined) waiting.push(dueMs);
      else send(connection, dueMs);
    }
    if (dueCount < count) restMs === 0 ? setImmediate(turn) : setTimeout(turn, restMs);
  };
  turn();
  await done;
  const perSecond = (1_000 * count) / (performance.now() - startMs);
  for (const { socket } of connections) socket.destroy();
  const sorted = latencies.subarray(0, answeredCount).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1), failedCount, lateMsMax, perSecond };
}

/** Promise.withResolvers, which Node 20 has not. */
function plainResolvers() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
