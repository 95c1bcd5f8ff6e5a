/**
 * The scanner in WebAssembly where it takes sixteen bytes at once: everything at every place of a chunk and over its ends, and the
 * same answers without WebAssembly.
 * @module
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createGate } from '../../../src/core/gate.js';
import { cutCount, joinPlainly } from '../../../src/core/openrtb/cuts.js';
import { NAMES } from '../../../src/core/openrtb/field-index.js';
import { RESTRICT_DEFAULTS } from '../../../src/core/openrtb/restrict.js';
import { scanRequest } from '../../../src/core/openrtb/scan.js';
import { JOINED_AT, SCAN_BYTES_MAX, scanMemory } from '../../../src/core/openrtb/scan-memory.js';
import { simd } from '../../../src/core/openrtb/scan-simd.js';
import { spliceScanned } from '../../../src/core/openrtb/splice.js';
import { FROM, TO, tape } from '../../../src/core/openrtb/tape.js';
import { STRIP_ALL } from '../../../src/core/vocabulary.js';
import { expectSameAnswer, expectSameFacts, expectSameRest, expectSameTape } from '../../reference/bytes-twin.js';
import { REAL_REQUESTS } from './requests.js';

const CHUNK = 16;
/** Offsets over the ends of several chunks. */
const OFFSETS = Array.from({ length: 4 * CHUNK + 2 }, (_, offset) => offset);
const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const gate = createGate({ table: 'none', now: () => 0 });
/** What the types of Node.js 20 leave out. */
const { Memory } = (globalThis as unknown as { readonly WebAssembly: { readonly Memory: unknown } }).WebAssembly;

function expectTwins(json: string | Buffer): void {
  const bytes = Buffer.from(json);
  expectSameTape(bytes);
  expectSameFacts(bytes);
  expectSameRest(bytes, STRIP_ALL, RESTRICT_DEFAULTS);
  expectSameAnswer(gate, bytes, { secGpc: '1' });
}

test('there is WebAssembly with SIMD here', () => expect(simd).not.toBeNull());

describe('in a text, at every offset', () => {
  test.each([
    ...['', '%', '@', '?', '#', ';', '&', '%40', 'a@b.example', '\u007f', '/'],
    ...['\\"', '\\\\', '\\/', '\\u0040', '\\n', '\\x', '\\u00g0', '\\'],
    ...['ü', '€', '😀', '\u0001', '\t', '\n', '\0', '"', '","', '"}'],
  ])('%j', (part) => {
    for (const offset of OFFSETS) {
      for (const rest of ['', 'b'.repeat(offset % 19)]) {
        expectTwins(`{"imp":[],"x":"${'a'.repeat(offset)}${part}${rest}"}`);
      }
    }
  });
  test.each([
    ['a continuation alone', [0x80]],
    ['a character cut short', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['no byte of UTF-8', [0xff]],
  ])('%s', (_name, bad) => {
    for (const offset of OFFSETS) {
      const before = Buffer.from(`{"imp":[],"x":"${'a'.repeat(offset)}`);
      expectTwins(Buffer.concat([before, Buffer.from(bad), Buffer.from('"}')]));
    }
  });
  test('backslashes in a row, before a quote and before the end of the text', () => {
    for (const offset of OFFSETS) {
      for (let count = 1; count <= 2 * CHUNK + 1; count++) {
        const text = `${'a'.repeat(offset)}${'\\'.repeat(count)}`;
        expectTwins(`{"imp":[],"x":"${text}","y":"${text}"z"}`);
      }
    }
  });
  test('a request that ends anywhere, with an earlier one behind it', () => {
    const [whole] = REAL_REQUESTS.map(({ request }) => Buffer.from(JSON.stringify(request)));
    for (let end = 0; end <= (whole?.length ?? 0); end++) {
      scanRequest(whole ?? Buffer.alloc(0));
      expectSameTape((whole ?? Buffer.alloc(0)).subarray(0, end));
    }
  });
});

describe('keys', () => {
  test('of every length, and twice', () => {
    for (const length of OFFSETS) {
      const key = 'k'.repeat(length);
      expectTwins(`{"imp":[],"${key}":1}`);
      expectTwins(`{"imp":[],"${key}":1,"${key}l":2,"l${key}":3,"${key.slice(1)}l":4}`);
      expect(scanRequest(Buffer.from(`{"${key}":1,"imp":[],"${key}":2}`))).toBe('repeated_key');
      for (const part of ['"', '\\"', 'ü', '\u0001', '%', '@']) expectTwins(`{"imp":[],"${key}${part}":1}`);
    }
  });
  test('that differ in the middle alone have one hash, and are told apart', () => {
    const keys = Array.from({ length: 8 }, (_, index) => `abcdefgh${index}ijklmnopq`);
    expectTwins(`{"imp":[],${keys.map((key) => `"${key}":1`).join()}}`);
    expect(scanRequest(Buffer.from(`{${keys.map((key) => `"${key}":1`).join()},"${keys[3]}":2}`))).toBe('repeated_key');
  });
  test('long names, and keys that differ from them in the middle alone', () => {
    const names = NAMES.filter((name) => name.length > 24);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const key = `${name.slice(0, 17)}~${name.slice(18)}`;
      expectTwins(`{"imp":[],"user":{"ext":{"${key}":"${MAID}","${name}":"x"}}}`);
    }
  });
  test.each(NAMES.slice(1))('%s, in its place and others, in any case', (name) => {
    const oneOff = [`${name}x`, `x${name}`, name.slice(1), `${name.slice(0, -1)}~`];
    for (const key of [name, name.toUpperCase(), `${name.slice(0, -1)}${name.slice(-1).toUpperCase()}`, ...oneOff]) {
      expectTwins(`{"imp":[{"ext":{"${key}":"${MAID}"}}],"regs":{"${key}":1}}`);
      expectTwins(
        `{"imp":[],"device":{"${key}":"${MAID}","ext":{"${key}":{"${key}":[1]}}},"user":{"${key}":"${MAID}"}}`,
      );
      if (key !== 'imp') expectTwins(`{"imp":[],"${key}":{"${key}":[{"${key}":null}]}}`);
    }
  });
});

