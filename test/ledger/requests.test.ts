/**
 * Opt-outs and opt-ins as they are recorded: receipts, tokens, repeats, refusals, and whose rights they touch.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GateError, InputError } from '../../src/core/errors.js';
import { type Identifier, RIGHTS, type Right } from '../../src/core/vocabulary.js';
import { type Ledger, openLedger } from '../../src/ledger/index.js';
import { BACKENDS, type TestPlace } from './backends.js';
import { collidingIds } from './collision.js';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const ALL: readonly Right[] = [...RIGHTS];

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const someMaid = (): Identifier => ({ kind: 'maid', value: randomBytes(16).toString('hex') });
const someEmail = () => `jane.${randomBytes(6).toString('hex')}@example.com`;
const optOutOf = (...identifiers: Identifier[]) => ({ identifiers, channel: 'web_form' as const });
const seqOf = (token: string | null) => Number(token?.split('.').at(-1));

describe.each(BACKENDS)('requests on $name', ({ make }) => {
  let place: TestPlace;
  let ledger: Ledger;
  let nowMs = NOW_MS;
  beforeAll(async () => {
    place = await make();
    ledger = await openLedger(place.location, { now: () => nowMs });
  });
  afterAll(async () => {
    await ledger.close();
    await place.remove();
  });

  const rightsOf = async (identifier: Identifier) => (await ledger.statusOf(identifier)).rights;

  async function optIn(identifiers: readonly Identifier[], rights?: readonly Right[]) {
    const said = rights === undefined ? {} : { rights };
    const { requestId, confirmation } = await ledger.recordOptIn({ identifiers, channel: 'api', ...said });
    return ledger.confirmOptIn(requestId, confirmation ?? '');
  }

  test('an opt-out has a receipt, and is found under every dialect and with its request', async () => {
    const email = someEmail();
    const receivedAtMs = Date.parse('2024-02-29T23:30:00Z');
    const receipt = await ledger.recordOptOut({
      ...optOutOf({ kind: 'email', value: email.toUpperCase() }),
      receivedAtMs,
    });
    const { epoch, seq } = await ledger.head();
    expect(receipt).toEqual({
      requestId: expect.stringMatching(/^r_[A-Za-z0-9_-]{22}$/),
      token: `${epoch}.${seq}`,
      receivedAtMs,
      noAskUntil: '2025-03-01',
      isRepeat: false,
      identifierCount: 1,
    });
    const asDigest: Identifier = { kind: 'email_sha256', value: Buffer.from(sha256(email), 'hex').toString('base64') };
    for (const identifier of [{ kind: 'email', value: email } as const, asDigest]) {
      expect(await ledger.statusOf(identifier)).toEqual({
        rights: ALL,
        sinceMs: receivedAtMs,
        requests: [
          {
            requestId: receipt.requestId,
            nature: 'opt_out',
            channel: 'web_form',
            receivedAtMs,
            status: 'complied',
            isInForce: true,
            dueAtMs: Date.parse('2024-03-22T07:00:00Z'),
            deadlineState: 'overdue', // of long ago, and nobody enforces this ledger
          },
        ],
        noAskUntil: '2025-03-01',
        token: receipt.token,
      });
    }
    const { entries } = await ledger.changesAfter(seq - 1);
    expect(entries[0]?.changes.length).toBe(4 * 20); // the address and three digests
    expect(await ledger.receipt(receipt.requestId)).toEqual({ ...receipt, isRepeat: true });
  });

  test('nothing is known of somebody else', async () => {
    const nobody = { rights: [], sinceMs: null, requests: [], noAskUntil: null, token: null };
    expect(await ledger.statusOf(someMaid())).toEqual(nobody);
    await expect(ledger.receipt('r_AAAAAAAAAAAAAAAAAAAAAA')).rejects.toMatchObject({ code: 'ledger.unknown_request' });
    await expect(ledger.receipt('7')).rejects.toMatchObject({ field: 'requestId', code: 'malformed' });
  });

  test('rights add up, request by request', async () => {
    const maid = someMaid();
    await ledger.recordOptOut({ ...optOutOf(maid), rights: ['sale'] });
    await ledger.recordOptOut({ ...optOutOf(maid), rights: ['child', 'sale'] });
    expect(await rightsOf(maid)).toEqual(['sale', 'child']);
  });

  test('a second opt-out of the same is a request of its own, with a place of its own', async () => {
    const maid = someMaid();
    const first = await ledger.recordOptOut(optOutOf(maid));
    const second = await ledger.recordOptOut(optOutOf(maid));
    expect(second.requestId).not.toBe(first.requestId);
    expect(seqOf(second.token)).toBe(seqOf(first.token) + 1);
    expect((await ledger.statusOf(maid)).requests).toHaveLength(2);
  });

  describe('what cannot be used is refused with its field, and nothing is written', () => {
    const maid = someMaid();
    const good = optOutOf(maid);
    const huge = 'x'.repeat(10 * 2 ** 20);
    const cases: readonly (readonly [name: string, input: unknown, field: string, code: string])[] = [
      ['no object', 'x', 'request', 'type'],
      ['no identifiers', { channel: 'api' }, 'identifiers', 'required'],
      ['no list', { ...good, identifiers: maid }, 'identifiers', 'type'],
      ['an empty list', { ...good, identifiers: [] }, 'identifiers', 'empty'],
      ['too many', { ...good, identifiers: Array.from({ length: 65 }, () => maid) }, 'identifiers', 'too_many'],
      [
        'one of two',
        { ...good, identifiers: [maid, { kind: 'maid', value: 'x' }] },
        'identifiers[1].value',
        'malformed',
      ],
      ['no identifier', { ...good, identifiers: [null] }, 'identifiers[0]', 'type'],
      ['no kind', { ...good, identifiers: [{ value: 'x' }] }, 'identifiers[0].kind', 'required'],
      ['no value', { ...good, identifiers: [{ kind: 'maid' }] }, 'identifiers[0].value', 'required'],
      ['an unknown kind', { ...good, identifiers: [{ kind: 'idfa', value: 'x' }] }, 'identifiers[0].kind', 'unknown'],
      [
        'a kind without its source',
        { ...good, identifiers: [{ kind: 'eid', value: 'x' }] },
        'identifiers[0].kind',
        'required',
      ],
      ['an empty value', { ...good, identifiers: [{ kind: 'email', value: ' ' }] }, 'identifiers[0].value', 'empty'],
      ['a number', { ...good, identifiers: [{ kind: 'email', value: 7 }] }, 'identifiers[0].value', 'type'],
      [
        'a bad digest',
        { ...good, identifiers: [{ kind: 'maid_sha1', value: sha256('x') }] },
        'identifiers[0].value',
        'malformed',
      ],
      [
        'nobody',
        { ...good, identifiers: [{ kind: 'maid', value: '0'.repeat(32) }] },
        'identifiers[0].value',
        'names_nobody',
      ],
      ['10 MB', { ...good, identifiers: [{ kind: 'email', value: huge }] }, 'identifiers[0].value', 'too_long'],
      [
        '10 MB behind something else that is wrong',
        { ...good, identifiers: [{}, { kind: huge, value: '' }] },
        'identifiers[1].kind',
        'too_long',
      ],
      [
        'our own',
        { ...good, identifiers: [{ kind: 'ACCOUNT:optgate-canary', value: 'x' }] },
        'identifiers[0].kind',
        'reserved',
      ],
      ['no channel', { identifiers: [maid] }, 'channel', 'required'],
      ['an unknown channel', { ...good, channel: 'fax' }, 'channel', 'unknown'],
      ['an unknown right', { ...good, rights: ['sale', 'sell'] }, 'rights[1]', 'unknown'],
      ['no right', { ...good, rights: [] }, 'rights', 'empty'],
      ['an unknown scope', { ...good, scope: 'world' }, 'scope', 'unknown'],
      ['a state that is none', { ...good, state: 'California' }, 'state', 'malformed'],
      ['the future', { ...good, receivedAtMs: NOW_MS + 300_001 }, 'receivedAtMs', 'future'],
      ['no time', { ...good, receivedAtMs: Number.NaN }, 'receivedAtMs', 'out_of_range'],
      ['a long idempotency key', { ...good, idempotencyKey: 'k'.repeat(201) }, 'idempotencyKey', 'too_long'],
      ['an idempotency key with a line break', { ...good, idempotencyKey: 'a\nb' }, 'idempotencyKey', 'malformed'],
      ['a misspelt field', { ...good, right: ['sale'] }, 'right', 'unknown'],
      ['a value as a field', { ...good, 'jane@example.com': 1 }, 'request', 'unknown'],
      ['an operator with a zero character', { ...good, operator: 'a\0b' }, 'operator', 'malformed'],
    ];
    test.each(cases)('%s', async (_, input, field, code) => {
      const before = await ledger.head();
      for (const record of ['recordOptOut', 'recordOptIn'] as const) {
        const error = await ledger[record](input as never).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(InputError);
        expect(error).toMatchObject({ field, code });
        expect(String((error as Error).message).length).toBeLessThan(400);
        expect(String((error as Error).message)).not.toMatch(/jane|California|fax/);
      }
      expect((await ledger.statusOf(maid)).requests).toEqual([]);
      expect((await ledger.head()).seq).toBe(before.seq);
    });
    test('a moment just ahead of this clock is taken', async () => {
      const receivedAtMs = NOW_MS + 300_000;
      const receipt = await ledger.recordOptOut({ ...optOutOf(someMaid()), receivedAtMs });
      expect(receipt.receivedAtMs).toBe(receivedAtMs);
    });
  });

  describe('idempotency', () => {
    test('the same request sent again is one request', async () => {
      const maid = someMaid();
      const idempotencyKey = randomBytes(8).toString('hex');
      const first = await ledger.recordOptOut({ ...optOutOf(maid), idempotencyKey });
      nowMs += 60_000;
      const again = await ledger.recordOptOut({ ...optOutOf(maid), idempotencyKey });
      nowMs = NOW_MS;
      expect(again).toEqual({ ...first, isRepeat: true });
      expect((await ledger.statusOf(maid)).requests).toHaveLength(1);
    });

    test('also sent ten times at once', async () => {
      const maid = someMaid();
      const idempotencyKey = randomBytes(8).toString('hex');
      const send = () => ledger.recordOptOut({ ...optOutOf(maid), idempotencyKey });
      const receipts = await Promise.all(Array.from({ length: 10 }, send));
      expect(receipts.filter(({ isRepeat }) => !isRepeat)).toHaveLength(1);
      expect(new Set(receipts.map(({ requestId, token }) => `${requestId} ${token}`)).size).toBe(1);
      expect((await ledger.statusOf(maid)).requests).toHaveLength(1);
    });

    test('another request under the same key is refused', async () => {
      const maid = someMaid();
      const idempotencyKey = randomBytes(8).toString('hex');
      await ledger.recordOptOut({ ...optOutOf(maid), idempotencyKey });
      const others = [
        optOutOf(someMaid()),
        { ...optOutOf(maid), rights: ['sale'] as const },
        { ...optOutOf(maid), state: 'CA' },
      ];
      for (const other of others) {
        await expect(ledger.recordOptOut({ ...other, idempotencyKey })).rejects.toMatchObject({
          code: 'ledger.idempotency_conflict',
        });
      }
      await expect(ledger.recordOptIn({ ...optOutOf(maid), idempotencyKey })).rejects.toBeInstanceOf(GateError);
      expect((await ledger.statusOf(maid)).requests).toHaveLength(1);
    });
  });

  describe('opting in', () => {
    test('takes two steps, and only the second changes anything', async () => {
      const maid = someMaid();
      await ledger.recordOptOut(optOutOf(maid));
      const pending = await ledger.recordOptIn(optOutOf(maid));
      expect(pending).toEqual({
        requestId: expect.stringMatching(/^r_/),
        confirmation: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
        confirmByMs: NOW_MS + 15 * 86_400_000,
        status: 'pending',
        isRepeat: false,
      });
      expect(await rightsOf(maid)).toEqual(ALL);
      const receipt = await ledger.confirmOptIn(pending.requestId, pending.confirmation ?? '');
      expect(receipt).toMatchObject({ requestId: pending.requestId, noAskUntil: null, remaining: [] });
      const status = await ledger.statusOf(maid);
      expect(status).toMatchObject({ rights: [], sinceMs: null, noAskUntil: null, token: receipt.token });
      expect(status.requests.map(({ nature, isInForce }) => [nature, isInForce])).toEqual([
        ['opt_in', false],
        ['opt_out', false],
      ]);
    });

    test('is refused with a confirmation that is wrong or too late; the right one sent twice is one opt-in', async () => {
      const maid = someMaid();
      const { requestId: optOutId } = await ledger.recordOptOut(optOutOf(maid));
      const { requestId, confirmation } = await ledger.recordOptIn(optOutOf(maid));
      const confirm = (text: unknown, id = requestId) => ledger.confirmOptIn(id, text as string);
      const refused = (field: string, code: string) => ({ name: 'InputError', field, code });
      await expect(confirm('x'.repeat(43))).rejects.toMatchObject(refused('confirmation', 'unknown'));
      await expect(confirm('')).rejects.toMatchObject(refused('confirmation', 'unknown'));
      await expect(confirm(undefined)).rejects.toMatchObject(refused('confirmation', 'type'));
      await expect(confirm('x'.repeat(10 * 2 ** 20))).rejects.toMatchObject(refused('confirmation', 'too_long'));
      await expect(confirm(confirmation, optOutId)).rejects.toMatchObject(refused('requestId', 'unknown'));
      nowMs = NOW_MS + 15 * 86_400_000 + 1;
      await expect(confirm(confirmation)).rejects.toMatchObject(refused('confirmation', 'expired'));
      nowMs = NOW_MS;
      expect(await rightsOf(maid)).toEqual(ALL);
      const receipts = await Promise.all([confirm(confirmation), confirm(confirmation)]);
      expect(receipts.map(({ isRepeat }) => isRepeat).sort()).toEqual([false, true]);
      expect(receipts[0]?.token).toBe(receipts[1]?.token);
      expect(await confirm(confirmation)).toMatchObject({ isRepeat: true, remaining: [] });
    });

    test.each(['request', 'import'] as const)('is taken back by a later opt-out, through a %s', async (how) => {
      const maid = someMaid();
      await ledger.recordOptOut(optOutOf(maid));
      const { requestId, confirmation } = await ledger.recordOptIn(optOutOf(maid));
      if (how === 'request') await ledger.recordOptOut(optOutOf(maid));
      else await ledger.importOptOuts([{ kind: maid.kind, value: maid.value }]);
      await expect(ledger.confirmOptIn(requestId, confirmation ?? '')).rejects.toMatchObject({
        name: 'InputError',
        code: 'superseded',
      });
      expect(await rightsOf(maid)).toEqual(ALL);
      await optIn([maid]);
      expect(await rightsOf(maid)).toEqual([]);
    });

    test('of a phone number never ends what is recorded for a form that numbers abroad share', async () => {
      const area = String(200 + randomBytes(1).readUInt8() * 3);
      const line = String(randomBytes(4).readUInt32LE()).padStart(10, '0').slice(-7);
      const shared = { kind: 'phone_sha256' as const, value: sha256(`${area}${line}`) };
      const exact = { kind: 'phone_sha256' as const, value: sha256(`1${area}${line}`) };
      await ledger.recordOptOut(optOutOf(shared));
      await ledger.recordOptOut(optOutOf(exact));
      const { remaining } = await optIn([{ kind: 'phone', value: `+1${area}${line}` }]);
      expect([await rightsOf(shared), await rightsOf(exact), remaining]).toEqual([ALL, [], ALL]);
    });

    test('a repeat of the first step is the same request, and does not show the confirmation again', async () => {
      const idempotencyKey = randomBytes(8).toString('hex');
      const request = { ...optOutOf(someMaid()), idempotencyKey };
      const first = await ledger.recordOptIn(request);
      expect(await ledger.recordOptIn(request)).toEqual({ ...first, confirmation: null, isRepeat: true });
    });

    test('ends the rights it names and leaves the others', async () => {
      const maid = someMaid();
      await ledger.recordOptOut({ ...optOutOf(maid), rights: ['sale', 'share', 'child'] });
      expect(await optIn([maid], ['sale', 'profiling'])).toMatchObject({ remaining: ['share', 'child'] });
      expect(await rightsOf(maid)).toEqual(['share', 'child']);
    });

    test('of a clear value ends what was recorded for its digests, in any spelling', async () => {
      const email = someEmail();
      await ledger.recordOptOut(optOutOf({ kind: 'email_sha256', value: sha256(email).toUpperCase() }));
      await ledger.recordOptOut(optOutOf({ kind: 'email', value: ` ${email}` }));
      await optIn([{ kind: 'email', value: email.toUpperCase() }]);
      expect(await rightsOf({ kind: 'email_sha256', value: sha256(email) })).toEqual([]);
      expect(await rightsOf({ kind: 'email', value: email })).toEqual([]);
    });

    test('of a digest leaves what was recorded for the clear value, and says so', async () => {
      const email = someEmail();
      const digest: Identifier = { kind: 'email_sha256', value: sha256(email) };
      await ledger.recordOptOut({ ...optOutOf({ kind: 'email', value: email }), rights: ['share'] });
      await ledger.recordOptOut({ ...optOutOf(digest), rights: ['sale'] });
      expect(await optIn([digest])).toMatchObject({ remaining: ['share'] });
      expect(await rightsOf(digest)).toEqual(['share']);
    });

    test.each(['request', 'import'] as const)('ends the digests of a spelling that a %s was made in', async (how) => {
      const bare = randomBytes(8).toString('hex');
      const spelt: Identifier = { kind: 'ctv', value: `${bare.slice(0, 4)}:${bare.slice(4)}` };
      const digest: Identifier = { kind: 'ctv_sha256', value: sha256(spelt.value) };
      if (how === 'request') await ledger.recordOptOut(optOutOf(spelt));
      else await ledger.importOptOuts([spelt]);
      expect(await rightsOf(digest)).toEqual(ALL);
      await optIn([{ kind: 'ctv', value: bare }]);
      expect(await rightsOf(digest)).toEqual([]);
    });

    test('never ends the rights of somebody whose key was made to collide', async () => {
      const salt = randomBytes(2).toString('hex');
      const [victim, attacker] = collidingIds('example.com', salt).map(
        (value): Identifier => ({ kind: 'eid:example.com', value }),
      ) as [Identifier, Identifier];
      for (const first of [victim, attacker]) {
        const second = first === victim ? attacker : victim;
        await ledger.recordOptOut({ ...optOutOf(first), rights: ['sale', 'share'] });
        await ledger.recordOptOut({ ...optOutOf(second), rights: ['sale', 'child'] });
        expect(await optIn([attacker])).toMatchObject({
          remaining: first === victim ? ['sale', 'share'] : ['sale', 'child'],
        });
        expect(await rightsOf(victim)).toEqual(first === victim ? ['sale', 'share'] : ['sale', 'child']);
        await optIn([victim]);
        expect(await rightsOf(victim)).toEqual([]);
      }
    });

    test('of somebody who never opted out changes nothing, and has its place in the log', async () => {
      const receipt = await optIn([someMaid()]);
      expect(receipt).toMatchObject({ remaining: [], token: expect.stringMatching(/\.\d+$/) });
      expect((await ledger.changesAfter(seqOf(receipt.token) - 1)).entries[0]?.changes.length).toBe(0);
    });

    test('and opting out again puts the rights in force again', async () => {
      const maid = someMaid();
      await ledger.recordOptOut(optOutOf(maid));
      await optIn([maid]);
      const { token } = await ledger.recordOptOut({ ...optOutOf(maid), rights: ['sale'] });
      expect(await ledger.statusOf(maid)).toMatchObject({ rights: ['sale'], token });
    });
  });

  test('everything above left the ledger sound', async () => {
    expect((await ledger.verify()).findings).toEqual([]);
  });
});

describe.each(BACKENDS)('without a sequencer on $name', ({ make }) => {
  test('a request is recorded without a token, and has one when there is a sequencer', async () => {
    const place = await make();
    const options = { tokenWaitMs: 30 };
    const maid = someMaid();
    const alone = await openLedger(place.location, { ...options, sequence: false });
    const receipt = await alone.recordOptOut({ ...optOutOf(maid), idempotencyKey: 'k' });
    expect(receipt).toMatchObject({ token: null, isRepeat: false });
    expect(await alone.recordOptOut({ ...optOutOf(maid), idempotencyKey: 'k' })).toEqual({
      ...receipt,
      isRepeat: true,
    });
    expect(await alone.statusOf(maid)).toMatchObject({ rights: ALL, token: null });
    expect(await alone.status()).toMatchObject({ isSequencer: false, horizonLagMs: null });
    await alone.close();
    const ledger = await openLedger(place.location);
    const repeated = await ledger.recordOptOut({ ...optOutOf(maid), idempotencyKey: 'k' });
    expect(repeated).toEqual({ ...receipt, token: `${(await ledger.head()).epoch}.1`, isRepeat: true });
    expect(await ledger.receipt(receipt.requestId)).toEqual(repeated);
    await ledger.close();
    await place.remove();
  });
});

test('options that make no sense are refused before anything is opened', async () => {
  const open = (options: object) => openLedger('/nowhere/at/all', options);
  await expect(open({ tokenWaitMs: -1 })).rejects.toThrow(RangeError);
  await expect(open({ identifiersPerRequestMax: 1000 })).rejects.toThrow(RangeError);
  await expect(open({ canaryEveryMs: 0.5 })).rejects.toThrow(RangeError);
  await expect(open({ defaultCountry: 'Germany' })).rejects.toThrow(TypeError);
  await expect(open({ keepClear: { key: new Uint8Array(16) } })).rejects.toMatchObject({ code: 'ledger.clear_key' });
  await expect(openLedger(undefined as never)).rejects.toThrow(TypeError);
});
