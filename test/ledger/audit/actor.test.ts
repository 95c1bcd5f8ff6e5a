/**
 * Under whom a ledger is used: what an actor can be, and views that share one ledger.
 * @module
 */
import { expect, test } from 'vitest';
import { type Actor, readActor, SYSTEM_ACTOR } from '../../../src/ledger/audit/actor.js';
import { openLedger } from '../../../src/ledger/index.js';
import { BACKENDS } from '../backends.js';

const JANE: Actor = { role: 'operator', name: 'jane', via: 'http' };

test('an actor is read as it is', () => {
  expect(readActor(JANE)).toEqual(JANE);
  expect(readActor(SYSTEM_ACTOR)).toEqual({ role: 'system', name: null, via: 'library' });
});

test.each([
  ['a role nobody has', { ...JANE, role: 'root' }, 'actor.role: '],
  ['a way there is not', { ...JANE, via: 'fax' }, 'actor.via: '],
  ['an empty name', { ...JANE, name: '' }, 'actor.name: '],
  ['a name with a line end', { ...JANE, name: 'a\nb' }, 'actor.name: '],
  ['half of a character', { ...JANE, name: '\ud800' }, 'actor.name: '],
  ['a long name', { ...JANE, name: 'x'.repeat(201) }, 'actor.name: '],
  ['no name', { role: 'operator', via: 'http' }, 'actor.name: '],
  ['nothing', undefined, 'actor.name: '],
])('%s is refused', (_, actor, message) => {
  expect(() => readActor(actor as Actor)).toThrow(message);
});

test.each(BACKENDS)('$name: a view shares its ledger, and closing it closes all', async ({ make }) => {
  const place = await make();
  try {
    const ledger = await openLedger(place.location);
    const view = ledger.actingAs(JANE);
    await view.putDestination({ id: 'acme' });
    expect(await ledger.getDestination('acme')).toMatchObject({ id: 'acme' });
    expect(() => ledger.actingAs({ ...JANE, role: 'root' as never })).toThrow(TypeError);
    await view.close();
    await expect(ledger.getDestination('acme')).rejects.toMatchObject({ code: 'ledger.unavailable' });
    await ledger.close();
  } finally {
    await place.remove();
  }
});
