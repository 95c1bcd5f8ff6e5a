/**
 * `optgate ledger keygen`: a pair of Ed25519 keys to sign snapshots and changes with; and keys read from files.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import { createSigner, createVerifier, type Signer } from '../core/suppression/index.js';
import { CommandError, EXIT, type Io, isSystemError, parseOptions, UsageError } from './command.js';

export const PRIVATE_KEY_NAME = 'optgate-signing.pem';
export const PUBLIC_KEY_NAME = 'optgate-signing.pub.pem';

/** Writes a new pair; a key that is there is never overwritten, as what it signed could not be signed again. */
export async function keygen(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, { out: { type: 'string' } });
  if (values.out === undefined || positionals.length > 0) throw new UsageError('expected --out DIR');
  const privatePath = join(values.out, PRIVATE_KEY_NAME);
  const publicPath = join(values.out, PUBLIC_KEY_NAME);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  mkdirSync(values.out, { recursive: true, mode: 0o700 });
  writeNew(privatePath, privateKey, 0o600);
  try {
    writeNew(publicPath, publicKey, 0o644);
  } catch (error) {
    rmSync(privatePath);
    throw error;
  }
  const keyId = Buffer.from(createSigner(privateKey).keyId).toString('hex');
  io.stdout.write(`${JSON.stringify({ keyId, privateKey: privatePath, publicKey: publicPath })}\n`);
  return EXIT.ok;
}

function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode });
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error;
    throw new CommandError(`${path}: there is a key already, and it is not overwritten`, { cause: error });
  }
}

/** The signer of `--sign-key`; `undefined` without one. @throws {CommandError} */
export function readSigner(path: string | undefined): Signer | undefined {
  if (path === undefined) return undefined;
  return readKeyFile('sign-key', path, createSigner);
}

/** The public keys of `--trust-key`, or of another option, as text. @throws {CommandError} */
export function readTrustedKeys(paths: readonly string[], option = 'trust-key'): readonly string[] {
  return paths.map((path) =>
    readKeyFile(option, path, (pem) => {
      createVerifier([pem]);
      return pem;
    }),
  );
}

function readKeyFile<T>(option: string, path: string, use: (pem: string) => T): T {
  try {
    return use(readFileSync(path, 'utf8'));
  } catch (error) {
    // what is wrong inside the key is not shown: it would be a part of the key
    const said = error instanceof GateError ? error.message : isSystemError(error) ? error.message : 'cannot be read';
    throw new CommandError(`--${option} ${path}: ${said}`, { cause: error });
  }
}
