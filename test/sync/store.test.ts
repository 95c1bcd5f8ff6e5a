/**
 * The last good state in a folder: what is there after a stop, a crash, a damaged disk.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createSigner,
  createVerifier,
  encodeFrame,
  type Signer,
  SuppressionTable,
  TableHolder,
} from '../../src/core/suppression/index.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';
import { Follower } from '../../src/sync/follower.js';
import type { FollowerOptions } from '../../src/sync/follower-options.js';
import { createLedgerSource } from '../../src/sync/ledger-source.js';
import type { Source } from '../../src/sync/source.js';
import { FolderLock } from '../../src/sync/store-lock.js';
import { ReferenceLedger } from '../reference/feed.js';
import { FakeClock, until } from './fake-clock.js';
import { ENFORCER, expectSame, followerOf } from './following.js';
import { tampered } from './tampered-source.js';

let folder = '';
let clock = new FakeClock();
let ledger = new ReferenceLedger({ clock });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-store-'));
  clock = new FakeClock();
  ledger = new ReferenceLedger({ clock });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Running {
  readonly follower: Follower;
  readonly holder: TableHolder;
}

async function start(options: Partial<FollowerOptions> = {}): Promise<Running> {
  const running = followerOf(ledger, clock, { folder, ...options });
  void running.follower.start();
  await until(() => running.holder.current !== null, 'a table');
  return running;
}

/** Both clocks go on until something is so, with real time for files and threads in between. */
async function goOnUntil(isSo: () => boolean, what: string, stepMs = 50): Promise<void> {
  await until(async () => {
    await clock.advance(stepMs);
    return isSo();
  }, what);
}

/** Follows a ledger to its end, keeps that, and stops. */
async function keep(entryCount = 20, options: Partial<FollowerOptions> = {}): Promise<void> {
  const stopBeating = ledger.beatEvery(1000);
  ledger.write([{ key: 0, rights: 1 }]);
  const { follower, holder } = await start(options);
  await goOnUntil(() => follower.status().store?.tailSeq !== null, 'a generation');
  for (let key = 1; key < entryCount; key++) {
    ledger.write([{ key, rights: 1 + key }]);
    await clock.advance(5);
    if (holder.seq < ledger.seq) await goOnUntil(() => holder.seq === ledger.seq, 'a frame for each', 5);
  }
  await goOnUntil(() => holder.seq === ledger.seq && follower.status().state === 'live', 'everything');
  stopBeating();
  await follower.close();
}

/** What a follower finds in the folder while its source is away. */
async function find(options: Partial<FollowerOptions> = {}): Promise<Running> {
  ledger.failure = 'sync.unavailable';
  const running = followerOf(ledger, clock, { folder, ...options });
  void running.follower.start();
  await until(() => running.follower.status().lastError !== null, 'a first attempt');
  return running;
}

const files = (extension: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(extension))
    .sort();
const pathOf = (extension: string, index = -1): string => join(folder, files(extension).at(index) ?? 'none');

