/**
 * The sidecar in front of a ledger in PostgreSQL that is not there, comes, and goes away.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openLedger } from '../../src/ledger/index.js';
import { createDatabase, POSTGRES_URL, type TestDatabase, withService } from '../services.js';
import { freePort, PATIENCE_MS, type Running, requestOf, startSidecarProcess } from './running.js';

const describe = await withService('PostgreSQL', POSTGRES_URL);

const folder = mkdtempSync(join(tmpdir(), 'optgate-sidecar-postgres-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const until = (assert: () => Promise<void>) =>
  expect
    .poll(
      () =>
        assert().then(
          () => true,
          () => false,
        ),
      { timeout: PATIENCE_MS },
    )
    .toBe(true);

/** A line to the database that can be cut, and mended. */
class Line {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly port: number,
    private readonly to: URL,
  ) {}

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(Number(this.to.port || 5432), this.to.hostname);
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => {}).on('close', () => this.end(near, far));
      }
      near.pipe(far).pipe(near);
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
  }

  private end(...sockets: readonly Socket[]): void {
    for (const socket of sockets) {
      socket.destroy();
      this.sockets.delete(socket);
    }
  }

  cut(): void {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

describe('a ledger in PostgreSQL', () => {
  let database: TestDatabase;
  let line: Line;
  let sidecar: Running;
  beforeAll(async () => {
    database = await createDatabase();
    await (await openLedger(database.url)).close();
  });
  afterAll(() => database.drop());
  afterEach(async () => {
    sidecar.kill('SIGKILL');
    await sidecar.ended;
    line.cut();
  });

  test.each(['1', '2'])('absent, there, lost (workers: %s)', async (workers) => {
    const url = new URL(database.url);
    line = new Line(await freePort(), new URL(database.url));
    [url.hostname, url.port] = ['127.0.0.1', String(line.port)];
    const policy = join(folder, 'policy.json');
    writeFileSync(policy, JSON.stringify({ table: { staleAfterMs: 2500 } }));
    sidecar = await startSidecarProcess(['--policy', policy, '--workers', workers, '--canary-every', '500ms'], {
      OPTGATE_LEDGER: url.href,
    });

    expect(await sidecar.check(requestOf(1))).toMatchObject({ action: 'restrict', reasons: ['table.not_loaded'] });
    expect(await sidecar.optOut(1)).toMatchObject({ status: 503, text: expect.stringContaining('ledger.unavailable') });
    expect((await sidecar.onControl('/readyz')).status).toBe(503);

    await line.mend();
    await until(async () => expect((await sidecar.onControl('/readyz?max_staleness=2s')).status).toBe(200));
    const { status, text } = await sidecar.optOut(1);
    expect(status).toBe(201);
    const { token } = JSON.parse(text);
    // whoever has the token of a write can wait for it, on whichever thread
    const waited = await sidecar.onData(`/v1/check?min_seq=${token}&wait_ms=1000`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(requestOf(1)),
    });
    expect(JSON.parse(waited.text)).toMatchObject({ action: 'restrict', reasons: ['suppressed.maid'], stale: false });
    await until(async () =>
      expect((await sidecar.onControl('/metrics')).text).toMatch(/optgate_canary_seconds_count [1-9]/),
    );
    await until(async () => expect(await sidecar.check(requestOf(2))).toMatchObject({ action: 'allow', stale: false }));
    // 503 with retry-after until the first one is written
    await until(async () => expect((await sidecar.onControl('/v1/snapshot')).status).toBe(200));

    line.cut();
    await until(async () => {
      const answer = await sidecar.check(requestOf(2));
      expect(answer).toMatchObject({ action: 'restrict', reasons: ['table.stale'], stale: true });
    });
    expect(await sidecar.check(requestOf(1))).toMatchObject({ action: 'restrict', stale: true });
    expect((await sidecar.check(requestOf(1))).reasons).toContain('suppressed.maid');
    expect((await sidecar.onData('/readyz')).status).toBe(200);
    expect(await sidecar.onData('/readyz?max_staleness=1s')).toMatchObject({
      status: 503,
      text: expect.stringContaining('table.stale'),
    });
    expect(sidecar.said.stderr).not.toContain('postgres@');

    await line.mend();
    await until(async () => expect(await sidecar.check(requestOf(2))).toMatchObject({ action: 'allow', stale: false }));
    expect(await sidecar.stop()).toBe(0);
  });
});
