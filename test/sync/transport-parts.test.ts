/**
 * The small parts of the transports, each on its own: positions and addresses as text, rings, the delay of a message.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/core/suppression/index.js';
import { createSigner, createVerifier, encodeFrame } from '../../src/core/suppression/index.js';
import { systemClock } from '../../src/sync/clock.js';
import { EntryRing } from '../../src/sync/entry-ring.js';
import { FrameRing } from '../../src/sync/frame-ring.js';
import { linkSignals, unlessAborted } from '../../src/sync/linked-signal.js';
import { Beats } from '../../src/sync/nats-beats.js';
import { natsNames, parseNatsUrl } from '../../src/sync/nats-names.js';
import { parsePosition, positionText } from '../../src/sync/position.js';
import { digestField, digestOfField } from '../../src/sync/relay-http.js';
import { Transit } from '../../src/sync/transit.js';
import { ReferenceLedger } from '../reference/feed.js';
import { FakeClock } from './fake-clock.js';

const entry = (seq: number, bytes = 20): Entry => {
  return { seq, atMs: 0, isCanary: false, changes: new Uint8Array(bytes) };
};

describe('positions', () => {
  test('there and back', () => {
    const epoch = fc.stringMatching(/^[\x21-\x7e]{1,36}$/);
    fc.assert(
      fc.property(epoch, fc.maxSafeNat(), (name, seq) => {
        expect(parsePosition(positionText({ epoch: name, seq }))).toEqual({ epoch: name, seq });
      }),
    );
  });

  test('any text at all gives a position that says the same, or none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const position = parsePosition(text);
        if (position !== null) expect(positionText(position)).toBe(text);
      }),
    );
  });

  test.each(['', 'e', 'e.', '.1', 'e.01', 'e.-1', 'e.1.', 'e 1.2', `${'e'.repeat(37)}.1`, 'e.9007199254740992', 'é.1'])(
    '%j is none',
    (text) => expect(parsePosition(text)).toBeNull(),
  );
});

describe('addresses on NATS', () => {
  test.each<[string, object]>([
    ['nats://host', { server: 'host:4222', set: 'default', isSecure: false }],
    ['nats://host:5/', { server: 'host:5', set: 'default' }],
    ['tls://host:5/eu-1', { server: 'host:5', set: 'eu-1', isSecure: true }],
    ['nats://a%40b:c%3Ad@host/x', { user: 'a@b', password: 'c:d', set: 'x' }],
    ['nats://[::1]:7/x', { server: '[::1]:7' }],
  ])('%s', (url, expected) => expect(parseNatsUrl(url)).toMatchObject(expected));

  test.each([
    'host:4222',
    'http://host/x',
    'nats:///x',
    'nats://host/a/b',
    'nats://host/a.b',
    'nats://host/a*',
    `nats://host/${'x'.repeat(33)}`,
    'nats://jane:secret@host/>',
    'nats://host/x?secret=1',
  ])('%s is refused, and not repeated', (url) => {
    expect(() => parseNatsUrl(url)).toThrow(TypeError);
    expect(() => parseNatsUrl(url)).not.toThrow(/jane|secret|host\b.*\bx/);
  });

  test('no set gets into the subjects of another', () => {
    fc.assert(
      fc.property(fc.string(), (set) => {
        try {
          const names = natsNames(set);
          for (const name of [names.changes, names.beat, names.acks]) expect(name.split('.')).toHaveLength(3);
          expect(names.stream).toMatch(/^OPTGATE_[A-Za-z0-9_-]+$/);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });
});

describe('digests in a head', () => {
  test('there and back, among others', () => {
    const sha256 = new Uint8Array(32).fill(7);
    const hex = Buffer.from(sha256).toString('hex');
    expect(digestOfField(digestField(sha256))).toBe(hex);
    expect(digestOfField(`md5=:AAAA:, ${digestField(sha256)}`)).toBe(hex);
    for (const field of [undefined, '', 'sha-256=x', 'sha-256=:AAAA:', 'xsha-256=:AAAA:']) {
      expect(digestOfField(field)).toBeNull();
    }
  });
});

describe('rings', () => {
  /** What a ring should hold: every seq after `base`, in a list. */
  test('entries: as a list, however they are added, asked for and dropped', () => {
    const step = fc.record({
      count: fc.nat(9),
      overlap: fc.nat(3),
      ask: fc.nat(40),
      trim: fc.nat(4000),
      floor: fc.nat(60),
    });
    fc.assert(
      fc.property(fc.nat(5), fc.array(step, { maxLength: 30 }), (baseSeq, steps) => {
        const ring = new EntryRing(baseSeq);
        let [base, last] = [baseSeq, baseSeq];
        for (const { count, overlap, ask, trim, floor } of steps) {
          const first = Math.max(1, last + 1 - overlap);
          ring.append(Array.from({ length: last - first + 1 + count }, (_, index) => entry(first + index)));
          last += count;
          ring.trim(trim, floor);
          expect(ring.afterSeq).toBeGreaterThanOrEqual(base);
          // nothing after the floor was dropped, and no more than necessary
          expect(ring.afterSeq).toBeLessThanOrEqual(Math.max(base, floor, baseSeq));
          if (ring.bytes > trim) expect(ring.afterSeq).toBe(Math.max(base, Math.min(floor, last)));
          base = ring.afterSeq;
          expect(ring.lastSeq).toBe(last);
          expect(ring.bytes).toBe((last - base) * 212);
          const seq = base + (ask % (last - base + 1));
          const seqs = ring.after(seq, 5, 100).map((found) => found.seq);
          expect(seqs).toEqual(Array.from({ length: Math.min(3, last - seq) }, (_, index) => seq + 1 + index));
        }
      }),
    );
  });

  test('entries: a gap is refused; the first one is given however large it is', () => {
    const ring = new EntryRing(4);
    expect(() => ring.append([entry(6)])).toThrow(RangeError);
    ring.append([entry(5, 2000), entry(6)]);
    expect(ring.after(4, 10, 100).map(({ seq }) => seq)).toEqual([5]);
    expect(ring.after(6, 10, 100)).toEqual([]);
  });

  test('frames: the one with the next entry', () => {
    const ring = new FrameRing(10);
    const frame = (from: number, to: number) => {
      const entries = Array.from({ length: to - from + 1 }, (_, index) => entry(from + index));
      return { entries, bytes: new Uint8Array(100) };
    };
    expect(ring.append(frame(12, 13))).toBe(false);
    expect(ring.append({ entries: [], bytes: null })).toBe(true);
    for (const [from, to] of [
      [9, 12],
      [13, 13],
      [11, 13],
      [14, 20],
    ] as const)
      expect(ring.append(frame(from, to))).toBe(true);
    const firstAfter = (seq: number) => ring.after(seq)?.entries[0]?.seq;
    expect([10, 11, 12, 13, 19, 20].map(firstAfter)).toEqual([9, 9, 13, 14, 14, undefined]);
    expect([10, 12, 13, 19, 20, 99].map((seq) => ring.lastSeqUpTo(seq))).toEqual([8, 12, 13, 13, 20, 20]);
    ring.trim(0, 13);
    expect([ring.afterSeq, ring.lastSeq]).toEqual([13, 20]);
    ring.trim(0, 19);
    expect(ring.afterSeq).toBe(13);
    ring.trim(0, 20);
    expect([ring.afterSeq, ring.bytes]).toEqual([20, 0]);
  });
});