describe('a folder', () => {
  test('gives back everything that was applied, as last good, and as old as it is', async () => {
    await keep();
    expect(files('.ogs')).toEqual(['0000000000000001.ogs']);
    expect(files('.ogd')).toEqual(['0000000000000001.ogd']);
    await clock.advance(60_000);
    const { follower, holder } = await find();
    expect(follower.status()).toMatchObject({ state: 'last_good', position: { seq: 20 }, lastSnapshotSeq: 1 });
    expect(follower.status().freshnessMs).toBeGreaterThanOrEqual(60_000);
    expect(follower.status().freshnessMs).toBeLessThan(63_000);
    expectSame(holder.current, ledger);
    ledger.failure = null;
    ledger.write([{ key: 3, rights: 0 }]);
    await goOnUntil(() => follower.status().state !== 'last_good', 'the source');
    expectSame(holder.current, ledger);
    expect(follower.status()).toMatchObject({ resyncCount: 0 });
    expect(ledger.snapshotCount).toBe(1); // the folder was enough
    await follower.close();
    const again = await find();
    expectSame(again.holder.current, ledger);
    expect(again.holder.seq).toBe(21);
    await again.follower.close();
  });

  test('remembers versions over a stop, so that the last version wins across it', async () => {
    await keep(3);
    const running = await start();
    const early = ledger.begin();
    const late = ledger.begin();
    const hold = ledger.begin();
    ledger.commit(late, [{ key: 1, rights: 0 }]);
    ledger.commit(early, [{ key: 1, rights: 127 }]);
    ledger.sequence(); // `early` is numbered, `late` as well, in this order
    ledger.commit(hold, [{ key: 2, rights: 5 }]);
    const { entries, head } = await ledger.entriesAfter(3, 10);
    expect(entries.map(({ seq }) => seq)).toEqual([4, 5]);
    // the frame is cut between the two, as a network may do
    await running.follower.close();
    const source = createLedgerSource(ledger, { clock });
    let frameCount = 0;
    const first = tampered(source, {
      changes: (answer) => {
        if (answer.kind !== 'frame' || frameCount++ > 0) throw new Error('away');
        return { ...answer, frame: { head: { ...head, settledSeq: 3 }, entries: entries.slice(0, 1) } };
      },
    });
    const cutHolder = new TableHolder();
    const { stateDigest } = ledger.tableAt(3);
    const cut = new Follower({
      source: tampered(first, {
        changes: (answer) =>
          answer.kind === 'frame'
            ? { ...answer, frame: { ...answer.frame, head: { ...answer.frame.head, stateDigest } } }
            : answer,
      }),
      ...{ holder: cutHolder, enforcer: ENFORCER, clock, folder },
    });
    void cut.start();
    await goOnUntil(() => cutHolder.seq === 4, 'the first of the two');
    await cut.close();
    const rest = await start();
    await goOnUntil(() => rest.holder.seq === ledger.seq, 'the second');
    expectSame(rest.holder.current, ledger);
    expect(rest.follower.status().failureCounts['sync.digest']).toBeUndefined();
    await rest.follower.close();
  });

  test('does not go back to before a pin, and goes no further than a new one', async () => {
    await keep();
    const { follower, holder } = await find({ pinSeq: 7 });
    expect(holder.seq).toBe(7);
    expectSame(holder.current, ledger);
    ledger.failure = null;
    await goOnUntil(() => follower.status().headSeq === 20, 'the head');
    expect(holder.seq).toBe(7);
    follower.pin(null);
    await goOnUntil(() => holder.seq === 20, 'the rest');
    expectSame(holder.current, ledger);
    await follower.close();
    const whole = await find();
    expect(whole.holder.seq).toBe(20);
    expectSame(whole.holder.current, ledger);
    await whole.follower.close();
  });

  test('is for one process: a second follower is told, in words that help', async () => {
    const { follower } = await start();
    const { follower: second } = followerOf(new ReferenceLedger({ clock }), clock, { folder });
    await expect(second.start()).rejects.toThrow('sync.store: ');
    await expect(second.start()).rejects.toThrow(`in use by process ${process.pid}`);
    await second.close();
    await follower.close();
    const { follower: third } = await start();
    await third.close();
    expect(readdirSync(folder)).not.toContain('optgate.lock');
  });

  test.each([
    ['of a process that is gone', { pid: 2 ** 22 + 7 }],
    ['of another process with the same number', { startedAt: '1' }],
    ['of before the machine was started again', { bootId: 'other' }],
  ])('is taken over from a lock %s', async (_name, change) => {
    const { follower } = await start();
    const lock = JSON.parse(readFileSync(join(folder, 'optgate.lock'), 'utf8')) as object;
    await follower.close();
    writeFileSync(join(folder, 'optgate.lock'), JSON.stringify({ ...lock, ...change, token: 'left' }));
    const { follower: next } = await start();
    expect(next.status().state).not.toBe('empty');
    await next.close();
  });

  test.each([
    ['touched by its holder', true],
    ['not touched any more', false],
  ])('of a process that cannot be looked up is in use as long as its lock is: %s', async (_name, isTouched) => {
    const path = join(folder, 'optgate.lock');
    const elsewhere = { pid: 1, startedAt: '1', bootId: 'b', namespace: 'other', host: 'elsewhere', token: 'theirs' };
    writeFileSync(path, JSON.stringify(elsewhere));
    let touch = Date.now() / 1000 - 100;
    const touching = setInterval(() => isTouched && utimesSync(path, ++touch, touch), 10);
    const waiting = FolderLock.acquire(folder, clock).then(
      (lock) => lock,
      (error: unknown) => error,
    );
    let outcome: unknown;
    void waiting.then((result) => {
      outcome = result;
    });
    await goOnUntil(() => outcome !== undefined, 'an answer', 500);
    clearInterval(touching);
    if (isTouched) {
      expect(outcome).toMatchObject({ code: 'sync.store', message: expect.stringContaining('process 1 on elsewhere') });
    } else {
      expect(outcome).toBeInstanceOf(FolderLock);
      await (outcome as FolderLock).release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('is rid of what a killed writer left', async () => {
    const left = join(folder, '.0000000000000009.ogs.0123456789ab.tmp');
    writeFileSync(left, 'half a snapshot');
    const { follower } = await start();
    expect(existsSync(left)).toBe(false);
    await follower.close();
  });

  test('says it cannot be used, at start', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { follower } = followerOf(ledger, clock, { folder: join(folder, 'file') });
    await expect(follower.start()).rejects.toMatchObject({ code: 'sync.store' });
    await follower.close();
  });
});

describe('damage', () => {
  test('a flipped bit anywhere in the tail costs what comes after it, and nothing else', async () => {
    await keep(12);
    const path = pathOf('.ogd');
    const bytes = readFileSync(path);
    const seqs = new Set<number>();
    for (let bit = 3; bit < bytes.length * 8; bit += Math.floor((bytes.length * 8) / 16) + 1) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      writeFileSync(path, damaged);
      const { follower, holder } = await find();
      expectSame(holder.current, ledger);
      expect(holder.seq).toBeLessThan(12);
      expect(follower.status().refusedCounts).not.toEqual({});
      seqs.add(holder.seq);
      await follower.close();
    }
    expect(seqs.size).toBeGreaterThan(5);
    ledger.failure = null;
    const { follower, holder } = await start();
    await goOnUntil(() => holder.seq === 12, 'what was lost');
    await follower.close();
    const { follower: last, holder: healed } = await find();
    expect(healed.seq).toBe(12); // the tail was mended where it was cut
    expectSame(healed.current, ledger);
    await last.close();
  });

  test('a tail that was cut off anywhere ends at its last whole frame', async () => {
    await keep(8);
    const path = pathOf('.ogd');
    const bytes = readFileSync(path);
    let lastSeq = 0;
    for (let length = 0; length <= bytes.length; length += Math.ceil(bytes.length / 10)) {
      writeFileSync(path, bytes.subarray(0, length));
      const { follower, holder } = await find();
      expectSame(holder.current, ledger);
      expect(holder.seq).toBeGreaterThanOrEqual(lastSeq);
      // what is lost cannot have been fresh
      if (holder.seq < 8) expect(holder.freshAtMs).toBeLessThanOrEqual(ledger.oldestMissingAtMs(holder.seq) ?? 0);
      lastSeq = holder.seq;
      await follower.close();
      writeFileSync(path, bytes);
    }
  });

  test.each([
    [
      'flipped',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 70_000] = (bytes[bytes.length - 70_000] ?? 0) ^ 4;
        writeFileSync(path, bytes);
      },
      'snapshot.checksum',
    ],
    ['cut off', (path: string) => truncateSync(path, 5000), 'snapshot.truncated'],
    ['empty', (path: string) => truncateSync(path, 0), 'snapshot.truncated'],
  ] as const)('a snapshot that is %s gives way to the one before, and its tails', async (_name, damage, code) => {
    await keep(10, { limits: { tailBytesMax: 1 } });
    const running = await start({ limits: { tailBytesMax: 1 } });
    ledger.write([{ key: 30, rights: 3 }]);
    const stop = ledger.beatEvery(1000);
    await goOnUntil(() => files('.ogs').length === 2 && (running.follower.status().store?.snapshotSeq ?? 0) > 9, 'two');
    stop();
    await running.follower.close();
    damage(pathOf('.ogs'));
    const { follower, holder } = await find();
    expect(follower.status().refusedCounts).toMatchObject({ [code]: 1 });
    expect(holder.seq).toBe(11);
    expectSame(holder.current, ledger);
    await follower.close();
    // the other one as well: nothing is left, and that is said, not made up
    damage(pathOf('.ogs', 0));
    const { follower: empty, holder: none } = await find();
    expect(none.current).toBeNull();
    expect(empty.status().state).toBe('empty');
    ledger.failure = null;
    await goOnUntil(() => none.current !== null, 'a snapshot from the source');
    expectSame(none.current, ledger);
    await empty.close();
  });

  test('a damaged, missing or future freshness never makes anything fresher', async () => {
    await keep();
    const path = join(folder, 'fresh');
    const bytes = readFileSync(path);
    await clock.advance(60_000);
    for (let at = 0; at < bytes.length; at += 5) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      writeFileSync(path, damaged);
      const { follower } = await find();
      expect(follower.status().freshnessMs).toBeGreaterThanOrEqual(60_000);
      await follower.close();
      rmSync(path);
    }
    const { follower } = await find();
    expect(follower.status().freshnessMs).toBeGreaterThanOrEqual(60_000);
    await follower.close();
    writeFileSync(path, bytes);
    clock.jumpWall(-3_600_000); // what was written down is of the future now
    const { follower: early, holder } = await find();
    expect(holder.freshAtMs).toBeLessThanOrEqual(clock.wallMs());
    await early.close();
  });
});

