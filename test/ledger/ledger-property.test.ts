/**
 * Opt-outs, opt-ins and imports in any order, of identifiers that share keys in every way they can: the ledger's rights per
 * key are those of the obvious one, and it is sound.
 * @module
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Identifier, RIGHTS, rightsMask, rightsOfMask } from '../../src/core/vocabulary.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { cases } from '../cases.js';
import { ReferenceLedger } from '../reference/ledger.js';
import { BACKENDS, type TestPlace } from './backends.js';
import { collidingIds } from './collision.js';
import { until } from './until.js';

const RUNS = cases(12 * Number(process.env.OPTGATE_STRESS ?? 1));

/** People and their identifiers, all tangled up; `salt` makes others for each run. */
function universe(salt: string): readonly Identifier[] {
  const maid = createHash('md5').update(salt).digest('hex');
  const ctv = `TV-${salt}-0123-4567`;
  const hex = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex');
  const [victim, attacker] = collidingIds('example.com', salt);
  const phone = `415555${String(Number(salt) % 10_000).padStart(4, '0')}`;
  return [
    { kind: 'email', value: `j.o${salt}+a@gmail.com` },
    { kind: 'email', value: `JO${salt}+a@gmail.com` },
    { kind: 'email', value: `jo${salt}+b@gmail.com` },
    { kind: 'email_sha256', value: hex('sha256', `jo${salt}+a@gmail.com`) },
    { kind: 'email_md5', value: hex('md5', `j.o${salt}+a@gmail.com`) },
    { kind: 'maid', value: maid },
    { kind: 'maid_sha256', value: hex('sha256', maid) },
    { kind: 'maid_sha1', value: createHash('sha1').update(maid.toUpperCase()).digest('base64') },
    { kind: 'ctv', value: ctv },
    { kind: 'ctv', value: ctv.replaceAll('-', '.') },
    { kind: 'phone', value: `+1${phone}` },
    { kind: 'phone', value: `00 1 ${phone}` },
    { kind: 'eid:example.com', value: victim },
    { kind: 'eid:example.com', value: attacker },
    { kind: 'account:shop', value: salt },
  ];
}

const which = fc.uniqueArray(fc.nat({ max: 14 }), { minLength: 1, maxLength: 4 });
const mask = fc.integer({ min: 1, max: 2 ** RIGHTS.length - 1 });
const command = fc.oneof(
  fc.record({ kind: fc.constant('opt_out' as const), which, mask }),
  fc.record({ kind: fc.constant('opt_in' as const), which, mask }),
  fc.record({
    kind: fc.constant('import' as const),
    rows: fc.array(fc.record({ one: fc.nat({ max: 14 }), mask }), { minLength: 1, maxLength: 8 }),
    batchRows: fc.integer({ min: 1, max: 4 }),
  }),
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

describe.each(BACKENDS)('on $name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  beforeAll(async () => {
    place = await make();
    ledger = await openLedger(place.location);
  });
  afterAll(async () => {
    await ledger.close();
    await place.remove();
  });

  async function run(command: Command, people: readonly Identifier[], reference: ReferenceLedger): Promise<void> {
    const pick = (indexes: readonly number[]) => indexes.map((index) => people[index] ?? people[0]) as Identifier[];
    switch (command.kind) {
      case 'opt_out': {
        const identifiers = pick(command.which);
        reference.optOut(identifiers, command.mask);
        await ledger.recordOptOut({ identifiers, rights: rightsOfMask(command.mask), channel: 'api' });
        return;
      }
      case 'opt_in': {
        const identifiers = pick(command.which);
        reference.optIn(identifiers, command.mask);
        const rights = rightsOfMask(command.mask);
        const { requestId, confirmation } = await ledger.recordOptIn({ identifiers, rights, channel: 'api' });
        const { remaining } = await ledger.confirmOptIn(requestId, confirmation ?? '');
        // it names every key that other spellings were recorded under, so it may know of more than these spellings show
        const shown = identifiers.reduce((all, one) => all | reference.rightsOf(one), 0);
        expect(rightsMask(remaining) & shown).toBe(shown);
        return;
      }
      case 'import': {
        const rows = command.rows.map(({ one, mask: rights }) => ({ ...people[one], rights })) as Identifier[];
        for (const [index, { mask: rights }] of command.rows.entries()) {
          reference.optOut([rows[index] as Identifier], rights);
        }
        await ledger.importOptOuts(rows, { batchRows: command.batchRows });
        return;
      }
      default:
        return command satisfies never;
    }
  }

  test('rights per key are those of the obvious ledger', async () => {
    let salt = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 10 }), async (commands) => {
        const people = universe(String(++salt));
        const reference = new ReferenceLedger();
        for (const one of commands) await run(one, people, reference);
        for (const one of people) {
          const { rights, requests } = await ledger.statusOf(one);
          expect(rightsMask(rights)).toBe(reference.rightsOf(one));
          expect(requests.some(({ isInForce }) => isInForce)).toBe(rights.length > 0);
        }
        expect(await differences(ledger, reference)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    expect((await ledger.verify()).findings).toEqual([]);
  }, 120_000);
});

/** Keys whose rights in the ledger's table are others than they should be. */
async function differences(ledger: Ledger, reference: ReferenceLedger): Promise<readonly unknown[]> {
  const { seq } = await ledger.head();
  await until('everything is settled', async () => (await ledger.head()).settledSeq >= seq);
  const feed = ledger.feed();
  const { share } = await feed.buildTable(new AbortController().signal);
  await feed.close();
  const table = SuppressionTable.attach(share);
  return [...reference.state()].filter(([key, rights]) => table.rightsOf(...key) !== rights);
}
