/**
 * The signature in a snapshot: its section, and the hash that is signed.
 *
 * What is signed is the SHA-256 of the whole file in order, with digest and signature taken as zero and the two checksums
 * over them as they then are: docs/snapshot-format.md. The head comes first in that order and holds the checksums of all
 * blocks, so whoever writes a signed snapshot goes over the table twice.
 * @module
 */
import { createHash, type Hash } from 'node:crypto';
import { GateError } from '../errors.js';
import { KEY_ID_BYTES, SIGNATURE_BYTES, type Signer, type Verifier } from './signature.js';
import { resealHead } from './snapshot-header.js';

/** Type of the section. */
export const SECTION_SIGNATURE = 1;
export const SECTION_HEADER_BYTES = 8;
const DIGEST_BYTES = 32;
/** Bytes of the section after its header: key id, digest, signature. */
export const SIGNATURE_PAYLOAD_BYTES = KEY_ID_BYTES + DIGEST_BYTES + SIGNATURE_BYTES;
/** Bytes of the whole section. */
export const SIGNATURE_SECTION_BYTES = SECTION_HEADER_BYTES + SIGNATURE_PAYLOAD_BYTES;

/** A signature section with this key's id, not signed yet. */
export function blankSignatureSection(signer: Signer): Uint8Array {
  const section = new Uint8Array(SIGNATURE_SECTION_BYTES);
  const view = new DataView(section.buffer);
  view.setUint32(0, SECTION_SIGNATURE, true);
  view.setUint32(4, SIGNATURE_PAYLOAD_BYTES, true);
  section.set(signer.keyId, SECTION_HEADER_BYTES);
  return section;
}

/** The hash of a snapshot while its blocks come in. */
export class SnapshotHash {
  private readonly hash: Hash;
  private nextIndex = 0;

  /** Of a snapshot with this head, in which the payload of the signature begins at `payloadAt`. The head stays as it is. */
  constructor(head: Uint8Array, payloadAt: number) {
    const blank = new Uint8Array(head); // slice() of a Buffer is a view of the same bytes
    blank.fill(0, payloadAt + KEY_ID_BYTES, payloadAt + SIGNATURE_PAYLOAD_BYTES);
    resealHead(blank);
    this.hash = createHash('sha256').update(blank);
  }

  /** Adds block `index`. Throws a TypeError if it is not its turn. */
  add(index: number, block: Uint8Array): void {
    if (index !== this.nextIndex) throw new TypeError('expected the blocks in order');
    this.hash.update(block);
    this.nextIndex++;
  }

  /** How many blocks were added. */
  get blockCount(): number {
    return this.nextIndex;
  }

  /** The hash, once. */
  digest(): Uint8Array {
    return new Uint8Array(this.hash.digest());
  }
}

/** Puts the signature over `digest` into a head with a blank signature section. */
export function signHead(head: Uint8Array, payloadAt: number, digest: Uint8Array, signer: Signer): void {
  head.set(digest, payloadAt + KEY_ID_BYTES);
  head.set(signer.sign(digest), payloadAt + KEY_ID_BYTES + DIGEST_BYTES);
  resealHead(head);
}

/** Checks the blocks of a signed snapshot against its signature. */
export class SnapshotSeal {
  private readonly hash: SnapshotHash;
  private readonly digestSigned: Uint8Array;

  /**
   * Believes the digest in the section if a trusted key has signed it. Throws a GateError `signature.unknown_key` or
   * `signature.wrong`.
   */
  constructor(head: Uint8Array, payloadAt: number, verifier: Verifier) {
    const digestAt = payloadAt + KEY_ID_BYTES;
    const signatureAt = digestAt + DIGEST_BYTES;
    this.digestSigned = new Uint8Array(head.subarray(digestAt, signatureAt));
    const signature = head.subarray(signatureAt, payloadAt + SIGNATURE_PAYLOAD_BYTES);
    verifier.verify(head.subarray(payloadAt, digestAt), this.digestSigned, signature);
    this.hash = new SnapshotHash(head, payloadAt);
  }

  /** Adds block `index`. Throws a TypeError if it is not its turn. */
  add(index: number, block: Uint8Array): void {
    this.hash.add(index, block);
  }

  /** Throws a GateError `signature.wrong` if the head and the blocks are not those that were signed. */
  check(): void {
    const digest = this.hash.digest();
    if (digest.some((byte, index) => byte !== this.digestSigned[index])) throw new GateError('signature.wrong');
  }
}
