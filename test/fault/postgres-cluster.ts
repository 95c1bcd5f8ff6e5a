/**
 * A PostgreSQL of the test's own, to be killed, stopped, started again and put back to an earlier state.
 *
 * Needs the server's programs (`pg_config --bindir`, or where Debian has them), and does not run them as root.
 * @module
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from 'vitest';
import { freePort, killFamily, signalFamily, spawnTied } from './processes.js';

const START_MS_MAX = 20_000;
/** A crash of a process is what is tested, never one of the machine. */
const SETTINGS = [
  "listen_addresses = '127.0.0.1'",
  'fsync = off',
  'full_page_writes = off',
  'track_commit_timestamp = on',
  'shared_buffers = 64MB',
  'max_connections = 100',
  'autovacuum_naptime = 1h',
].join('\n');

/** The folder with `initdb` and `postgres`; `null`: there is none. */
function programFolder(): string | null {
  const folders: string[] = [];
  try {
    folders.push(
      execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
    );
  } catch {
    // not installed, or without its tools
  }
  const debian = '/usr/lib/postgresql';
  if (existsSync(debian)) {
    const versions = readdirSync(debian).sort((a, b) => Number(b) - Number(a));
    folders.push(...versions.map((version) => join(debian, version, 'bin')));
  }
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null;
}

const programs = programFolder();
const isRoot = process.getuid?.() === 0;
/** The server refuses to run as root. */
const serverUser = isRoot ? 'postgres' : null;

/** `describe` where PostgreSQL can be started; else a skip that says why. */
export function withCluster(): typeof describe | typeof describe.skip {
  if (programs !== null) return describe;
  if (process.env.OPTGATE_REQUIRE_SERVICES === '1') {
    throw new Error('the programs of PostgreSQL are required (OPTGATE_REQUIRE_SERVICES=1) and not there');
  }
  process.stderr.write('skipped: no initdb and postgres in `pg_config --bindir` or /usr/lib/postgresql\n');
  return describe.skip;
}

export class PostgresCluster {
  private server: ChildProcess | null = null;
  private readonly log: string[] = [];

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  /** An empty cluster, running. */
  static async create(): Promise<PostgresCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'optgate-cluster-'));
    chmodSync(folder, 0o777); // the server's user makes its own folder in it
    const cluster = new PostgresCluster(folder, await freePort());
    cluster.run('initdb', [
      '-D',
      cluster.data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-sync',
      '--no-locale',
    ]);
    writeFileSync(join(cluster.data, 'postgresql.auto.conf'), SETTINGS);
    await cluster.start();
    return cluster;
  }

  url(database = 'postgres', port = this.port): string {
    return `postgres://postgres@127.0.0.1:${port}/${database}`;
  }

  /** The name of a new, empty database. */
  async createDatabase(): Promise<string> {
    const name = `t${randomBytes(6).toString('hex')}`;
    await this.query(`create database ${name}`);
    return name;
  }

  async query(sql: string, database?: string): Promise<readonly Record<string, unknown>[]> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: this.url(database), connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      return (await client.query(sql)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async start(): Promise<void> {
    const options = ['-D', this.data, '-p', String(this.port), '-k', this.data];
    const server = spawnTied(programPath('postgres'), options, { stdio: ['ignore', 'ignore', 'pipe'] }, serverUser);
    server.stderr?.on('data', (text) => this.log.push(String(text)));
    this.server = server;
    for (const endMs = performance.now() + START_MS_MAX; ; await sleep(20)) {
      const isUp = await this.query('select 1').then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (server.exitCode !== null || performance.now() > endMs) {
        throw new Error(`PostgreSQL did not start:\n${this.log.slice(-20).join('')}`);
      }
    }
  }

  /** `kill -9`, of every process of the server. */
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

  /** Keeps what is on disk now, to be put back. The server must be down. */
  keep(): void {
    rmSync(this.kept, { recursive: true, force: true });
    this.copy(this.data, this.kept);
  }

  /** Puts back what was kept. The server must be down. */
  putBack(): void {
    rmSync(this.data, { recursive: true, force: true });
    this.copy(this.kept, this.data);
  }

  /** Path for a file that the server's user may make. */
  newFile(name: string): string {
    return join(this.folder, `${name}-${randomBytes(6).toString('hex')}`);
  }

  /** One of the programs that come with the server, as its user. */
  run(program: string, options: readonly string[]): void {
    const path = programPath(program);
    const user =
      serverUser === null ? [] : ['setpriv', `--reuid=${serverUser}`, `--regid=${serverUser}`, '--clear-groups', '--'];
    const [first = path, ...rest] = [...user, path, ...options];
    execFileSync(first, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  async close(): Promise<void> {
    this.thaw();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get data(): string {
    return join(this.folder, 'data');
  }

  private get kept(): string {
    return join(this.folder, 'kept');
  }

  private copy(from: string, to: string): void {
    if (isRoot) execFileSync('cp', ['-a', from, to]);
    else cpSync(from, to, { recursive: true, preserveTimestamps: true });
  }
}

function programPath(program: string): string {
  if (programs === null) throw new Error('PostgreSQL is not there: ask withCluster() first');
  return join(programs, program);
}
