/**
 * Who a digest is, if it was recorded on its own: the identities of the digests of an identifier.
 * @module
 */
import { BASE_KINDS, KIND_TAG } from '../core/vocabulary.js';
import { DigestIdentity, IDENTITY_BYTES } from './identity.js';
import type { PackedIdentifier } from './packed-identifiers.js';

const digestIdentity = new DigestIdentity();
const identity = Buffer.alloc(IDENTITY_BYTES);

/** As 32 hexadecimal digits each. */
export function identitiesOfPacked({ digests }: Pick<PackedIdentifier, 'digests'>): readonly string[] {
  return digests.flatMap(({ tag, bytes }) => {
    const kind = BASE_KINDS[tag - 1];
    if (kind === undefined) return [];
    digestIdentity.write(kind, bytes, 0, bytes.length, identity);
    return [identity.toString('hex')];
  });
}

const PHONE_TAGS = [KIND_TAG.phone_sha256, KIND_TAG.phone_sha1];
/** Forms of a number that was understood: with and without its plus, and then what leaves the country out. */
const PHONE_FORMS_UNDERSTOOD_MIN = 3;

/**
 * The identities of those digests that name nobody else. The last ten digits of a phone number, its national form and the form
 * it was written in are shared by numbers of other countries: whoever opts in must not end what those people hold.
 */
export function ownIdentitiesOfPacked(identifier: PackedIdentifier): readonly string[] {
  const own = identifier.digests.filter((digest, _, all) => {
    if (!PHONE_TAGS.includes(digest.tag)) return true;
    const forms = all.filter(({ tag }) => tag === digest.tag);
    const exactCount = forms.length >= PHONE_FORMS_UNDERSTOOD_MIN ? 2 : 1;
    return identifier.ownKey === null || forms.indexOf(digest) < exactCount;
  });
  return identitiesOfPacked({ digests: own });
}
