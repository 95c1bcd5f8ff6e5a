/**
 * A second reader of snapshots, written from docs/snapshot-format.md and from nothing else of ours: answers a lookup
 * straight from the bytes of a file, slowly, and verifies a signature.
 * @module
 */
import { createHash, type KeyObject, verify } from 'node:crypto';
import { plainCrc, plainKeyId } from './delta.js';
import { halfSipHash, messageOf, type PlainKey } from './suppression.js';

/** The rights of a key in a snapshot, without checking anything first. */
export function rightsInSnapshot(file: Uint8Array, key: PlainKey): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const blockCount = view.getUint32(24, true);
  const sectionsBytes = view.getUint32(32, true);
  const bucketCount = view.getUint32(40, true);
  const displacementMax = view.getUint32(44, true);
  const seed = file.subarray(64, 72);
  const data = Math.ceil((256 + 4 * blockCount + sectionsBytes) / 4096) * 4096;

  const digest = halfSipHash(1, 3, seed, messageOf(key));
  const mixed = new DataView(digest.buffer);
  let high = mixed.getUint32(0, true);
  let low = mixed.getUint32(4, true);
  if (high % 2 ** 25 === 0) high += 1;
  if (low === 0) low = 1;

  let bucket = Math.floor((high * bucketCount) / 2 ** 32);
  for (let displacement = 0; displacement <= displacementMax; displacement++) {
    bucket = (bucket + displacement) % bucketCount;
    for (let slot = 0; slot < 8; slot++) {
      const at = data + bucket * 64 + slot * 8;
      const word = view.getUint32(at, true);
      if (word === 0) return 0;
      if (Math.floor(word / 128) === high % 2 ** 25 && view.getUint32(at + 4, true) === low) return word % 128;
    }
  }
  return 0;
}

/** Whether a snapshot has a signature section of this key that agrees with every byte. */
export function snapshotSignatureHolds(file: Uint8Array, publicKey: KeyObject): boolean {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  const sectionsAt = 256 + 4 * view.getUint32(24, true);
  const sectionsEnd = sectionsAt + view.getUint32(32, true);
  let at = sectionsAt;
  while (at < sectionsEnd && view.getUint32(at, true) !== 1) at += 8 + Math.ceil(view.getUint32(at + 4, true) / 8) * 8;
  if (at >= sectionsEnd || view.getUint32(at + 4, true) !== 104) return false;

  const keyId = Buffer.from(file.slice(at + 8, at + 16)).toString('hex');
  const digest = file.slice(at + 16, at + 48);
  const signature = file.slice(at + 48, at + 112);
  copy.fill(0, at + 16, at + 112);
  view.setUint32(36, plainCrc(copy.slice(sectionsAt, sectionsEnd)), true);
  view.setUint32(252, plainCrc(copy.slice(0, 252)), true);
  const isDigest = createHash('sha256').update(copy).digest().equals(digest);
  return isDigest && keyId === plainKeyId(publicKey) && verify(null, digest, publicKey, signature);
}
