/**
 * Verification of audit trails: against the slow reference, whatever is done to the bytes; and each fault by its name.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSigner } from '../../../src/core/suppression/index.js';
import { type TrailReport, TrailVerifier } from '../../../src/ledger/audit/verify-trail.js';
import { cases } from '../../cases.js';
import { firstBadEntry } from '../../reference/audit-trail.js';
import { bytesOf, LEDGER_ID, PUBLIC_KEY, type Said, saidArbitrary, trailLines, VERIFIER } from './trail-maker.js';

type Options = ConstructorParameters<typeof TrailVerifier>[0];

function verify(bytes: Uint8Array, options: Options = { verifier: VERIFIER }, pieceBytes = 1 << 20): TrailReport {
  const trail = new TrailVerifier(options);
  for (let at = 0; at < bytes.length; at += pieceBytes) trail.write(bytes.subarray(at, at + pieceBytes));
  return trail.end();
}

const trail = fc.array(saidArbitrary, { maxLength: 12 });

test('a trail is valid, however its bytes come in', () => {
  fc.assert(
    fc.property(trail, fc.integer({ min: 1, max: 4000 }), (some, pieceBytes) => {
      const said = [...some, CHECKPOINT];
      const bytes = bytesOf(trailLines(said));
      const report = verify(bytes, undefined, pieceBytes);
      expect(report).toMatchObject({ fault: null, entryCount: said.length, ledgerId: LEDGER_ID, unsignedCount: 1 });
      expect(report.checkpointCount).toBe(said.filter(({ kind }) => kind === 'checkpoint').length);
      expect(firstBadEntry(bytes, PUBLIC_KEY)).toBe(null);
    }),
    { numRuns: cases(200) },
  );
});

/** Something done to the bytes of a trail. */
const harm = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), mask: fc.nat(255) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('drop line' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('repeat line' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('swap lines' as const), at: fc.nat(), other: fc.nat() }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
);
type Harm = typeof harm extends fc.Arbitrary<infer H> ? H : never;

function harmed(lines: readonly string[], what: Harm): Buffer {
  const bytes = bytesOf(lines);
  const at = what.at % bytes.length;
  const line = what.at % lines.length;
  switch (what.kind) {
    case 'flip':
      bytes[at] = (bytes[at] ?? 0) ^ what.mask;
      return bytes;
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), Buffer.of(what.mask), bytes.subarray(at)]);
    case 'remove':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    case 'cut':
      return bytes.subarray(0, at);
    case 'drop line':
      return bytesOf(lines.filter((_, index) => index !== line));
    case 'repeat line':
      return bytesOf(lines.flatMap((text, index) => (index === line ? [text, text] : [text])));
    case 'swap lines': {
      const swapped = [...lines];
      const other = what.other % lines.length;
      [swapped[line], swapped[other]] = [lines[other] ?? '', lines[line] ?? ''];
      return bytesOf(swapped);
    }
  }
}

test('whatever is done to a trail is found, and the reference names the same entry', () => {
  fc.assert(
    fc.property(trail, harm, (said, what) => {
      const lines = trailLines(said);
      const bytes = harmed(lines, what);
      const report = verify(bytes);
      expect(report.fault?.n ?? null).toBe(firstBadEntry(bytes, PUBLIC_KEY));
      if (!bytes.equals(bytesOf(lines))) expect(report.fault).not.toBe(null);
    }),
    { numRuns: cases(2_000) },
  );
});

const OPT_OUT: Said = {
  kind: 'request.opt_out',
  actor: { role: 'intake', name: 'web-form', via: 'http' },
  subject: 'r_1234567890123456789012',
  body: { channel: 'web_form' },
};
const CHECKPOINT: Said = {
  kind: 'checkpoint',
  actor: { role: 'system', name: null, via: 'library' },
  subject: null,
  body: {},
};
const SAID = [OPT_OUT, OPT_OUT, OPT_OUT, CHECKPOINT, { ...OPT_OUT, kind: 'export.recorded' }, CHECKPOINT, OPT_OUT];

test('any one flipped bit is found', () => {
  const bytes = bytesOf(trailLines(SAID));
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    expect(verify(bytes, {}).fault, `byte ${at}`).not.toBe(null);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
  }
  expect(verify(bytes).fault).toBe(null);
});

