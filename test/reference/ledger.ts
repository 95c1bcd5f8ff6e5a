/**
 * The slow, obvious ledger: who holds which rights on which key, in maps. No versions, no order, no database.
 * @module
 */
import { createHash } from 'node:crypto';
import { expandIdentifier, KEY_WORDS } from '../../src/core/identity/index.js';
import { DEFAULT_COUNTRY, phoneForms } from '../../src/core/identity/normalize.js';
import type { Identifier } from '../../src/core/vocabulary.js';

/** A key before it is mixed: tag and four words. */
export type PlainKey = readonly [number, number, number, number, number];

export class ReferenceLedger {
  /** Key, as text, to its holders and their rights. */
  private readonly holders = new Map<string, Map<string, number>>();

  optOut(identifiers: readonly Identifier[], rights: number): void {
    for (const identifier of identifiers) {
      for (const key of keysOf(identifier)) {
        const holders = this.holders.get(key) ?? new Map<string, number>();
        const identity = identityOf(identifier);
        this.holders.set(key, holders.set(identity, (holders.get(identity) ?? 0) | rights));
      }
    }
  }

  /** Ends what the identifiers, or digests of them, hold: wherever that is. */
  optIn(identifiers: readonly Identifier[], rights: number): void {
    const ended = new Set(identifiers.flatMap((identifier) => [identifier, ...digestsOf(identifier)].map(identityOf)));
    for (const holders of this.holders.values()) {
      for (const [identity, held] of holders) if (ended.has(identity)) holders.set(identity, held & ~rights);
    }
  }

  /** Rights in force on every key that ever had any. */
  *state(): Generator<readonly [PlainKey, number]> {
    for (const [key, holders] of this.holders) {
      const rights = [...holders.values()].reduce((all, held) => all | held, 0);
      yield [JSON.parse(key) as PlainKey, rights];
    }
  }

  /** What is in force for an identifier, through any of its keys. */
  rightsOf(identifier: Identifier): number {
    const keys = new Set(keysOf(identifier));
    let rights = 0;
    for (const [key, of] of this.state()) if (keys.has(JSON.stringify(key))) rights |= of;
    return rights;
  }
}

function keysOf(identifier: Identifier): readonly string[] {
  const { ok } = expandIdentifier(identifier);
  if (ok === undefined) throw new Error('expected an identifier');
  const { words, count } = ok.keys;
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify([...words.slice(index * KEY_WORDS, (index + 1) * KEY_WORDS)]),
  );
}

function digestsOf(identifier: Identifier): readonly Identifier[] {
  return (expandIdentifier(identifier).ok?.digests ?? []).map(({ kind, hex }) => ({ kind, value: hex }));
}

/** SHA-256 over kind, zero byte and canonical value; of a digest, its bytes. */
function identityOf({ kind, value }: Identifier): string {
  return createHash('sha256').update(`${kind}\0`).update(canonical({ kind, value })).digest('hex').slice(0, 32);
}

function canonical({ kind, value }: Identifier): string | Buffer {
  if (/_sha256$|_sha1$|_md5$/.test(kind)) return Buffer.from(value, /^[0-9a-f]+$/i.test(value) ? 'hex' : 'base64');
  if (kind === 'email') return value.trim().toLowerCase().replace(/\.$/, '');
  if (kind === 'phone') return phoneForms(value, DEFAULT_COUNTRY)?.canonical ?? '';
  if (kind === 'maid') return value.replace(/[^0-9a-f]/gi, '').toLowerCase();
  if (kind === 'ctv') return value.replace(/[^0-9a-z]/gi, '').toLowerCase();
  return value.trim();
}