describe('how late a message is', () => {
  test('beside the quickest of the same sender', () => {
    const transit = new Transit();
    expect(transit.delayMs('a', 1000, 50)).toBe(0);
    expect(transit.delayMs('a', 2000, 1052)).toBe(2);
    expect(transit.delayMs('a', 3000, 32_050)).toBe(30_000); // it lay somewhere
    expect(transit.delayMs('a', 33_000, 32_050)).toBe(0);
    expect(transit.delayMs('b', 7, 40_000)).toBe(0); // another clock
    expect(transit.delayMs('a', 41_000, 40_060)).toBe(0);
  });

  test('a quicker one later makes those before it no fresher, and those after it older', () => {
    const transit = new Transit();
    expect(transit.delayMs('a', 0, 500)).toBe(0);
    expect(transit.delayMs('a', 1000, 1100)).toBe(0);
    expect(transit.delayMs('a', 2000, 2500)).toBe(400);
  });

  test('clocks that drift apart are followed', () => {
    const transit = new Transit();
    let delayMs = 0;
    // the sender's clock is slower by 1 in 10 000, for an hour
    for (let ms = 0; ms < 3_600_000; ms += 1000) delayMs = Math.max(delayMs, transit.delayMs('a', ms * 0.9999, ms));
    expect(delayMs).toBeLessThan(61);
  });
});

