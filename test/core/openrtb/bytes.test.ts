/**
 * The byte path by single cases: what is accepted, what is declined and why, and where an identifier might hide.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { createGate } from '../../../src/core/gate.js';
import { createFacts } from '../../../src/core/openrtb/facts.js';
import { NODES } from '../../../src/core/openrtb/field-index.js';
import { FIELDS } from '../../../src/core/openrtb/fields.js';
import { REQUEST_BYTES_MAX, REQUEST_DEPTH_MAX, type RefusalCode } from '../../../src/core/openrtb/json-bytes.js';
import { READ_DEFAULTS } from '../../../src/core/openrtb/read.js';
import { SLOT } from '../../../src/core/openrtb/read-places.js';
import { RESTRICT_DEFAULTS } from '../../../src/core/openrtb/restrict.js';
import { SCAN_DEPTH_MAX, SCAN_MEMBERS_MAX, type ScanFailure, scanRequest } from '../../../src/core/openrtb/scan.js';
import { readScanned } from '../../../src/core/openrtb/scan-read.js';
import { spliceScanned } from '../../../src/core/openrtb/splice.js';
import { SCAN_BYTES_MAX, SCAN_VALUES_MAX } from '../../../src/core/openrtb/tape.js';
import { STRIP_ALL, stripMask } from '../../../src/core/vocabulary.js';
import { expectSameAnswer, expectSameFacts, expectSameRest, parsedBytes } from '../../reference/bytes-twin.js';

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const SHA256 = '5837d278eabede28e37b5766399ed0d1a4cdc36acee8d35710a255032f45beda';
const gate = createGate({ table: 'none', now: () => 0 });
const bytesOf = (text: string): Buffer => Buffer.from(text);
const codeOf = (bytes: Uint8Array): RefusalCode | 'decided' => {
  const answer = gate.checkBytes(bytes);
  return answer.kind === 'refused' ? answer.code : answer.kind;
};

describe('what JSON.parse refuses is refused', () => {
  const INVALID = [
    ...[
      '',
      ' ',
      '{',
      '}',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{,}',
      '{"a":1 "b":2}',
      '{a:1}',
      "{'a':1}",
      '{"a":1}}',
      '{}{}',
    ],
    ...['{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '{"a":[}', '{"a":{]}', '{"a":tru}', '{"a":nul}', '{"a":falsee}'],
    ...['{"a":True}', '{"a":NaN}', '{"a":Infinity}', '{"a":undefined}', '{"a":01}', '{"a":-}', '{"a":-01}', '{"a":1.}'],
    ...[
      '{"a":.5}',
      '{"a":1e}',
      '{"a":1e+}',
      '{"a":+1}',
      '{"a":0x1}',
      '{"a":1_0}',
      '{"a":"\t"}',
      '{"a":"\n"}',
      '{"a":"\0"}',
    ],
    ...[
      '{"a":"\\x41"}',
      '{"a":"\\u12"}',
      '{"a":"\\u12G4"}',
      '{"a":"\\',
      '{"a":"',
      '{"a":"x}',
      '{"a\\":1}',
      '{"a\u0001":1}',
    ],
    ...[
      '{"a":1}\0',
      '{"a":1}x',
      '\u00a0{}',
      '{\u000b}',
      '{"a":1/*c*/}',
      '\ufeff\ufeff{}',
      '{"a"\u2003:1}',
      'null x',
      'tru',
    ],
  ];
  test.each(INVALID)('%j', (text) => {
    expect(() => JSON.parse(text.replace(/^\ufeff/, ''))).toThrow();
    expect(codeOf(bytesOf(text))).toBe('json.invalid');
    expect(gate.filterBytes(bytesOf(text))).toEqual({ kind: 'refused', code: 'json.invalid' });
  });
  test.each([
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong of three', [0xe0, 0x80, 0xaf]],
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['a continuation alone', [0x80]],
    ['a character cut short', [0xe2, 0x82]],
    ['an overlong of four', [0xf0, 0x80, 0x80, 0xaf]],
    ['no byte of UTF-8', [0xff]],
  ])('%s', (_name, bad) => {
    for (const [before, after] of [
      ['{"imp":[],"x":"', '"}'],
      ['{"imp":[],"', '":1}'],
      ['', '{}'],
    ] as const) {
      expect(codeOf(Buffer.concat([bytesOf(before), Buffer.from(bad), bytesOf(after)]))).toBe('json.not_utf8');
    }
  });
  test.each(['null', '1', '"x"', 'true', ' "{}" '])('JSON, but nothing to decide on: %s', (text) => {
    expect(codeOf(bytesOf(text))).toBe('request.invalid');
  });
});

