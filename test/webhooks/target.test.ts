/**
 * Where a webhook may lead: URLs when they are registered, addresses when they are connected to.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { classOfAddress, mayConnect, readTarget } from '../../src/ledger/index.js';
import { checkTarget } from '../../src/webhooks/index.js';

const ADDRESSES = {
  public: [
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00::1',
  ],
  private: [
    ...[
      '127.0.0.1',
      '127.255.255.254',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '100.127.255.255',
    ],
    ...['::1', '0:0:0:0:0:0:0:1', 'fc00::1', 'fd12:3456::1', '::ffff:10.0.0.1', '::ffff:7f00:1', '::FFFF:127.0.0.1'],
    ...['64:ff9b::10.0.0.1', '2002:7f00:1::'],
  ],
  refused: [
    ...[
      '0.0.0.0',
      '0.1.2.3',
      '169.254.169.254',
      '169.254.0.1',
      '224.0.0.1',
      '239.1.1.1',
      '240.0.0.1',
      '255.255.255.255',
    ],
    ...['192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9'],
    ...[
      '::',
      'fe80::1',
      'febf::1',
      'fec0::1',
      'ff02::1',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '::127.0.0.1',
      '::7f00:1',
    ],
    ...[
      '100.100.100.200',
      '168.63.129.16',
      '::ffff:100.100.100.200',
      'fd00:ec2::254',
      'fd20:ce:0::254',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::1',
      '2002:a9fe:a9fe::',
      '2001:db8::1',
      '2001::1',
      '100::1',
      '4000::1',
      'fe80::1%eth0',
    ],
    ...['', 'localhost', '2130706433', '0x7f.1', '1.2.3', '::1::'],
  ],
} as const;

for (const [kind, addresses] of Object.entries(ADDRESSES)) {
  test.each(addresses)(`${kind}: %s`, (address) => expect(classOfAddress(address)).toBe(kind));
}

test('private ones are for those who have said so, refused ones for nobody', () => {
  expect([mayConnect('10.0.0.1', false), mayConnect('10.0.0.1', true)]).toEqual([false, true]);
  expect([mayConnect('169.254.169.254', true), mayConnect('8.8.8.8', false)]).toEqual([false, true]);
});

describe('URLs', () => {
  const refusal = (url: unknown, allowPrivate = false) => {
    try {
      readTarget(url, allowPrivate);
      return null;
    } catch (error) {
      const { field, code, message } = error as { field: string; code: string; message: string };
      if (typeof url === 'string' && url.length > 20) expect(message).not.toContain(url.slice(10));
      return [field, code];
    }
  };

  test.each([
    'https://crm.example.com/hooks/1?token=abc',
    'http://crm.example.com:8443/',
    'HTTPS://CRM.example.com',
    'https://[2606:4700::1111]/',
  ])('taken: %s', (url) => expect(refusal(url)).toBeNull());

  test.each([
    ...[
      'ftp://crm.example.com/',
      'file:///etc/passwd',
      'gopher://x/',
      'javascript:alert(1)',
      '//crm.example.com',
      'crm.example.com',
    ],
    ...['https://user@crm.example.com/', 'https://user:pass@crm.example.com/', 'https://crm.example.com/#x'],
    ...[
      'https://crm.example.com/\r\nX-Injected: 1',
      'https://crm.example.com/\tx',
      'https://crm.example.com/ x',
      'ht\ntps://x/',
    ],
    ...['https://crm.example.com\\@10.0.0.1/', 'https://crm.exämple.com/', 'https://', 'https://a:99999/', ''],
  ])('malformed: %j', (url) => expect(refusal(url)).toEqual(['url', 'malformed']));

  test.each([
    ...[
      'http://127.0.0.1/',
      'http://2130706433/',
      'http://0177.0.0.1/',
      'http://0x7f000001/',
      'http://127.1/',
      'http://017700000001/',
    ],
    ...[
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
      'http://[0:0:0:0:0:ffff:7f00:1]:80/',
      'http://10.1.2.3:9/',
      'http://192.168.0.1',
    ],
    ...['http://localhost/', 'http://LOCALHOST./', 'http://a.localhost:80/', 'http://100.64.0.1/', 'http://[fd00::1]/'],
  ])('private: %s', (url) => {
    expect(refusal(url)).toEqual(['url', 'reserved']);
    expect(refusal(url, true)).toBeNull();
  });

  test.each([
    'http://169.254.169.254/latest/',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://[fe80::1]/',
    'http://0/',
    'http://224.0.0.1/',
  ])('refused whoever asks: %s', (url) => expect(refusal(url, true)).toEqual(['url', 'reserved']));

  test('other types, and too long', () => {
    expect(refusal(undefined)).toEqual(['url', 'required']);
    expect(refusal(7)).toEqual(['url', 'type']);
    expect(refusal(`https://crm.example.com/${'x'.repeat(2048)}`)).toEqual(['url', 'too_long']);
  });

  test('a name that leads inside is refused at once; one that leads nowhere yet is taken', async () => {
    const inside = async () => [
      { address: '8.8.8.8', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    await expect(checkTarget('https://crm.example.com/', false, inside)).rejects.toMatchObject({ field: 'url' });
    await checkTarget('https://crm.example.com/', true, inside);
    await checkTarget('https://crm.example.com/', false, () => Promise.reject(new Error('no such name')));
  });
});
