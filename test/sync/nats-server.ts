/**
 * A NATS server of a test's own, as a child process with a folder of its own: to be killed, stopped and started again.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS_MAX = 10_000;

/** Where the program is; `null`: it is not on this machine. */
export const NATS_SERVER: string | null =
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin']
    .map((folder) => join(folder, 'nats-server'))
    .find((path) => existsSync(path)) ?? null;

export class NatsServer {
  private child: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly parameters: readonly string[],
  ) {}

  /** @param parameters Further ones of the command line. */
  static async open(parameters: readonly string[] = []): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'optgate-nats-server-'));
    const server = new NatsServer(await freePort(), folder, parameters);
    await server.start();
    return server;
  }

  /** Starts it, with what it has stored; resolves when it takes connections. */
  async start(): Promise<void> {
    if (NATS_SERVER === null) throw new Error('there is no nats-server');
    const parameters = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.folder, ...this.parameters];
    this.child = spawn(NATS_SERVER, parameters, { stdio: 'ignore' });
    for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; await sleep(20)) {
      if (await this.answers()) return;
    }
    throw new Error('nats-server does not start');
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** A crash that costs it all it has stored; starts again, empty. */
  async wipe(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
    await this.start();
  }

  /** It keeps its connections, and does nothing. */
  stop(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  async close(): Promise<void> {
    this.resume();
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.once('data', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return address.port;
}