describe('what is wrong is said of the first bad entry', () => {
  const lines = trailLines(SAID);
  const without = (n: number) => lines.filter((_, index) => index !== n);
  const other = trailLines(SAID.map((one, index) => (index === 2 ? { ...one, subject: 'x' } : one)));
  const stranger = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

  test.each<[string, readonly string[], Options, { n: number; code: string }]>([
    ['one is missing', without(3), {}, { n: 3, code: 'number' }],
    ['the end is missing', lines.slice(0, -2), {}, { n: 6, code: 'truncated' }],
    [
      'there is one too many',
      [...lines.slice(0, -1), ...trailLines([...SAID, OPT_OUT]).slice(-2)],
      {},
      { n: 0, code: 'header' },
    ],
    [
      'one is from elsewhere',
      lines.map((line, n) => (n === 3 ? (other[3] ?? '') : line)),
      {},
      { n: 4, code: 'previous' },
    ],
    [
      'a word is another',
      lines.map((line, n) => (n === 2 ? line.replace('web-form', 'web-frog') : line)),
      {},
      { n: 2, code: 'hash' },
    ],
    ['a space', lines.map((line, n) => (n === 2 ? line.replace(':', ': ') : line)), {}, { n: 2, code: 'form' }],
    ['no header', without(0), {}, { n: 0, code: 'header' }],
    [
      'another ledger',
      [lines[0]?.replace('11111111', '21111111') ?? '', ...lines.slice(1)],
      {},
      { n: 1, code: 'previous' },
    ],
    [
      'a rewritten past',
      trailLines(
        SAID.map((one, index) => (index === 1 ? { ...one, subject: null } : one)),
        LEDGER_ID,
        createSigner(stranger),
      ),
      { verifier: VERIFIER },
      { n: 4, code: 'unknown_key' },
    ],
    [
      'a signature for another ledger',
      trailLines(SAID, LEDGER_ID).map((line, n) => (n === 4 ? resigned(line) : line)),
      { verifier: VERIFIER },
      { n: 4, code: 'hash' },
    ],
    ['nothing is signed', trailLines([OPT_OUT]), { verifier: VERIFIER }, { n: 1, code: 'unsigned' }],
    ['nothing is there to be signed', trailLines([]), { verifier: VERIFIER }, { n: 1, code: 'unsigned' }],
    ['a head that is another', lines, { head: { n: 5, hash: 'ab'.repeat(32) } }, { n: 5, code: 'head' }],
    ['a head that is further on', lines, { head: { n: 9, hash: 'ab'.repeat(32) } }, { n: 8, code: 'truncated' }],
  ])('%s', (_, given, options, fault) => expect(verify(bytesOf(given), options).fault).toEqual(fault));

  test('a trail that is not signed may be valid where that is said', () => {
    const options = { verifier: VERIFIER, isUnsignedAllowed: true };
    const report = verify(bytesOf(trailLines([OPT_OUT])), options);
    expect(report).toMatchObject({ fault: null, signedUpTo: 0, unsignedCount: 1 });
  });

  function resigned(line: string): string {
    const elsewhere = trailLines(SAID, LEDGER_ID.replace('1', '9'))[4] ?? '';
    const signature = /"signature":"[^"]*"/.exec(elsewhere)?.[0] ?? '';
    return line.replace(/"signature":"[^"]*"/, signature);
  }

  test.each<[string, object, string | null]>([
    ['of another entry', { n: 5 }, 'checkpoint'],
    ['of another hash', { head: 'ab'.repeat(32) }, 'checkpoint'],
    ['with a member too many', { more: 1 }, 'checkpoint'],
    ['without a key', { keyId: 'x' }, 'checkpoint'],
    ['with a signature that is none', { signature: 'x' }, 'checkpoint'],
    ['with another signature', { signature: 'A'.repeat(86) }, 'signature'],
    ['with another key', { keyId: 'ab'.repeat(8) }, 'unknown_key'],
    ['as it should be', {}, null],
  ])('a checkpoint %s, whose hash is right', (_, change, code) => {
    const { body } = JSON.parse(lines[4] ?? '');
    const forged = { ...CHECKPOINT, body: { ...body, ...change }, isForged: true };
    const bytes = bytesOf(trailLines([...SAID.slice(0, 3), forged]));
    expect(verify(bytes).fault).toEqual(code === null ? null : { n: 4, code });
    expect(firstBadEntry(bytes, PUBLIC_KEY)).toBe(code === null ? null : 4);
  });

  test('something behind the end', () => {
    for (const more of ['x', '{}', lines[1] ?? '']) {
      const bytes = Buffer.concat([bytesOf(lines), Buffer.from(more)]);
      expect(verify(bytes).fault).toEqual({ n: lines.length, code: 'form' });
      expect(firstBadEntry(bytes)).toBe(lines.length);
    }
  });

  test('nothing at all', () => {
    expect(verify(Buffer.alloc(0)).fault).toEqual({ n: 0, code: 'header' });
    expect(verify(Buffer.from('\n')).fault).toEqual({ n: 0, code: 'header' });
    expect(verify(Buffer.alloc(3_000_000, 'a')).fault).toEqual({ n: 0, code: 'header' });
  });

  test('how far it is signed, where keys are given', () => {
    expect(verify(bytesOf(lines)).signedUpTo).toBe(5);
    expect(verify(bytesOf(lines), {}).signedUpTo).toBe(null);
    expect(verify(bytesOf(trailLines([OPT_OUT]))).signedUpTo).toBe(0);
  });
});