describe('what JSON.parse takes is taken', () => {
  test.each([
    ' \t\r\n{ } ',
    '{"imp":[],"a":[],"b":{},"c":""}',
    '{"imp":[ ],"n":[0,-0,1.5,-1.5e+10,1E5,1e-5,123456789012345678901234567890,1e400,0.1]}',
    '{"imp":[],"s":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud800 \u007f é 😀 \u2028"}',
    '{"":1,"imp":[],"é":{"ü":"ü"}}',
    '[{"imp":[]},{"device":{"ifa":1}}]',
    '\ufeff{"imp":[]}',
  ])('%j', (text) => {
    expect(codeOf(bytesOf(text))).toBe('decided');
    for (const context of [{}, { secGpc: '1' }]) expectSameAnswer(gate, bytesOf(text), context);
  });
  test('a byte order mark is not passed on', () => {
    const answer = gate.filterBytes(bytesOf('\ufeff{"imp":[]}'));
    expect(answer.kind === 'filtered' && Buffer.from(answer.outgoing ?? []).toString()).toBe('{"imp":[]}');
  });
  test('bytes in a shared or larger buffer', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64), 7, 30);
    shared.set(bytesOf('{"imp":[],"device":{"lmt":1}} '));
    expect(gate.checkBytes(shared)).toMatchObject({ action: 'restrict', reasons: ['device.lmt'] });
  });
});

