/**
 * Opting out by the form, without scripts: what is recorded, what is answered, and what is in no address.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestLedger, type TestLedger } from '../control-plane/stand.js';
import { ask, EMAIL, hiddenIn, receiptIn, type ServedPages, servePages, submit } from './stand.js';

let stand: TestLedger;
let served: ServedPages;
beforeAll(async () => {
  stand = await openTestLedger();
  served = await servePages(stand.ledger, { 'publicPages.cookies': ['visitor=account:shop'] });
});
afterAll(async () => {
  await served.close();
  await stand.close();
});

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const OFFERED = ['sale', 'share', 'targeted_ads', 'sensitive', 'profiling'];

describe('one identifier is enough', () => {
  test.each([
    ['email', EMAIL, { kind: 'email', value: EMAIL }],
    ['phone', '(916) 555-0100', { kind: 'phone', value: '+19165550100' }],
    ['device', MAID, { kind: 'maid', value: MAID.toUpperCase() }],
    ['device', MAID.replaceAll('-', ''), { kind: 'ctv', value: MAID }],
    ['device', 'ABCD1234EFGH', { kind: 'ctv', value: 'abcd1234efgh' }],
  ] as const)('%s', async (field, entered, identifier) => {
    const answer = await submit(served.port, { [field]: entered });
    expect(answer.status).toBe(303);
    const receipt = receiptIn(answer);
    expect(await stand.ledger.request(receipt)).toMatchObject({
      channel: 'web_form',
      nature: 'opt_out',
      rights: OFFERED,
    });
    expect((await stand.ledger.statusOf(identifier)).rights).toEqual(OFFERED);
    expect(JSON.stringify(answer)).not.toContain(entered);
    const status = await ask(served.port, answer.headers.location ?? '');
    expect(status.text).toContain(receipt);
    expect(status.text).not.toContain(entered);
  });
});

test('a form sent twice is one request; changed and sent again it is another', async () => {
  const page = await ask(served.port, '/privacy-choices');
  const form = { ...hiddenIn(page.text), choice: 'all', email: 'twice@example.com' };
  const [one, two] = await Promise.all([1, 2].map(() => ask(served.port, '/privacy-choices', { form })));
  const other = await ask(served.port, '/privacy-choices', { form: { ...form, email: 'other@example.com' } });
  expect(one && two && receiptIn(one) === receiptIn(two)).toBe(true);
  expect(one && receiptIn(other) === receiptIn(one)).toBe(false);
});
