import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coarsenIpv4, coarsenIpv6 } from '../../../src/core/openrtb/ip.js';

describe('IPv4', () => {
  test.each([
    ['193.168.244.1', 24, '193.168.244.0'],
    ['193.168.244.255', 16, '193.168.0.0'],
    ['255.255.255.255', 25, '255.255.255.128'],
    ['8.8.8.8', 32, '8.8.8.8'],
    ['8.8.8.8', 0, '0.0.0.0'],
    ['8.8.8.8', -5, '0.0.0.0'],
    ['8.8.8.8', 99, '8.8.8.8'],
    ['8.8.8.8', Number.NaN, '0.0.0.0'],
    ['8.8.8.0', 24, '8.8.8.0'],
  ])('%s keeps %d bits', (text, bits, kept) => expect(coarsenIpv4(text, bits)).toBe(kept));

  test.each([
    '',
    '8.8.8',
    '8.8.8.8.8',
    '8.8.8.256',
    '8.8.8.08',
    '8.8.8.8 ',
    ' 8.8.8.8',
    '8.8.8.8:80',
    '8.8.8.-1',
    '0x8.8.8.8',
    '8..8.8',
    '2001:db8::1',
    '::ffff:8.8.8.8',
    '<nil>',
    '1234',
  ])('%j is no IPv4 address', (text) => expect(coarsenIpv4(text, 24)).toBeUndefined());

  test('any text: an address exactly where Node sees one, and idempotent', () => {
    const texts = fc.oneof(
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom('1', '2', '0', '.', '5') }),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 32 }), (text, bits) => {
        const kept = coarsenIpv4(text, bits);
        expect(kept !== undefined).toBe(isIPv4(text));
        if (kept === undefined) return;
        expect(bitsOf4(kept)).toBe((bitsOf4(text) >> BigInt(32 - bits)) << BigInt(32 - bits));
        expect(coarsenIpv4(kept, bits)).toBe(kept);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('IPv6', () => {
  test.each([
    ['2001:0db8:85a3:0000:0000:8a2e:0370:7334', 48, '2001:db8:85a3::'],
    ['2001:db8::1', 48, '2001:db8::'],
    ['2001:DB8::1', 64, '2001:db8::'],
    ['1111::6666:7777:8888', 64, '1111::'],
    ['1111:2222:3333:4444:5555:6666:7777:8888', 56, '1111:2222:3333:4400::'],
    ['af47:892b:3e98:b49a:a747:bda4:a6c8:aee2', 56, 'af47:892b:3e98:b400::'],
    ['fe80::1:2:3:4', 128, 'fe80::1:2:3:4'],
    ['2001:db8:0:0:1:0:0:1', 128, '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', 128, '2001:0:0:1::1'],
    ['2001:db8:0:1:1:1:1:1', 128, '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', 128, '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', 128, '0:2:3:4:5:6:7:8'],
    ['64:ff9b::192.0.2.33', 128, '64:ff9b::c000:221'],
    ['::', 48, '::'],
    ['::1', 0, '::'],
    ['0:0:0:0:0:0:0:0', 48, '::'],
  ])('%s keeps %d bits', (text, bits, kept) => expect(coarsenIpv6(text, bits, 24)).toBe(kept));

  test.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    '12345::',
    'g::',
    '1:',
    ':1',
    'fe80::1%eth0',
    '2001:db8::/32',
    '[::1]',
    '::1.2.3',
    '::1.2.3.256',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3.4:5',
    '8.8.8.8',
    'test-ip-v6',
  ])('%j is no IPv6 address', (text) => expect(coarsenIpv6(text, 48, 24)).toBeUndefined());

  test.each(['::ffff:1.2.3.4', '::FFFF:0102:0304', '0:0:0:0:0:ffff:8.8.8.8'])(
    'an IPv4-mapped address is refused: %s',
    (text) => expect(coarsenIpv6(text, 128, 24)).toBeUndefined(),
  );

  test('a 6to4 address keeps no more of its IPv4 address than IPv4 would', () => {
    expect(coarsenIpv6('2002:c000:0204::1', 48, 24)).toBe('2002:c000:200::');
    expect(coarsenIpv6('2002:c000:0204::1', 48, 16)).toBe('2002:c000::');
    expect(coarsenIpv6('2002:c000:0204::1', 24, 24)).toBe('2002:c000::');
  });

  test('any text: an address exactly where Node sees one, written as a browser writes it, and idempotent', () => {
    const texts = fc.oneof(
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom('1', 'a', 'F', '0', ':', '::', '.', ':0', ':ffff') }),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 128 }), (text, bits) => {
        const kept = coarsenIpv6(text, bits, 32);
        const address = isIPv6(text) ? bitsOf6(text) : undefined;
        const mapped = address !== undefined && address >> 32n === 0xffffn;
        const is6to4 = address !== undefined && address >> 112n === 0x2002n;
        expect(kept !== undefined).toBe(address !== undefined && !mapped);
        if (kept === undefined || address === undefined || is6to4) return;
        const dropped = BigInt(128 - bits);
        expect(bitsOf6(kept)).toBe((address >> dropped) << dropped);
        expect(kept).toBe(new URL(`http://[${kept}]/`).hostname.slice(1, -1));
        expect(coarsenIpv6(kept, bits, 32)).toBe(kept);
      }),
      { numRuns: 3000 },
    );
  });
});

function bitsOf4(text: string): bigint {
  return text.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
}

/** By way of the URL parser, which knows every spelling. */
function bitsOf6(text: string): bigint {
  const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = '', tail] = host.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const gap = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(gap).fill('0'), ...groups(tail ?? '')];
  return all.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