describe('a long tail', () => {
  test('becomes a snapshot, at a settled seq, and the generation before is kept', async () => {
    const stop = ledger.beatEvery(1000);
    const { follower, holder } = await start({ limits: { tailBytesMax: 200 } });
    for (let round = 0; round < 6; round++) {
      for (let key = 0; key < 10; key++) ledger.write([{ key: round * 10 + key, rights: 1 + key }]);
      const before = follower.status().store?.snapshotSeq ?? 0;
      await goOnUntil(() => (follower.status().store?.snapshotSeq ?? 0) > before, 'a new snapshot');
      await goOnUntil(() => files('.ogs').length <= 2, 'old ones removed');
      expect(follower.status().lastError).toBeNull();
    }
    expect(files('.ogs')).toHaveLength(2);
    expect(files('.ogd').length).toBeLessThanOrEqual(4);
    stop();
    await goOnUntil(() => holder.seq === 60, 'everything');
    await follower.close();
    expect(ledger.snapshotCount).toBe(1); // made here, not fetched
    const { follower: next, holder: found } = await find();
    expect(found.seq).toBe(60);
    expectSame(found.current, ledger);
    await next.close();
  });

  test('does not grow by a file for each life in which no snapshot came about', async () => {
    const stop = ledger.beatEvery(1000);
    ledger.write([{ key: 0, rights: 1 }]);
    const first = await start();
    await goOnUntil(() => first.follower.status().store?.tailSeq === 1, 'a generation');
    await first.follower.close();
    const names = Array.from({ length: 40 }, (_, index) => `${String(index + 2).padStart(16, '0')}.ogs`);
    for (const name of names) mkdirSync(join(folder, name, 'in-the-way'), { recursive: true });
    for (let life = 1; life <= 5; life++) {
      const { follower, holder } = await start({ limits: { tailBytesMax: 1 } });
      const isFailing = () => failures.filter((detail) => detail.includes('compaction')).length > 0;
      const failures: string[] = [];
      follower.on('error', ({ error }) => failures.push(error.message));
      ledger.write([{ key: life, rights: 1 }]);
      await goOnUntil(() => holder.seq === ledger.seq && isFailing(), 'a failure');
      ledger.write([{ key: life, rights: 2 }]);
      await goOnUntil(() => holder.seq === ledger.seq, 'one more entry');
      await follower.close();
    }
    stop();
    expect(files('.ogd')).toHaveLength(1);
    for (const name of names) rmSync(join(folder, name), { recursive: true });
    const { follower, holder } = await find();
    expectSame(holder.current, ledger);
    await follower.close();
  });

  test('is not cut where versions are still in the wrong order', async () => {
    const stop = ledger.beatEvery(1000);
    ledger.write([{ key: 1, rights: 1 }]);
    const { follower, holder } = await start({ limits: { tailBytesMax: 1 } });
    await goOnUntil(() => follower.status().store?.tailSeq === 1, 'a generation');
    // commits v2 of key 1 later than v3, and stays open: seq 2 is numbered, seq 3 comes after it
    const early = ledger.begin();
    const blocked = ledger.begin();
    const late = ledger.begin();
    ledger.commit(late, [{ key: 1, rights: 0 }]);
    ledger.commit(early, [{ key: 1, rights: 127 }]);
    ledger.sequence();
    await goOnUntil(() => holder.seq === 2, 'the later version');
    await clock.advance(30_000);
    expect(follower.status().store?.snapshotSeq).toBe(1);
    expect(follower.status().versionCount).toBe(1);
    ledger.rollback(blocked);
    await goOnUntil(() => follower.status().store?.snapshotSeq === 3, 'a snapshot of both');
    expectSame(holder.current, ledger);
    stop();
    await follower.close();
    const { follower: next, holder: found } = await find();
    expectSame(found.current, ledger);
    await next.close();
  });

  test('becomes a snapshot by age, but only if there is anything in it', async () => {
    const stop = ledger.beatEvery(1000);
    const { follower } = await start();
    await goOnUntil(() => follower.status().store?.tailSeq === 0, 'a generation');
    await clock.advance(20 * 60_000);
    expect(follower.status().store).toMatchObject({ snapshotSeq: 0, tailBytes: 0 });
    ledger.write([{ key: 1, rights: 1 }]);
    await goOnUntil(() => follower.status().store?.snapshotSeq === 1, 'a new snapshot');
    stop();
    await follower.close();
  });
});

