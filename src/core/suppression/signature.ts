/**
 * Signatures of snapshots and delta frames: Ed25519 over a SHA-256.
 *
 * A key is named by its id, the first 8 bytes of the SHA-256 of the 32 raw bytes of the public key. The id only says
 * which key to try; what counts is whether the signature agrees with it.
 * @module
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { GateError } from '../errors.js';

export const KEY_ID_BYTES = 8;
export const SIGNATURE_BYTES = 64;

/** Signs. */
export interface Signer {
  /** First 8 bytes of the SHA-256 of the raw public key. */
  readonly keyId: Uint8Array;
  /** The signature, 64 bytes, over a SHA-256. */
  sign(digest: Uint8Array): Uint8Array;
}

/** Knows whose signatures to trust. */
export interface Verifier {
  /** Throws a GateError `signature.unknown_key` or `signature.wrong`. */
  verify(keyId: Uint8Array, digest: Uint8Array, signature: Uint8Array): void;
}

/**
 * A signer from an Ed25519 private key, PKCS #8 in PEM, without a passphrase. Throws a GateError `signature.key`.
 * @example createSigner(await readFile('/etc/optgate/signing-key.pem', 'utf8'))
 */
export function createSigner(privateKeyPem: string): Signer {
  const key = readKey(privateKeyPem, 'PRIVATE KEY');
  const keyId = keyIdOf(createPublicKey(key));
  return { keyId, sign: (digest) => new Uint8Array(sign(null, digest, key)) };
}

/**
 * A verifier that trusts these Ed25519 public keys, one PEM each: the key in use, and the next one or the one before
 * while keys are changed. Throws a GateError `signature.key`, also if there is none.
 */
export function createVerifier(publicKeyPems: readonly string[]): Verifier {
  if (publicKeyPems.length === 0) throw new GateError('signature.key', 'no public key');
  const keys = new Map<string, KeyObject>();
  for (const pem of publicKeyPems) {
    const key = readKey(pem, 'PUBLIC KEY');
    keys.set(hexOf(keyIdOf(key)), key);
  }
  return {
    verify(keyId, digest, signature) {
      const key = keys.get(hexOf(keyId));
      if (key === undefined) throw new GateError('signature.unknown_key');
      if (!verify(null, digest, key, signature)) throw new GateError('signature.wrong');
    },
  };
}

/** One PEM block with exactly this label: node:crypto would take a private key, or a certificate, for a public key. */
function readKey(pem: string, label: 'PRIVATE KEY' | 'PUBLIC KEY'): KeyObject {
  const labels = typeof pem === 'string' ? [...pem.matchAll(/-----BEGIN ([^-]*)-----/g)].map((match) => match[1]) : [];
  if (labels.length !== 1 || labels[0] !== label) throw new GateError('signature.key', `expected one PEM "${label}"`);
  let key: KeyObject;
  try {
    key = label === 'PRIVATE KEY' ? createPrivateKey(pem) : createPublicKey(pem);
  } catch (cause) {
    throw new GateError('signature.key', undefined, { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new GateError('signature.key', 'expected Ed25519');
  return key;
}

function keyIdOf(publicKey: KeyObject): Uint8Array {
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return new Uint8Array(createHash('sha256').update(raw).digest().subarray(0, KEY_ID_BYTES));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