describe('what is declined, and parsed instead', () => {
  const deep = (levels: number) => `{"imp":[],"x":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  const many = (members: number) =>
    `{"imp":[]${Array.from({ length: members }, (_, index) => `,"k${index}":1`).join('')}}`;
  test.each<[ScanFailure | null, string]>([
    [null, '{"imp":[]}'],
    ['not_object', '[]'],
    ['repeated_key', '{"a":1,"a":1}'],
    ['repeated_key', '{"a":{"b":[{"c":1,"d":2,"c":3}]}}'],
    [null, '{"a":1,"A":1,"b":{"a":1}}'],
    ['unusual_key', '{"\\u0069mp":[]}'],
    ['unusual_key', '{"ü":1}'],
    ['unusual_key', '{"Device":{}}'],
    ['unusual_key', '{"device":{"IFA":"x"}}'],
    ['unusual_key', '{"user":{"ext":{"eidS":[]}}}'],
    [null, '{"user":{"Gender":"x"}}'],
    ['layered', '{"openrtb":null}'],
    ['layered', '{"OpenRTB":{}}'],
    ['layered', '{"ext":{"prebid":{"bidderconfig":[]}}}'],
    [null, deep(SCAN_DEPTH_MAX - 1)],
    ['too_deep', deep(SCAN_DEPTH_MAX)],
    [null, many(SCAN_MEMBERS_MAX - 1)],
    ['too_many_members', many(SCAN_MEMBERS_MAX)],
    [null, `[${'0,'.repeat(SCAN_VALUES_MAX - 4)}0]`.replace(/^(.*)$/, '{"imp":[],"a":$1}')],
    ['too_many_values', `{"a":[${'0,'.repeat(SCAN_VALUES_MAX)}0]}`],
    [null, `{"a":"${'x'.repeat(SCAN_BYTES_MAX - 8)}"}`],
    ['too_long', `{"a":"${'x'.repeat(SCAN_BYTES_MAX)}"}`],
  ])('%s', (why, text) => {
    expect(scanRequest(bytesOf(text))).toBe(why);
    for (const context of [{}, { secGpc: '1' }]) expectSameAnswer(gate, bytesOf(text), context);
  });
  test('is counted, like what is refused', () => {
    const counting = createGate({ table: 'none' });
    const twice = bytesOf('{"imp":[],"x":1,"x":2}');
    counting.checkBytes(twice);
    counting.filterBytes(twice);
    counting.filterBytes(bytesOf(`{"imp":[],"user":{"id":"${MAID}"},"x":"${MAID}"}`), { secGpc: '1' });
    counting.filterBytes(bytesOf('{"imp":[],"x":"jane@example.com"}'), { secGpc: '1' });
    counting.checkBytes(bytesOf('{'));
    expect(counting.stats().bytes).toEqual({
      scanned: 2,
      fallbacks: { repeated_key: 2, identifier: 1, email: 1 },
      refusals: { 'json.invalid': 1 },
    });
  });
  test('what is no bid request is decided on, or refused if so wished', () => {
    for (const text of ['{"no":"request"}', '[]', '{"imp":{}}', '{"imp":[],"\\u0069mp":1}']) {
      expect(codeOf(bytesOf(text))).toBe('decided');
      const refused = { kind: 'refused', code: 'request.invalid' };
      expect(gate.checkBytes(bytesOf(text), { requireBidRequest: true })).toEqual(refused);
      expect(gate.filterBytes(bytesOf(text), { requireBidRequest: true })).toEqual(refused);
    }
    for (const text of ['{"imp":[]}', '{"openrtb":{}}']) {
      expect(gate.checkBytes(bytesOf(text), { requireBidRequest: true }).kind).toBe('decided');
    }
  });
});

describe('limits of the object path', () => {
  test('bytes', () => {
    const long = Buffer.alloc(REQUEST_BYTES_MAX + 1, ' ');
    long.write('{}');
    expect(codeOf(long)).toBe('request.too_long');
    expect(codeOf(long.subarray(1))).toBe('json.invalid');
    expect(codeOf(long.subarray(0, REQUEST_BYTES_MAX))).toBe('decided');
  });
  test('nesting', () => {
    const nested = (depth: number) => bytesOf(`{"imp":[],"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`);
    expect(codeOf(nested(REQUEST_DEPTH_MAX))).toBe('decided');
    expect(codeOf(nested(REQUEST_DEPTH_MAX + 1))).toBe('request.too_deep');
    const allowed = gate.filterBytes(nested(REQUEST_DEPTH_MAX));
    expect(allowed.kind === 'filtered' && allowed.outgoing?.length).toBe(nested(REQUEST_DEPTH_MAX).length);
    const regs = bytesOf(`{"imp":[],"regs":{"x":${'['.repeat(90_000)}${']'.repeat(90_000)}}}`);
    expect(gate.filterBytes(regs, { secGpc: '1' })).toEqual({ kind: 'refused', code: 'request.too_deep' });
  });
});

