/**
 * Ed25519 keys for tests, always the same: those of RFC 8032, section 7.1.
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

export interface SigningKey {
  readonly publicKey: KeyObject;
  readonly privatePem: string;
  readonly publicPem: string;
}

function signingKey(secretHex: string): SigningKey {
  const der = Buffer.from(`302e020100300506032b657004220420${secretHex}`, 'hex');
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  return {
    publicKey,
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

export const FIRST_KEY = signingKey('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
export const SECOND_KEY = signingKey('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
