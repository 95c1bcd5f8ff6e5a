/**
 * A socket door with a real gate and table behind it, and a client that sends whatever it is told to.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from '@msgpack/msgpack';
import { onTestFinished } from 'vitest';
import {
  createGate,
  enterIdentifier,
  type Identifier,
  type Policy,
  RIGHTS_ALL,
  SuppressionTable,
  TableHolder,
} from '../../../src/core/index.js';
import type { Desk } from '../../../src/sidecar/door.js';
import { createSocketDoor, type SocketDoor, type SocketLimits } from '../../../src/sidecar/socket/index.js';

/** Suppressed in the stand's table. */
export const SUPPRESSED_MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
export const SUPPRESSED_EMAIL = 'jane@example.com';

/** A desk that keeps what it is told. */
export interface TestDesk extends Desk {
  isShedding: boolean;
  readonly holder: TableHolder;
  readonly decisions: { readonly operation: string; readonly action: string; readonly destination: string | null }[];
  readonly answers: string[];
  readonly refusals: string[];
}

export interface DeskOptions {
  readonly policy?: Policy;
  /** False: no table was ever loaded. */
  readonly loaded?: boolean;
  readonly freshAtMs?: number | null;
  readonly now?: () => number;
  /** Who else is suppressed. */
  readonly entries?: readonly Identifier[];
}

export function testDesk(options: DeskOptions = {}): TestDesk {
  const { policy, loaded = true, freshAtMs = null, now, entries = [] } = options;
  const table = SuppressionTable.create({ capacity: 256, seed: 7n, epoch: 'stand' });
  const holder = loaded ? new TableHolder({ table }) : new TableHolder();
  if (loaded) {
    enterIdentifier(holder, { kind: 'maid', value: SUPPRESSED_MAID }, RIGHTS_ALL);
    enterIdentifier(holder, { kind: 'email', value: SUPPRESSED_EMAIL }, RIGHTS_ALL);
    for (const identifier of entries) enterIdentifier(holder, identifier, RIGHTS_ALL);
    table.publish(42, freshAtMs);
  }
  const gate = createGate({
    table: holder,
    ...(policy === undefined ? {} : { policy }),
    ...(now === undefined ? {} : { now }),
  });
  const desk: TestDesk = {
    gate,
    holder,
    get table() {
      return holder.current;
    },
    isShedding: false,
    async reach(token, waitMs) {
      const [epoch, seq] = token.split('.');
      for (const endsAtMs = performance.now() + waitMs; ; ) {
        if (holder.epoch === epoch && holder.seq >= Number(seq)) return true;
        if (performance.now() > endsAtMs) return false;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    decided: (_door, operation, { action }, destination) => desk.decisions.push({ operation, action, destination }),
    answered: (_door, operation) => desk.answers.push(operation),
    refused: (_door, code) => desk.refusals.push(code),
    decisions: [],
    answers: [],
    refusals: [],
  };
  return desk;
}

export interface Stand {
  readonly desk: TestDesk;
  readonly door: SocketDoor;
  readonly path: string;
  readonly faults: unknown[];
  /** A client; greets unless told not to. */
  client(greets?: boolean): Promise<RawClient>;
}

export async function openStand(limits: Partial<SocketLimits> = {}, desk = testDesk()): Promise<Stand> {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-socket-'));
  const path = join(folder, 's');
  const faults: unknown[] = [];
  const door = createSocketDoor({ desk, limits, onFault: (error) => faults.push(error) });
  await door.listen({ path });
  onTestFinished(async () => {
    await door.drain(1);
    rmSync(folder, { recursive: true, force: true });
  });
  const client = async (greets = true) => {
    const raw = await RawClient.connect(path);
    if (greets) {
      raw.send([0, 'hello', { protocol: 1 }]);
      await raw.receive();
    }
    return raw;
  };
  return { desk, door, path, faults, client };
}

export type Received = [kind: number, id: number | null, value: unknown];

export function frame(value: unknown): Buffer {
  return framed(encode(value));
}

export function framed(bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Waits until something holds; the deadline is generous, for a busy machine. */
export async function until(holds: () => boolean, what = 'condition'): Promise<void> {
  for (const endsAtMs = performance.now() + 20_000; !holds(); ) {
    if (performance.now() > endsAtMs) throw new Error(`waited 20 s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Reads frames with another implementation of msgpack than the server writes them with. */
export class RawClient {
  readonly frames: Received[] = [];
  isClosed = false;
  private bytes: Buffer = Buffer.alloc(0);
  private taken = 0;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      while (this.bytes.length >= 4 && this.bytes.length >= 4 + this.bytes.readUInt32BE(0)) {
        const end = 4 + this.bytes.readUInt32BE(0);
        this.frames.push(decode(this.bytes.subarray(4, end)) as Received);
        this.bytes = this.bytes.subarray(end);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    onTestFinished(() => {
      socket.destroy();
    });
  }

  static connect(path: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      const client = new RawClient(socket);
      socket.once('connect', () => resolve(client));
      socket.once('error', reject);
    });
  }

  send(...messages: unknown[]): void {
    this.socket.write(Buffer.concat(messages.map(frame)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next frame. */
  async receive(): Promise<Received> {
    await until(() => this.frames.length > this.taken || this.isClosed, 'a frame');
    const next = this.frames[this.taken];
    if (next === undefined) throw new Error('the connection was closed');
    this.taken++;
    return next;
  }

  async ask(...message: unknown[]): Promise<Received> {
    this.send(message);
    return this.receive();
  }

  /** The code of the last frame, once the connection is closed. */
  async fatalCode(): Promise<string | null> {
    await until(() => this.isClosed, 'the end of the connection');
    const last = this.frames.at(-1);
    return last?.[0] === 2 ? (last[2] as { code: string }).code : null;
  }
}