describe('no spelling hides an identifier', () => {
  const OPTED_OUT = '"regs":{"us_privacy":"1YYN"}';
  test.each([
    `"device":{"\\u0069fa":"${MAID}"}`,
    `"\\u0064evice":{"ifa":"${MAID}"}`,
    `"device":{"ifa":"${MAID}"},"device":{}`,
    `"device":{},"device":{"ifa":"${MAID}"}`,
    `"device":{"ifa":"x","ifa":"${MAID}"}`,
    `"device":{"ifa":"${MAID}","ifa":null}`,
    `"device":{"IFA":"${MAID}"}`,
    `"device":{"ifa":"\\u0036${MAID.slice(1)}"}`,
    `"user":{"id":"${MAID}"},"x":"\\u0036${MAID.slice(1)}"`,
    `"user":{"id":"${MAID}"},"x":"${encodeURIComponent(MAID).replace('6', '%36')}"`,
    `"user":{"id":"${MAID}"},"x":"${MAID.toUpperCase()}"`,
    `"user":{"id":"${MAID}"},"x":"${MAID.replaceAll('-', '')}"`,
    `"user":{"id":"${MAID}"},"${MAID}":1`,
    `"user":{"id":"${MAID}"},"x":["a",["${MAID}"]]`,
    `"user":{"id":"${MAID}"},"x":"{\\"a\\":\\"${MAID}\\"}"`,
    `"user":{"id":"kkkkk${MAID}"},"x":"\u212akkkk${MAID}"`,
    `"x":{"ifa":"${MAID}"}`,
    `"x":[{"y":{"eids":["${MAID}"]}}]`,
    `"x":"  https://a.example/?uid=${MAID}"`,
    `"__proto__":{"ifa":"${MAID}"}`,
  ])('%s', (members) => {
    for (const text of [`{"imp":[],${OPTED_OUT},${members}}`, `{${members},${OPTED_OUT},"imp":[]}`]) {
      const answer = gate.filterBytes(bytesOf(text));
      const outgoing = answer.kind === 'filtered' ? Buffer.from(answer.outgoing ?? []).toString() : answer.code;
      expect(outgoing).toContain('1YYN');
      const bare = decodeURIComponent(outgoing).toLowerCase().replaceAll('\\u0036', '6').replaceAll('-', '');
      expect(bare).not.toContain(MAID.replaceAll('-', '').slice(1));
      expectSameAnswer(gate, bytesOf(text), {});
    }
  });
});

describe('an identifier elsewhere is found in every form, or the object path is asked', () => {
  const LONG_URL = `https://vendor.example/${'a1'.repeat(40)}`;
  test.each([
    ['a coarsened address', '"user":{"id":"193.168.244.0"},"device":{"ip":"193.168.244.17"}'],
    ['a rounded coordinate', '"user":{"id":"-1234567.89"},"device":{"geo":{"lat":-1234567.891}}'],
    ['a number in another notation', '"user":{"id":"12300000000"},"x":1.23e10'],
    ['a number that is rounded', '"user":{"id":"12345678901234567000"},"x":12345678901234567001'],
    ['a number', '"user":{"id":12345678901},"x":"12345678901"'],
    ['a number with zeros behind', '"user":{"id":12345678901.50},"x":"a12345678901.5b"'],
    ['a plus for a space', '"user":{"id":"jane doe 1"},"x":"https://a.example/jane+doe+1"'],
    ['percent-encoding', '"user":{"id":"abcdefgh1"},"x":"a%62cdefgh1"'],
    ['an encoded identifier', '"user":{"id":"abc%64efgh1"},"x":"abcdefgh1"'],
    ['an identifier beyond ASCII', '"user":{"id":"Žluťoučký1"},"x":"žluťoučký1"'],
    ['a Kelvin sign', '"user":{"id":"kkkkkkkk1"},"x":"\u212akkkkkkk1"'],
    ['a URL without its scheme', `"user":{"id":"${LONG_URL}"},"x":"${LONG_URL.slice(8)}"`],
    ['the beginning of a long one', `"user":{"id":"${SHA256}${SHA256}"},"x":"${SHA256}"`],
    ['a list under the name of ids', '"user":{"ext":{"vendorids":["abcdefgh1"]}},"x":"abcdefgh1"'],
    ['an id inside what is removed', '"user":{"data":[{"ext":{"uid2":"abcdefgh1"}}]},"x":"abcdefgh1"'],
    ['a bag under an ambiguous name', '"user":{"data":[{"userId":{"v":"abcdefgh1"}}]},"x":"abcdefgh1"'],
    ['JSON inside what is removed', '"user":{"data":["{\\"ifa\\":\\"abcdefgh1\\"}"]},"x":"abcdefgh1"'],
    ['addresses in a list', '"device":{"xff":"10.20.30.40, 50.60.70.80"},"x":"50.60.70.80"'],
    ['something else in the place of an address', '"device":{"ip":{"id":"Abc Def 123"}},"x":"Abc Def 123"'],
    ['short addresses in a list', '"device":{"xff":"1.1.1.1, 2.2.2.2"},"x":"1.1.1.1, 2.2.2.2"'],
    ['an IPv6 address', '"device":{"ipv6":"2001:db8:85a3::8a2e:370:7334"},"x":"2001:db8:85a3::8a2e:370:7334"'],
    ['a key', '"user":{"id":"abcdefgh1"},"x":{"abcdefgh1":{}}'],
    ['a key in percents', '"user":{"id":"abcdefgh1"},"x":{"a%62cdefgh1":{}}'],
    ['an e-mail address as a key', '"x":{"jane@example.com":{"a":1}}'],
    ['an e-mail address in percents', '"x":{"y":["jane%40example.com"]}'],
    ['white space before a URL', '"x":" https://a.example/?gclid=1&b=2"'],
    ['a URL with parameters', '"x":"HTTPS://a.example/?gclid=1&b=2"'],
    [
      'sixty-five identifiers',
      `"user":{"ext":{"a_ids":[${Array.from({ length: 65 }, (_, index) => `"identifier-${index}"`)}]}},"x":"identifier-64"`,
    ],
    ['white space around an identifier', '"user":{"id":"  abcdefgh1 "},"x":"abcdefgh1"'],
    ['what does not name anybody', '"user":{"id":"undefined","buyeruid":"0000-0000"},"x":"undefined 0000-0000"'],
    ['commas, first and last and all', '"user":{"id":1,"gender":"f"},"device":{"ua":"x","ip":"1.2.3"},"x":[{"ifa":1}]'],
  ])('%s', (_name, members) => {
    for (const text of [`{"imp":[],${members}}`, `{${members},"imp":[{"id":"1"}]}`, `{ ${members} , "imp" : [ ] }`]) {
      for (let mask = 1; mask <= STRIP_ALL; mask++) expectSameRest(bytesOf(text), mask, RESTRICT_DEFAULTS);
      expect(scanRequest(bytesOf(text))).toBe(null);
      expectSameAnswer(gate, bytesOf(text), { secGpc: '1' });
    }
  });
});

