/**
 * Makes audit trails as bytes, without a database: every entry anything that an entry may say.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { createSigner, createVerifier } from '../../../src/core/suppression/index.js';
import { ACTOR_ROLES, ACTOR_VIAS } from '../../../src/ledger/audit/actor.js';
import { canonicalJson } from '../../../src/ledger/audit/canonical-json.js';
import { signCheckpoint } from '../../../src/ledger/audit/checkpoint.js';
import { actorText, genesisOf, hashOfParts, lineOfParts } from '../../../src/ledger/audit/entry.js';
import { headerLine } from '../../../src/ledger/audit/verify-trail.js';

export const LEDGER_ID = '11111111-2222-4333-8444-555555555555';

const KEYS = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
export const SIGNER = createSigner(KEYS.privateKey);
export const PUBLIC_KEY = KEYS.publicKey;
export const VERIFIER = createVerifier([PUBLIC_KEY]);

export interface Said {
  readonly kind: string;
  readonly actor: Parameters<typeof actorText>[0];
  readonly subject: string | null;
  readonly body: object;
  /** A checkpoint that is not signed here: it says what `body` is. */
  readonly isForged?: boolean;
}

/** The lines of a trail, the header first; an entry of the kind `checkpoint` is signed. */
export function trailLines(said: readonly Said[], ledgerId = LEDGER_ID, signer = SIGNER): readonly string[] {
  let head = genesisOf(ledgerId);
  const lines = said.map(({ kind, actor, subject, body, isForged }, index) => {
    const n = index + 1;
    const isCheckpoint = kind === 'checkpoint' && isForged !== true;
    const said = isCheckpoint ? signCheckpoint({ ledgerId, n: index, head }, signer) : body;
    const parts = {
      n,
      atMs: 1_790_000_000_000 + n * 7,
      kind,
      actor: actorText(actor),
      subject,
      body: canonicalJson(said),
      previous: head,
    };
    head = hashOfParts(parts);
    return lineOfParts(parts, head);
  });
  return [headerLine({ entries: lines.length, head, ledger: ledgerId }), ...lines];
}

export function bytesOf(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

const name = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/[\p{Cs}\p{Cc}]/u.test(text));

/** What one entry says, also what looks like a member of an entry. */
export const saidArbitrary: fc.Arbitrary<Said> = fc.record({
  kind: fc.constantFrom('request.opt_out', 'request.opt_out', 'destination.changed', 'webhook.added', 'checkpoint'),
  actor: fc.record({
    role: fc.constantFrom(...ACTOR_ROLES),
    name: fc.option(fc.oneof(name, fc.constant('","at":"'), fc.constant('jane')), { nil: null }),
    via: fc.constantFrom(...ACTOR_VIAS),
  }),
  subject: fc.option(fc.oneof(name, fc.constant('"hash":"'), fc.constant('r_1234567890123456789012')), { nil: null }),
  body: fc.oneof(
    fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
    fc.constant({ hash: 'a'.repeat(64), n: 1 }),
    fc.constant({ identifiers: [{ commitment: 'ab'.repeat(32), kind: 'email' }], state: null }),
  ),
});
