/**
 * A NATS server of the test's own, with a store of its own, to be killed and started again.
 * @module
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';
import { freePort, killFamily, signalFamily, spawnTied } from './processes.js';

const START_MS_MAX = 10_000;

function isThere(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** `describe` where a NATS server can be started; else a skip that says why. */
export function withNatsServer(): typeof describe | typeof describe.skip {
  if (isThere()) return describe;
  if (process.env.OPTGATE_REQUIRE_SERVICES === '1') {
    throw new Error('nats-server is required (OPTGATE_REQUIRE_SERVICES=1) and not there');
  }
  process.stderr.write('skipped: no nats-server on the path\n');
  return describe.skip;
}

export class NatsServer {
  private server: ChildProcess | null = null;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async create(): Promise<NatsServer> {
    const server = new NatsServer(mkdtempSync(join(tmpdir(), 'optgate-nats-')), await freePort());
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const options = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.folder];
    const server = spawnTied('nats-server', options, { stdio: 'ignore' });
    this.server = server;
    for (const endMs = performance.now() + START_MS_MAX; !(await answers(this.port)); await sleep(20)) {
      if (server.exitCode !== null || performance.now() > endMs) throw new Error('the NATS server did not start');
    }
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.server !== null) await killFamily(this.server);
    this.server = null;
  }

  /** Stands still, with every connection open. */
  freeze(): void {
    if (this.server?.pid !== undefined) signalFamily(this.server.pid, 'SIGSTOP');
  }

  thaw(): void {
    if (this.server?.pid !== undefined) signalFamily(this.server.pid, 'SIGCONT');
  }

  /** Removes everything that is stored. The server must be down. */
  wipe(): void {
    rmSync(join(this.folder, 'jetstream'), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.thaw();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString('latin1').startsWith('INFO'));
    });
    socket.once('error', () => resolve(false));
  });
}