describe('sizes', () => {
  test('the longest request that is scanned, and one byte more', () => {
    const frame = '{"imp":[],"x":""}';
    const longest = `{"imp":[],"x":"${'a'.repeat(SCAN_BYTES_MAX - frame.length)}"}`;
    expect(scanRequest(Buffer.from(longest))).toBeNull();
    expectTwins(longest);
    expectTwins(longest.replace('"x":"a', '"x":"\\'));
    expect(scanRequest(Buffer.from(`${longest} `))).toBe('too_long');
    expectTwins(`${longest} `);
  });
  test.each([1, 10_000, 70_000, 120_000])('JSON in a text, %i values', (count) => {
    const inner = JSON.stringify({ a: Array.from({ length: count }, (_, index) => index % 10) });
    expectTwins(JSON.stringify({ imp: [{ native: { request: inner } }], user: { id: MAID } }));
    expectTwins(
      JSON.stringify({ imp: [{ native: { request: `${inner.slice(0, -1)},"b":"x${MAID}"}` } }], user: { id: MAID } }),
    );
  });
  test('more text in place of what came than there is room for', () => {
    const texts = Array.from({ length: 3_000 }, (_, index) => `https://a.example/${index}?gclid=1&x=${'ü'.repeat(9)}`);
    expectTwins(JSON.stringify({ imp: [], user: { id: MAID }, ext: { texts } }));
  });
});

describe('JSON in a text', () => {
  test.each([
    '{"a":{"b":"c"}}',
    '{"a":1,"a":2}',
    '{"uid":"x"}',
    `{"a":{"ifa":"${MAID}"}}`,
    `{"a":"${MAID}"}`,
    '{"a":"b@c.example"}',
    '{"a":"%62%40c.example"}',
    '{"a":"http://x.example/?gclid=1"}',
    '{"a":"\\u0062@c.example"}',
    '{"a":"{\\"ifa\\":1}"}',
    '{"a":12345678901234567890}',
    '{"a":"ü"}',
    '{"a":1',
    '{"a":1}}',
    ' {"ifa":1}',
    '[{"ifa":1}]',
    '{"a\\u0001":1}',
    '{}',
    '{"imp":[{"id":"1"}],"device":{"ip":"192.0.2.77"}}',
  ])('%j', (inner) => {
    for (const value of [inner, { deep: [inner] }]) {
      expectTwins(
        JSON.stringify({ imp: [{ native: { request: value } }], device: { ifa: MAID }, user: { ext: { x: inner } } }),
      );
    }
    expectTwins(JSON.stringify({ imp: [{ native: { request: inner } }] }).replaceAll('/', '\\/'));
  });
});

