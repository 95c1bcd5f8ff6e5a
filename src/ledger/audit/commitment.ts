/**
 * Whom an entry is about, without saying it: a commitment is SHA-256 over 32 random bytes and the identity of an
 * identifier (identity.ts).
 *
 * Whoever has the salt and knows the identifier can show that the entry is about it. Without the salt nobody can find out,
 * not even by trying every address there is: that is what an erasure takes away.
 * @module
 */
import { createHash } from 'node:crypto';
import type { LedgerContext } from '../context.js';

export const SALT_BYTES = 32;

export interface Commitments {
  /** In hex, one for each of what was given. */
  readonly hashes: readonly string[];
  /** As many salts, one after the other. */
  readonly salts: Buffer;
}

/** Commits to some identities, each with a salt of its own: to show one does not give the others away. */
export function commit({ random }: Pick<LedgerContext, 'random'>, identities: readonly Uint8Array[]): Commitments {
  const salts = Buffer.from(random(SALT_BYTES * identities.length));
  const hashes = identities.map((identity, index) =>
    commitmentOf(salts.subarray(index * SALT_BYTES, (index + 1) * SALT_BYTES), identity),
  );
  return { hashes, salts };
}

export function commitmentOf(salt: Uint8Array, identity: Uint8Array): string {
  return createHash('sha256').update(salt).update(identity).digest('hex');
}
