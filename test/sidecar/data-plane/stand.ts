/**
 * A data plane on a real socket, with a real gate and table, and a desk that writes down what it is told.
 * @module
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerOptions } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createGate, type Gate } from '../../../src/core/gate.js';
import {
  type Decision,
  enterIdentifier,
  type Identifier,
  RIGHTS_ALL,
  SuppressionTable,
  TableHolder,
} from '../../../src/core/index.js';
import { parsePolicy } from '../../../src/policy-file.js';
import { createDataPlane, createDataServer, type DataLimits } from '../../../src/sidecar/data-plane/index.js';
import type { Desk } from '../../../src/sidecar/door.js';

export const POLICY = parsePolicy({
  version: 'tést-1',
  destinations: [{ id: 'blocker', role: 'third_party', purposes: ['cross_context_ads'], whenOptedOut: 'block' }],
});

export const requests: readonly Record<string, unknown>[] = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);

/** A request that is allowed as it is. */
export const PLAIN = { id: 'r1', imp: [{ id: '1', banner: { w: 300, h: 250 } }], device: { ua: 'x' } };
export const OPTED_OUT = { kind: 'maid', value: '0f8fad5b-d9cb-469f-a165-70867728950e' } as const;
/** The person opted out; everything else is silent. */
export const OF_OPTED_OUT = { ...PLAIN, device: { ifa: OPTED_OUT.value } };

export function holderOf(identifiers: readonly Identifier[]): TableHolder {
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 20_000, seed: 1n, epoch: 'e1' }) });
  for (const identifier of identifiers) enterIdentifier(holder, identifier, RIGHTS_ALL);
  holder.publish(7, null);
  return holder;
}

/** Writes down what doors tell it. */
export class Recorder implements Desk {
  isShedding = false;
  readonly decisions: (readonly [string, string, Decision, string | null])[] = [];
  readonly answers: (readonly [string, string])[] = [];
  readonly refusals: string[] = [];
  reach: Desk['reach'] = async () => true;

  constructor(
    public gate: Gate,
    private readonly holder: TableHolder,
  ) {}

  get table(): SuppressionTable | null {
    return this.holder.current;
  }

  decided(door: string, operation: string, decision: Decision, destination: string | null): void {
    this.decisions.push([door, operation, decision, destination]);
  }

  answered(door: string, operation: string, durationMs: number): void {
    if (!(durationMs >= 0)) throw new Error('a duration is not negative');
    this.answers.push([door, operation]);
  }

  refused(door: string, code: string): void {
    if (door !== 'http') throw new Error('this door is http');
    this.refusals.push(code);
  }
}

export interface StandOptions {
  readonly holder?: TableHolder;
  readonly limits?: Partial<DataLimits>;
  readonly server?: ServerOptions;
}

export interface Stand {
  readonly port: number;
  readonly gate: Gate;
  readonly holder: TableHolder;
  readonly desk: Recorder;
  readonly faults: unknown[];
  post(path: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  /** Writes to a connection of its own; returns all that came back until it was closed. A number is a pause in ms. */
  raw(...pieces: readonly (string | Uint8Array | number)[]): Promise<string>;
  close(): Promise<void>;
}

export async function startStand(options: StandOptions = {}): Promise<Stand> {
  const holder = options.holder ?? holderOf([OPTED_OUT]);
  const gate = createGate({ policy: POLICY, table: holder });
  const desk = new Recorder(gate, holder);
  const faults: unknown[] = [];
  const plane = createDataPlane({ desk, limits: options.limits ?? {}, onFault: (error) => faults.push(error) });
  const server = createDataServer(plane, options.server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    gate,
    holder,
    desk,
    faults,
    post: (path, body, headers = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      }),
    raw: (...pieces) => exchangeRaw(port, pieces),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function exchangeRaw(port: number, pieces: readonly (string | Uint8Array | number)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (piece) => received.push(piece));
  socket.on('error', () => {}); // a server that hangs up while we write is one of the answers
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  for (const piece of pieces) {
    if (typeof piece === 'number') await new Promise((resolve) => setTimeout(resolve, piece));
    else socket.write(piece);
  }
  await closed;
  return Buffer.concat(received).toString('latin1');
}

/** The head of a POST, for {@link Stand.raw}. */
export function head(path: string, ...headers: readonly string[]): string {
  return [`POST ${path} HTTP/1.1`, 'host: x', ...headers, '', ''].join('\r\n');
}