test('a new epoch takes the place of the old one on disk, too', async () => {
  await keep();
  const stop = ledger.beatEvery(1000);
  const running = await start();
  ledger.rotateEpoch();
  ledger.write([{ key: 50, rights: 50 }]);
  await goOnUntil(() => running.follower.status().position?.epoch === 'epoch-2', 'the new epoch');
  await goOnUntil(() => running.holder.seq === 21, 'its changes');
  stop();
  await running.follower.close();
  const { follower, holder } = await find();
  expect(holder.epoch).toBe('epoch-2');
  expectSame(holder.current, ledger);
  await follower.close();
});

describe('a disk that fails', () => {
  test.skipIf(!existsSync('/dev/full'))(
    'is full: that is said, following goes on, and later it is made good',
    async () => {
      await keep(1);
      symlinkSync('/dev/full', join(folder, '0000000000000001.ogd'));
      const stop = ledger.beatEvery(1000);
      const { follower, holder } = await start();
      for (let key = 1; key < 30; key++) ledger.write([{ key, rights: 3 }]);
      await goOnUntil(() => (follower.status().failureCounts['sync.store'] ?? 0) > 0, 'a word about the disk');
      await goOnUntil(() => holder.seq === 30, 'everything');
      expect(follower.status().state).toBe('live');
      await goOnUntil(() => follower.status().store?.snapshotSeq === 30, 'a new generation', 1000);
      stop();
      await follower.close();
      const { follower: next, holder: found } = await find();
      expect(found.seq).toBe(30);
      expectSame(found.current, ledger);
      await next.close();
    },
  );

  test('costs the last good state until it works again, never the following', async () => {
    const stop = ledger.beatEvery(1000);
    const { follower, holder } = await start();
    await goOnUntil(() => follower.status().store?.tailSeq === 0, 'a generation');
    rmSync(folder, { recursive: true }); // the volume is gone
    writeFileSync(folder, '');
    ledger.rotateEpoch();
    for (let key = 0; key < 30; key++) ledger.write([{ key, rights: 3 }]);
    await goOnUntil(() => holder.seq === 30, 'everything');
    await goOnUntil(() => (follower.status().failureCounts['sync.store'] ?? 0) > 0, 'a word about the disk');
    expectSame(holder.current, ledger);
    expect(follower.status().state).toBe('live');
    rmSync(folder);
    mkdirSync(join(folder, 'incoming'), { recursive: true });
    await goOnUntil(() => (follower.status().store?.tailSeq ?? 0) >= 30, 'a new generation', 1000);
    stop();
    await follower.close();
    const { follower: next, holder: found } = await find();
    expectSame(found.current, ledger);
    expect(found.seq).toBe(30);
    await next.close();
  });
});

