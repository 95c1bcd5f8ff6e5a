/**
 * Checkpoints: entries that say, signed, where the trail stood. Whoever changes anything before one would have to sign
 * anew; whoever has one, and the public key, can tell that nothing before it is another, or gone.
 * @module
 */
import { hash } from 'node:crypto';
import type { Signer, Verifier } from '../../core/suppression/index.js';
import { canonicalJson } from './canonical-json.js';
import { type AuditEntry, hasMembers, TRAIL_FORMAT } from './entry.js';

/** Entries after which there is a checkpoint. */
export const CHECKPOINT_ENTRIES = 10_000;
/** Longest time before one, while there are entries. */
export const CHECKPOINT_EVERY_MS = 900_000;

export interface CheckpointBody {
  /** Hash of the last entry before it, in hex. */
  readonly head: string;
  /** Of the public key, in hex (core/suppression/signature.ts). */
  readonly keyId: string;
  /** Number of that entry. */
  readonly n: number;
  /** Ed25519, Base64url. */
  readonly signature: string;
}

export interface TrailPoint {
  readonly ledgerId: string;
  readonly n: number;
  readonly head: string;
}

/** What is signed: the SHA-256 of this text. */
function digestOf({ ledgerId, n, head }: TrailPoint): Uint8Array {
  const text = canonicalJson({ format: `${TRAIL_FORMAT}-checkpoint`, head, ledger: ledgerId, n });
  return Buffer.from(hash('sha256', text, 'hex'), 'hex');
}

export function signCheckpoint(point: TrailPoint, signer: Signer): CheckpointBody {
  const signature = Buffer.from(signer.sign(digestOf(point))).toString('base64url');
  return { head: point.head, keyId: Buffer.from(signer.keyId).toString('hex'), n: point.n, signature };
}

/** Why a checkpoint is none. */
export type CheckpointFault = 'checkpoint' | 'signature' | 'unknown_key';

/** `null`: it is right, as far as it is checked; without a verifier its signature is not. */
export function checkpointFault(
  { n, body, previous }: Pick<AuditEntry, 'n' | 'body' | 'previous'>,
  ledgerId: string,
  verifier: Verifier | null,
): CheckpointFault | null {
  if (!hasMembers(body, ['head', 'keyId', 'n', 'signature'])) return 'checkpoint';
  const { head, keyId, n: upTo, signature } = body as CheckpointBody;
  if (upTo !== n - 1 || head !== previous) return 'checkpoint';
  if (typeof keyId !== 'string' || !/^[0-9a-f]{16}$/.test(keyId)) return 'checkpoint';
  if (typeof signature !== 'string' || !/^[A-Za-z0-9_-]{86}$/.test(signature)) return 'checkpoint';
  if (verifier === null) return null;
  const point = { ledgerId, n: upTo, head };
  try {
    verifier.verify(Buffer.from(keyId, 'hex'), digestOf(point), Buffer.from(signature, 'base64url'));
    return null;
  } catch (error) {
    return (error as { code?: unknown }).code === 'signature.unknown_key' ? 'unknown_key' : 'signature';
  }
}