describe('heartbeats', () => {
  const head = new ReferenceLedger().head();
  const message = (fields: Partial<typeof head>, sentAtMs = Number.NaN) => {
    return { data: encodeFrame({ head: { ...head, ...fields }, entries: [] }), sender: 'p', sentAtMs };
  };

  test('only newer ones of the same history count, and no history counts that has ended', () => {
    const beats = new Beats(systemClock, undefined);
    const heard = (fields: Partial<typeof head>) => {
      beats.hear(message(fields));
      return `${beats.newest?.frame.head.epoch} ${beats.newest?.frame.head.beat}`;
    };
    expect(heard({ epoch: 'a', beat: 5 })).toBe('a 5');
    expect(heard({ epoch: 'a', beat: 5, seq: 0 })).toBe('a 5');
    expect(heard({ epoch: 'a', beat: 4 })).toBe('a 5');
    expect(heard({ epoch: 'b', beat: 1 })).toBe('b 1'); // restored from a backup: counts from there
    expect(heard({ epoch: 'a', beat: 99 })).toBe('b 1');
    expect(heard({ epoch: 'b', beat: 2 })).toBe('b 2');
  });

  test('a lower number counts once two in a row say that it is from now, and only of a server that is trusted', async () => {
    const clock = new FakeClock();
    const beats = new Beats(clock, undefined);
    const heard = async (beat: number, passedMs: number, { sentAgoMs = 0, lagMs = 0 } = {}) => {
      await clock.advance(passedMs);
      beats.hear(message({ beat, lagMs }, clock.monotonicMs() - sentAgoMs));
      return beats.newest?.frame.head.beat;
    };
    expect(await heard(50, 1000)).toBe(50);
    expect(await heard(40, 1000)).toBe(50); // may have been on its way
    expect(await heard(41, 1500)).toBe(50);
    expect(await heard(41, 1000)).toBe(50); // the same twice
    expect(await heard(42, 1000, { sentAgoMs: 4000 })).toBe(50); // late
    expect(await heard(42, 1000, { lagMs: 6000 })).toBe(50); // old as it was sent
    expect(await heard(42, 1000)).toBe(42);
    expect(await heard(43, 1000)).toBe(43);

    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    const strict = new Beats(clock, createVerifier([publicKey.export({ type: 'spki', format: 'pem' }).toString()]));
    for (const beat of [50, 40, 41, 42, 43]) {
      const data = encodeFrame({ head: { ...head, beat, lagMs: 0 }, entries: [] }, signer);
      strict.hear({ data, sender: 'p', sentAtMs: clock.monotonicMs() });
      expect(strict.newest?.frame.head.beat).toBe(50);
      await clock.advance(3000);
    }
  });

  test('what is none is noted, and forgotten with the next', () => {
    const beats = new Beats(systemClock, undefined);
    beats.hear({ data: new Uint8Array(5), sender: '', sentAtMs: 0 });
    expect(beats.failure?.code).toBe('delta.truncated');
    expect(beats.newest).toBeNull();
    beats.hear(message({}));
    expect(beats.failure).toBeNull();
  });
});

describe('signals', () => {
  test('either ends it; unlinked, neither does', () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const both = linkSignals(a.signal, b.signal);
    const loose = linkSignals(a.signal, b.signal);
    loose.unlink();
    b.abort();
    expect([both.signal.aborted, loose.signal.aborted]).toEqual([true, false]);
    expect(linkSignals(b.signal).signal.aborted).toBe(true);
  });

  test('work that is not waited for any more', async () => {
    const ending = new AbortController();
    const never = unlessAborted(new Promise(() => {}), ending.signal);
    ending.abort();
    await expect(never).rejects.toMatchObject({ code: 'sync.closed' });
    await expect(unlessAborted(Promise.resolve(1), ending.signal)).rejects.toMatchObject({ code: 'sync.closed' });
    await expect(unlessAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('x')), new AbortController().signal)).rejects.toThrow('x');
  });
});