test('what stays is copied byte for byte', () => {
  const text =
    '{ "imp" : [ {"id":"1", "bidfloor":1.0e0} ] ,\n"device":{"ua":"\\u0041", "ip":"1.2.3.4" , "ifa":"x"}, "tmax":12345678901234567890 }';
  expect(scanRequest(bytesOf(text))).toBe(null);
  const rest = spliceScanned(stripMask(['ids', 'ip']), RESTRICT_DEFAULTS);
  expect(Buffer.from(rest as Uint8Array).toString()).toBe(
    '{ "imp" : [ {"id":"1", "bidfloor":1.0e0} ] ,\n"device":{"ua":"\\u0041", "ip":"1.2.3.0"}, "tmax":12345678901234567890 }',
  );
});

test('an allowed request is the very bytes that came, unless a key stands there twice', () => {
  const plain = bytesOf('{"imp":[],"device":{"ifa":"x"}}');
  expect(gate.filterBytes(plain)).toMatchObject({ outgoing: plain });
  const { outgoing } = gate.filterBytes(plain) as { outgoing: Uint8Array };
  expect(outgoing).toBe(plain);
  const twice = gate.filterBytes(bytesOf(`{"imp":[],"device":{"ifa":"${MAID}"},"device":{}}`));
  expect(twice.kind === 'filtered' && Buffer.from(twice.outgoing ?? []).toString()).toBe('{"imp":[],"device":{}}');
});

test('what goes out is not overwritten by the next request', () => {
  const answer = gate.filterBytes(bytesOf('{"imp":[],"device":{"ifa":"first"},"x":"first"}'), { secGpc: '1' });
  const before = answer.kind === 'filtered' ? Buffer.from(answer.outgoing ?? []).toString() : '';
  gate.filterBytes(bytesOf('{"imp":[],"device":{"ifa":"other"},"x":"other"}'), { secGpc: '1' });
  expect(answer.kind === 'filtered' && Buffer.from(answer.outgoing ?? []).toString()).toBe(before);
});