describe('with a key', () => {
  const pair = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    return {
      signer: createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
      verifier: createVerifier([publicKey.export({ type: 'spki', format: 'pem' }) as string]),
    };
  };

  /** The same ledger as a source whose snapshots are signed files, and whose frames are signed bytes. */
  function signedSource(signer: Signer): Source {
    const source = createLedgerSource(ledger, { clock });
    return tampered(source, {
      changes(answer) {
        return answer.kind === 'frame' ? { ...answer, bytes: encodeFrame(answer.frame, signer) } : answer;
      },
      async snapshot({ folder: incoming, validate }, ask) {
        const loaded = await ask();
        const table = SuppressionTable.attach(loaded.share, 'writer');
        validate({ position: loaded.position, entryCount: table.entryCount });
        table.publish(table.seq, clock.wallMs());
        const path = join(incoming, `${Math.random()}.tmp`);
        await writeSnapshotFile(path, table, clock.wallMs(), { signer });
        return { ...loaded, path };
      },
    });
  }

  async function startSigned(signer: Signer, options: Partial<FollowerOptions>): Promise<Running> {
    const holder = new TableHolder();
    const source = signedSource(signer);
    const follower = new Follower({ source, holder, clock, folder, enforcer: ENFORCER, ...options });
    void follower.start();
    await until(() => holder.current !== null, 'a table');
    return { follower, holder };
  }

  test('what is kept is what was signed, and is believed only with the key', async () => {
    const { signer, verifier } = pair();
    const other = pair();
    const stop = ledger.beatEvery(1000);
    const { follower, holder } = await startSigned(signer, { verifier });
    await goOnUntil(() => follower.status().store?.tailSeq === 0, 'a generation');
    for (let key = 0; key < 10; key++) ledger.write([{ key, rights: 3 }]);
    await goOnUntil(() => holder.seq === 10, 'everything');
    stop();
    await follower.close();
    const { follower: mine, holder: found } = await find({ verifier });
    expect(found.seq).toBe(10);
    expectSame(found.current, ledger);
    await mine.close();
    const { follower: theirs, holder: none } = await find({ verifier: other.verifier });
    expect(none.current).toBeNull();
    expect(theirs.status().refusedCounts).toEqual({ 'signature.unknown_key': 1 });
    await theirs.close();
  });

  test('a frame signed by another key ends the tail', async () => {
    const { signer, verifier } = pair();
    const stop = ledger.beatEvery(1000);
    const { follower, holder } = await startSigned(signer, { verifier });
    await goOnUntil(() => follower.status().store?.tailSeq === 0, 'a generation');
    ledger.write([{ key: 1, rights: 3 }]);
    await goOnUntil(() => holder.seq === 1, 'the entry');
    stop();
    await follower.close();
    ledger.write([{ key: 1, rights: 0 }]);
    const forged = await ledger.entriesAfter(1, 1);
    const path = pathOf('.ogd');
    writeFileSync(path, Buffer.concat([readFileSync(path), encodeFrame(forged, pair().signer)]));
    const { follower: next, holder: found } = await find({ verifier });
    expect(found.seq).toBe(1);
    expectSame(found.current, ledger);
    expect(next.status().refusedCounts).toEqual({ 'signature.unknown_key': 1 });
    await next.close();
  });

  test('a long tail is ended by a newer snapshot from the source, signed as it came', async () => {
    const { signer, verifier } = pair();
    const stop = ledger.beatEvery(1000);
    const { follower, holder } = await startSigned(signer, { verifier, limits: { tailBytesMax: 1000 } });
    await goOnUntil(() => follower.status().store?.tailSeq === 0, 'a generation');
    for (let key = 0; key < 30; key++) ledger.write([{ key, rights: 3 }]);
    await goOnUntil(() => follower.status().store?.snapshotSeq === 30, 'a newer snapshot');
    ledger.write([{ key: 31, rights: 3 }]);
    await goOnUntil(() => holder.seq === 31, 'one more');
    expect(follower.status()).toMatchObject({ resyncCount: 0, state: 'live' });
    stop();
    await follower.close();
    expect(files('.ogs')).toEqual(['0000000000000000.ogs', '0000000000000030.ogs']);
    const { follower: next, holder: found } = await find({ verifier });
    expect(found.seq).toBe(31);
    expectSame(found.current, ledger);
    await next.close();
    rmSync(pathOf('.ogs')); // the one before will do as well
    const { follower: last, holder: before } = await find({ verifier });
    expect(before.seq).toBe(31);
    expectSame(before.current, ledger);
    await last.close();
  });

  test('a source that signs nothing leaves nothing in the folder', async () => {
    const { verifier } = pair();
    const { follower, holder } = await start({ verifier });
    ledger.write([{ key: 1, rights: 3 }]);
    await goOnUntil(() => holder.seq === 1, 'the entry');
    await follower.close();
    expect(files('.ogs')).toEqual([]);
    expect(files('.ogd')).toEqual([]);
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
