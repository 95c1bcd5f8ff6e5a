/**
 * Signing keys: Ed25519 and nothing else, public where public is expected.
 * @module
 */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createSigner, createVerifier } from '../../../src/core/suppression/signature.js';
import { plainKeyId } from '../../reference/delta.js';
import { codeOf } from './codes.js';
import { FIRST_KEY, SECOND_KEY } from './signing-keys.js';

const digest = createHash('sha256').update('something').digest();
const signer = createSigner(FIRST_KEY.privatePem);

interface PemPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

function pemPair({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): PemPair {
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
const RSA = pemPair(generateKeyPairSync('rsa', { modulusLength: 1024 }));
const P256 = pemPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const X25519 = pemPair(generateKeyPairSync('x25519'));
const ED448 = pemPair(generateKeyPairSync('ed448'));
const LOCKED_PEM = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();

describe('a signature', () => {
  test('is taken by who trusts the key, among others', () => {
    const verifier = createVerifier([SECOND_KEY.publicPem, FIRST_KEY.publicPem]);
    const signature = signer.sign(digest);
    expect(signature).toHaveLength(64);
    expect(codeOf(() => verifier.verify(signer.keyId, digest, signature))).toBe('nothing thrown');
  });

  test('of a key that is not trusted is refused', () => {
    const verifier = createVerifier([SECOND_KEY.publicPem]);
    expect(codeOf(() => verifier.verify(signer.keyId, digest, signer.sign(digest)))).toBe('signature.unknown_key');
    expect(codeOf(() => verifier.verify(new Uint8Array(0), digest, signer.sign(digest)))).toBe('signature.unknown_key');
  });

  test('over something else, of another key, changed in any bit or of another length is wrong', () => {
    const verifier = createVerifier([FIRST_KEY.publicPem]);
    const check = (signature: Uint8Array) => codeOf(() => verifier.verify(signer.keyId, digest, signature));
    const good = signer.sign(digest);
    expect(check(signer.sign(digest.subarray(1)))).toBe('signature.wrong');
    expect(check(createSigner(SECOND_KEY.privatePem).sign(digest))).toBe('signature.wrong');
    for (let bit = 0; bit < 512; bit++) {
      const changed = good.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(check(changed)).toBe('signature.wrong');
    }
    for (const length of [0, 63]) expect(check(good.subarray(0, length))).toBe('signature.wrong');
    expect(check(Uint8Array.from([...good, 0]))).toBe('signature.wrong');
  });
});

test('a key is named by the start of the SHA-256 of its raw bytes', () => {
  const raw = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
  const expected = createHash('sha256').update(raw).digest('hex').slice(0, 16);
  expect(Buffer.from(signer.keyId).toString('hex')).toBe(expected);
  expect(plainKeyId(FIRST_KEY.publicKey)).toBe(expected);
});

describe('what is no key to sign with', () => {
  test.each([
    ['nothing', ''],
    ['no PEM', 'secret'],
    ['a public key', FIRST_KEY.publicPem],
    ['two keys', FIRST_KEY.privatePem + SECOND_KEY.privatePem],
    ['a damaged key', FIRST_KEY.privatePem.replace('MC4C', 'MC4D')],
    ['RSA', RSA.privateKey],
    ['P-256', P256.privateKey],
    ['X25519', X25519.privateKey],
    ['Ed448', ED448.privateKey],
    ['a key behind a passphrase', LOCKED_PEM],
    ['something that is no text', undefined as unknown as string],
  ])('%s is refused', (_, text) => expect(codeOf(() => createSigner(text))).toBe('signature.key'));
});

describe('what is no key to verify with', () => {
  test.each([
    ['a private key', FIRST_KEY.privatePem],
    ['a private key after the public one', FIRST_KEY.publicPem + FIRST_KEY.privatePem],
    ['two keys in one text', FIRST_KEY.publicPem + SECOND_KEY.publicPem],
    ['a damaged key', FIRST_KEY.publicPem.replace('MCow', 'MCoy')],
    ['RSA', RSA.publicKey],
    ['X25519', X25519.publicKey],
    ['a certificate', FIRST_KEY.publicPem.replaceAll('PUBLIC KEY', 'CERTIFICATE')],
  ])('%s is refused', (_, text) => {
    expect(codeOf(() => createVerifier([text]))).toBe('signature.key');
    expect(codeOf(() => createVerifier([SECOND_KEY.publicPem, text]))).toBe('signature.key');
  });

  test('an empty list is refused', () => expect(codeOf(() => createVerifier([]))).toBe('signature.key'));
});

test('no error says anything of the key', () => {
  for (const text of [FIRST_KEY.privatePem.replace('MC4C', 'MC4D'), RSA.privateKey]) {
    const secret = text.split('\n')[1] as string;
    try {
      createSigner(text);
    } catch (error) {
      expect(`${error} ${(error as Error).cause}`).not.toContain(secret.slice(4, 20));
    }
  }
});
