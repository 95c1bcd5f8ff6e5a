/**
 * Who has opted out of what, kept plainly: the writes that are made, and what must be in force after them.
 * @module
 */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { rightsOfIdentifier } from '../../src/core/opt-out.js';
import type { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Identifier, RIGHTS_ALL, rightsOfMask } from '../../src/core/vocabulary.js';
import type { Ledger } from '../../src/ledger/index.js';
import { randomFrom } from '../reference/feed.js';

export type Write = (ledger: Ledger) => Promise<void>;

const WRITES_PER_ROUND = 12;
const IMPORT_ROWS = 200;
const PEOPLE = 8;

export class Account {
  /** Rights in force, as a mask, by identifier. */
  private readonly rights = new Map<string, { readonly identifier: Identifier; mask: number }>();

  /** The writes of a round; each may be made in any number of ledgers. */
  writes(round: number): readonly Write[] {
    const random = randomFrom(100 + round);
    const writes: Write[] = [];
    for (let count = 0; count < WRITES_PER_ROUND; count++) {
      const identifiers = identifiersOf(Math.floor(random() * PEOPLE)).filter(() => random() < 0.7);
      const mask = 1 + Math.floor(random() * RIGHTS_ALL);
      if (identifiers.length === 0) continue;
      const isOptIn = random() < 0.4;
      for (const identifier of identifiers) this.set(identifier, (held) => (isOptIn ? held & ~mask : held | mask));
      writes.push(isOptIn ? optIn(identifiers, mask) : optOut(identifiers, mask));
    }
    writes.push(this.importing(round, random));
    return writes;
  }

  /** What is in force for an identifier from now on. */
  set(identifier: Identifier, change: (held: number) => number): void {
    const key = JSON.stringify(identifier);
    const known = this.rights.get(key) ?? { identifier, mask: 0 };
    known.mask = change(known.mask);
    this.rights.set(key, known);
  }

  /** Everybody has in this table what he asked for, no less and no more. */
  expectIn(table: SuppressionTable): void {
    const expected = [...this.rights].map(([key, { mask }]) => [key, mask]);
    const found = [...this.rights].map(([key, { identifier }]) => [key, rightsOfIdentifier(table, identifier)]);
    expect(found).toEqual(expected);
  }

  private importing(round: number, random: () => number): Write {
    const rows = Array.from({ length: IMPORT_ROWS }, (_, index) => {
      const mask = 1 + Math.floor(random() * RIGHTS_ALL);
      const identifier = importedOf(round * (IMPORT_ROWS / 2) + index);
      this.set(identifier, (held) => held | mask);
      return { ...identifier, rights: mask };
    });
    return async (ledger) => {
      const { token } = await ledger.importOptOuts(rows, { batchRows: 64 });
      expect(token).not.toBeNull();
    };
  }
}

export function optOut(identifiers: readonly Identifier[], mask: number): Write {
  return async (ledger) => {
    const { token } = await ledger.recordOptOut({ identifiers, rights: rightsOfMask(mask), channel: 'api' });
    expect(token).not.toBeNull();
  };
}

export function optIn(identifiers: readonly Identifier[], mask: number): Write {
  return async (ledger) => {
    const { requestId, confirmation } = await ledger.recordOptIn({
      identifiers,
      rights: rightsOfMask(mask),
      channel: 'phone',
    });
    await ledger.confirmOptIn(requestId, confirmation ?? '');
  };
}

/** Of one person, none of which anybody else has. */
function identifiersOf(person: number): readonly Identifier[] {
  return [
    { kind: 'email', value: `person.${person}@example.com` },
    { kind: 'phone', value: `+1415555${String(1000 + person)}` },
    { kind: 'maid', value: `6d92078a-8246-4ba4-ae5b-${String(person).padStart(12, '0')}` },
    { kind: 'ctv', value: `5d92078a-8246-4ba4-ae5b-${String(person).padStart(12, '0')}` },
    { kind: 'eid:uidapi.com', value: `uid-of-person-${person}` },
    { kind: 'account:shop', value: `customer-${person}` },
  ];
}

/** Of somebody whose digest is all that is known. */
function importedOf(index: number): Identifier {
  const digest = createHash('sha256').update(`imported ${index}`).digest('hex');
  return { kind: index % 2 === 0 ? 'email_sha256' : 'maid_sha256', value: digest };
}
