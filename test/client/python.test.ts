/**
 * The Python client of examples/python: what it does besides asking, which test/contract covers.
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encode } from '@msgpack/msgpack';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HAS_PYTHON } from '../python.js';
import { framed, json, openStand } from '../sidecar/socket/stand.js';

const run = promisify(execFile);
const HEADER = `
import sys, json
sys.path.insert(0, "examples/python")
from optgate_client import Client, RequestRefused, Unavailable
CLEAN = {"id": "1", "imp": [{"id": "1"}]}
path = sys.argv[1]
`;

/** The lines a script prints, as values. */
async function python(script: string, path: string): Promise<unknown[]> {
  const { stdout } = await run('python3', ['-c', HEADER + script, path], { timeout: 50_000 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe.skipIf(!HAS_PYTHON)('the Python client', () => {
  test('asks, looks up, and says who answers', async () => {
    const { path } = await openStand();
    const said = await python(
      `
with Client(path=path, timeout=30) as client:
    client.ping()
    print(json.dumps([client.server, client.limits["batchItemsMax"]]))
    print(json.dumps(client.check(CLEAN, secGpc="1", explain=True)))
    print(json.dumps(client.filter(CLEAN)[1]))
    print(json.dumps(client.lookup([{"kind": "email", "value": "jane@example.com"}, {"kind": "?", "value": ""}])))
    print(json.dumps(client.status()["table"]["seq"]))
    try:
        client.check(b"{")
    except RequestRefused as refused:
        print(json.dumps(refused.code))
    try:
        client.check(CLEAN, sec_gpc="1")
    except RequestRefused as refused:
        print(json.dumps([refused.code, refused.field]))
`,
      path,
    );
    expect(said).toMatchObject([
      [expect.stringMatching(/^optgate\//), 1024],
      { action: 'restrict', reasons: ['gpc.header'], explain: [{ code: 'gpc.header' }] },
      { id: '1', imp: [{ id: '1' }] },
      { seq: 42, results: [{ rights: expect.arrayContaining(['sale']) }, { error: { code: 'identifier.invalid' } }] },
      42,
      'json.invalid',
      ['context.invalid', 'context'],
    ]);
  });

  test('a connection that the server ended meanwhile is made anew', async () => {
    const { path } = await openStand({ idleMs: 40 });
    const said = await python(
      `
import time
with Client(path=path, timeout=30) as client:
    for _ in range(3):
        print(json.dumps(client.check(CLEAN)["action"]))
        time.sleep(0.4)
`,
      path,
    );
    expect(said).toEqual(['allow', 'allow', 'allow']);
  });

  test('nobody there, busy, silence and nonsense are no permission', async () => {
    const { path, desk } = await openStand();
    desk.isShedding = true;
    const folder = mkdtempSync(join(tmpdir(), 'optgate-python-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const hello = framed(encode([0, 0, { protocol: 1, server: 'x', limits: {} }]));
    const answers = {
      silent: Buffer.alloc(0),
      http: Buffer.from('HTTP/1.1 400 Bad\r\n\r\n'),
      garbage: framed(Buffer.of(0xc1)),
    };
    for (const [name, bytes] of Object.entries(answers)) {
      const server = createServer((socket) => {
        onTestFinished(() => void socket.destroy());
        socket.on('error', () => {});
        socket.once('data', () => socket.write(name === 'http' ? bytes : Buffer.concat([hello, bytes])));
      });
      await new Promise<void>((resolve) => server.listen(join(folder, name), resolve));
      onTestFinished(() => void server.close());
    }
    const said = await python(
      `
for at, timeout in [(path, 30), (sys.argv[1] + "-nobody", 30), ("${folder}/silent", 0.1), ("${folder}/http", 30), ("${folder}/garbage", 30)]:
    try:
        print(json.dumps(Client(path=at, timeout=timeout).check(CLEAN)))
    except Unavailable as unavailable:
        print(json.dumps(unavailable.code))
`,
      path,
    );
    expect(said).toEqual([
      'busy.shedding',
      'client.unavailable',
      'client.unavailable',
      'client.protocol',
      'client.protocol',
    ]);
  });

  test('a line in, a line out', async () => {
    const { path } = await openStand();
    const asking = run('python3', ['examples/python/check_lines.py', path], { timeout: 50_000 });
    asking.child.stdin?.end(
      Buffer.concat([json({ imp: [] }), Buffer.from('\n{\n'), json({ imp: [] }), Buffer.from('\n')]),
    );
    const { stdout } = await asking;
    const said = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(said).toMatchObject([{ action: 'allow' }, { error: { code: 'json.invalid' } }, { action: 'allow' }]);
  });
});
