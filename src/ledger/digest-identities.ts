/**
 * Who a digest is, if it was recorded on its own: the identities of the digests of an identifier.
 * @module
 */
import { BASE_KINDS } from '../core/vocabulary.js';
import { DigestIdentity, IDENTITY_BYTES } from './identity.js';
import type { PackedIdentifier } from './packed-identifiers.js';

const digestIdentity = new DigestIdentity();
const identity = Buffer.alloc(IDENTITY_BYTES);

/** As 32 hexadecimal digits each. */
export function identitiesOfPacked({ digests }: PackedIdentifier): readonly string[] {
  return digests.flatMap(({ tag, bytes }) => {
    const kind = BASE_KINDS[tag - 1];
    if (kind === undefined) return [];
    digestIdentity.write(kind, bytes, 0, bytes.length, identity);
    return [identity.toString('hex')];
  });
}