describe('what was removed is searched for', () => {
  const spliced = (rest: string): unknown => {
    expect(
      scanRequest(Buffer.from(`{"imp":[],"user":{"id":"${MAID}","buyeruid":"some-id-12345"},"ext":${rest}}`)),
    ).toBeNull();
    return spliceScanned(STRIP_ALL, RESTRICT_DEFAULTS);
  };
  test('at every offset, in any case', () => {
    for (const offset of OFFSETS) {
      const before = 'a'.repeat(offset);
      for (const id of [MAID, MAID.toUpperCase(), MAID.replaceAll('-', ''), 'Some-ID-12345']) {
        for (const behind of ['', 'b', 'b'.repeat(CHUNK)]) {
          expect(spliced(`{"x":"${before}${id}${behind}"}`)).toBe('identifier');
          expect(spliced(`{"${before}${id}${behind}":1}`)).toBe('identifier');
          expectTwins(`{"imp":[],"user":{"id":"${MAID}"},"ext":{"x":"${before}${id}${behind}"}}`);
        }
      }
      for (const near of [
        `7${MAID.slice(1)}`,
        `${MAID.slice(0, 7)}b${MAID.slice(8)}`,
        'some-id-12346',
        'some-id-1234',
      ]) {
        expect(spliced(`{"x":"${before}${near}"}`)).toBeInstanceOf(Uint8Array);
      }
    }
  });
  test('in what stands instead of what came, and in what is left of a text', () => {
    expectTwins('{"imp":[],"device":{"ip":"203.0.113.77","ext":{"id":"203.0.113.0"}}}');
    expectTwins('{"imp":[],"user":{"id":"203.0.113.0"},"device":{"ip":"203.0.113.77"}}');
    expectTwins(`{"imp":[],"user":{"id":"${MAID}"},"site":{"page":"https://a.example/${MAID}?gclid=1"}}`);
  });
  test.each([
    ['some%2Did%2D12345', 'some-id-12345'],
    ['some id 12345', 'some+id+12345'],
    [`https://${'b'.repeat(70)}`, `http://${'b'.repeat(64)}`],
  ])('an identifier of an unusual kind: %s', (id, x) => {
    expectTwins(JSON.stringify({ imp: [], user: { id }, ext: { x } }));
  });
  test('many of them', () => {
    for (const count of [1, 2, 15, 16, 17, 64, 65]) {
      const uids = Array.from({ length: count }, (_, index) => ({ id: `identifier-${index}-x` }));
      const request = { imp: [], user: { eids: [{ source: 'a.example', uids }] } };
      for (const x of ['identifier-0-x', `identifier-${count - 1}-x`, 'identifier-0-y']) {
        expectTwins(JSON.stringify({ ...request, ext: { x } }));
      }
    }
  });
});

test('what stays is joined as by the plain function', () => {
  const memory = new Uint8Array(scanMemory);
  for (const { request } of REAL_REQUESTS) {
    if (scanRequest(Buffer.from(JSON.stringify(request))) !== null) continue;
    if (typeof spliceScanned(STRIP_ALL, RESTRICT_DEFAULTS) === 'string') continue;
    const end = simd?.join(cutCount(), tape[FROM] ?? 0, tape[TO] ?? 0) ?? 0;
    const joined = Buffer.from(memory.subarray(JOINED_AT, end));
    memory.fill(0, JOINED_AT, end);
    expect(joinPlainly(cutCount())).toBe(end);
    expect(joined.equals(memory.subarray(JOINED_AT, end))).toBe(true);
  }
});

describe('without WebAssembly', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });
  test.each([
    ['none at all', undefined],
    [
      'no memory for it',
      {
        Memory: class {
          constructor() {
            throw new RangeError('could not allocate memory');
          }
        },
      },
    ],
    ['none with SIMD', { Memory, Module: Memory, Instance: Memory }],
  ])('%s: the same answers', async (_name, stub) => {
    vi.stubGlobal('WebAssembly', stub);
    vi.resetModules();
    const { simd: missing } = await import('../../../src/core/openrtb/scan-simd.js');
    const { createGate: createPlainGate } = await import('../../../src/core/gate.js');
    expect(missing).toBeNull();
    const plain = createPlainGate({ table: 'none', now: () => 0 });
    for (const { request } of REAL_REQUESTS) {
      const bytes = Buffer.from(JSON.stringify(request));
      const answers = [plain, gate].map((one) => one.filterBytes(bytes, { secGpc: '1' }));
      const [first, second] = answers.map((answer) =>
        answer.kind === 'refused' ? answer.code : Buffer.from(answer.outgoing ?? []).toString(),
      );
      expect(first).toBe(second);
    }
    expect(plain.stats().bytes).toEqual(createStats());
  });
  function createStats(): unknown {
    const fresh = createGate({ table: 'none', now: () => 0 });
    for (const { request } of REAL_REQUESTS) {
      fresh.filterBytes(Buffer.from(JSON.stringify(request)), { secGpc: '1' });
    }
    return fresh.stats().bytes;
  }
});