describe('facts', () => {
  test.each([
    `{"device":{"ifa":"  ${SHA256} "}}`,
    `{"device":{"ifa":"${SHA256.slice(0, 40)}","ext":{"ifa":"SmartTV_9F8E7D6C"}}}`,
    `{"user":{"eids":[{"source":"a.com","uids":[{"id":"${MAID}","atype":2},{"id":"${MAID}","atype":2.0},{"id":1}]}]}}`,
    `{"user":{"eids":[{"uids":[{"id":"${SHA256}"}]},{"source":1,"uids":[{"id":" ${SHA256} "}]},{"source":"\\u0061","uids":[{"id":"x"}]}]}}`,
    `{"user":{"id":123,"buyeruid":"0-0","ext":{"prebid":{"buyeruids":{"b":"x","1":"y","c":[],"d":2}}}}}`,
    '{"app":{},"device":{"os":"iOS","osv":"14.1"}}',
    '{"app":{},"device":{"os":"\\u0069os","osv":" 14.0"}}',
    '{"app":null,"device":{"os":"iOS","osv":"14.1"}}',
    '{"regs":{"gpp_sid":["7",8,[],null],"gpp":"x","ext":{"gpp":"y","gpp_sid":"7_8","gpc":1}}}',
    '{"regs":[],"device":1,"user":"x"}',
    '{"device":{"geo":[],"ext":2,"lmt":1e0,"dnt":"1"},"user":{"eids":{},"ext":{"eids":[1,{"uids":[2]}],"prebid":3}}}',
    `{"user":{"eids":[{"source":"a","uids":[${Array(140).fill('{"id":"x"}')}]}]}}`,
  ])('%s', (text) => {
    expect(expectSameFacts(bytesOf(text))).toBe(true);
    expect(expectSameFacts(bytesOf(text), { ...READ_DEFAULTS, userIdNamespace: null, emptyIsAbsent: true })).toBe(true);
  });
  test('every row that reads has a place the scanner remembers', () => {
    const read = FIELDS.filter(({ reads, path }) => reads !== undefined && !path.startsWith('openrtb'));
    expect(read.map(({ path }) => path).filter((path) => !(path in SLOT))).toEqual([]);
    expect(NODES.length).toBeGreaterThan(100);
  });
  test('the slots of device ids are next to each other', () => {
    const names = ['ifv', 'idfa', 'idfv', 'gaid', 'aaid', 'adid', 'oaid'] as const;
    const first = SLOT['device.ext.ifv'];
    expect(names.map((name) => SLOT[`device.ext.${name}`])).toEqual(names.map((_, index) => first + index));
  });
  test('facts of one request do not show in the next', () => {
    const facts = createFacts();
    scanRequest(bytesOf(`{"imp":[],"device":{"ifa":"${MAID}","lmt":1}}`));
    scanRequest(bytesOf('{"imp":[]}'));
    readScanned(facts, READ_DEFAULTS);
    expect(facts).toEqual(createFacts());
  });
});

/** Every cut of a request, and every byte of it changed. */
test('no byte past the end, no byte overlooked', () => {
  const whole = bytesOf(
    `{"imp":[{"id":"1"}],"device":{"ifa":"${MAID}","lmt":0,"x":[true,null,-1.5e3]},"y":"a\\u0041é"}`,
  );
  for (let end = 0; end <= whole.length; end++) expectSameAnswer(gate, whole.subarray(0, end), { secGpc: '1' });
  for (let at = 0; at < whole.length; at++) {
    for (const byte of [0, 0x20, 0x22, 0x2c, 0x5c, 0x7d, 0x80, 0xff]) {
      const changed = Buffer.from(whole);
      changed[at] = byte;
      expectSameAnswer(gate, changed, { secGpc: '1' });
      expect(parsedBytes(changed) === null).toBe(gate.checkBytes(changed).kind === 'refused');
    }
  }
});
