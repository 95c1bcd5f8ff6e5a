/**
 * What callers say besides the bid request: read from headers and query, and refused where it is misspelt.
 * @module
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OF_OPTED_OUT, PLAIN, type Stand, startStand } from './stand.js';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand({ limits: { waitMsMax: 500, waitingMax: 2 } });
});
afterAll(() => stand.close());

interface Answer {
  readonly action: string;
  readonly reasons: readonly string[];
  readonly stale: boolean;
  readonly jurisdiction: string;
  readonly explain?: readonly { code: string; sentence: string; citation: string }[];
  readonly code?: string;
  readonly field?: string;
  readonly status?: number;
}

async function ask(path: string, headers: Record<string, string> = {}, request: object = PLAIN): Promise<Answer> {
  const response = await stand.post(path, JSON.stringify(request), headers);
  const answer = (await response.json()) as Answer;
  if (response.status !== 200) {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.status).toBe(response.status);
  }
  return answer;
}

test('Sec-GPC is forwarded as it came', async () => {
  expect((await ask('/v1/check', { 'sec-gpc': '1' })).reasons).toEqual(['gpc.header']);
  expect((await ask('/v1/check', { 'sec-gpc': '0' })).reasons).toEqual([]);
  expect((await ask('/v1/check', { 'sec-gpc': '0, 1' })).reasons).toEqual(['gpc.header']);
});

test('the destination, by header and by query', async () => {
  for (const [path, headers] of [
    ['/v1/check', { 'optgate-destination': 'blocker' }],
    ['/v1/check?destination=blocker', {}],
    ['/v1/check?destination=blocker', { 'optgate-destination': 'blocker' }],
  ] as const) {
    expect((await ask(path, headers, OF_OPTED_OUT)).action).toBe('block');
  }
  expect((await ask('/v1/check?destination=', {}, OF_OPTED_OUT)).reasons).toEqual(['suppressed.maid']);
  expect((await ask('/v1/check?destination=nobody', {}, OF_OPTED_OUT)).reasons).toContain('destination.unknown');
});

test('state and country', async () => {
  expect((await ask('/v1/check?state=ca')).jurisdiction).toBe('CA');
  expect((await ask('/v1/check', { 'optgate-state': 'US-CO' })).jurisdiction).toBe('CO');
  expect((await ask('/v1/check?state=TX', { 'optgate-country': 'USA' })).jurisdiction).toBe('TX');
  expect((await ask('/v1/check?country=FR')).jurisdiction).toBe('outside_us');
  expect((await ask('/v1/check', { 'optgate-state': '' })).jurisdiction).toBe('unknown');
});

test('reasons in full', async () => {
  const { reasons, explain } = await ask('/v1/check?explain=true', { 'sec-gpc': '1' });
  expect(explain?.map(({ code }) => code)).toEqual(reasons);
  expect(explain?.every(({ sentence, citation }) => sentence.length > 10 && citation.length > 3)).toBe(true);
  expect((await ask('/v1/check?explain=false', { 'sec-gpc': '1' })).explain).toBe(undefined);
  const lines = await stand.post('/v1/check-batch?explain=true', JSON.stringify(OF_OPTED_OUT), {
    'content-type': 'application/x-ndjson',
  });
  expect(((await lines.json()) as Answer).explain?.map(({ code }) => code)).toEqual(['suppressed.maid']);
});

test('a token that was not reached is waited for, and then said to be behind', async () => {
  expect(await ask('/v1/check?min_seq=e1.7', {}, OF_OPTED_OUT)).toMatchObject({ stale: false });
  const behind = await ask('/v1/check?min_seq=e1.8', {}, { ...PLAIN, user: { id: 'u1' } });
  expect([behind.stale, behind.reasons]).toEqual([true, ['table.behind']]);

  const waits: [string, number][] = [];
  stand.desk.reach = async (token, waitMs) => {
    waits.push([token, waitMs]);
    stand.holder.publish(9, null);
    return true;
  };
  const reached = await ask('/v1/check?min_seq=e1.9', { 'optgate-wait-ms': '500' }, OF_OPTED_OUT);
  expect([reached.stale, waits]).toEqual([false, [['e1.9', 500]]]);
  const identifiers = [{ kind: 'maid', value: OF_OPTED_OUT.device.ifa }];
  const lookup = await stand.post('/v1/lookup?min_seq=e1.10', JSON.stringify({ identifiers }));
  expect(await lookup.json()).toMatchObject({ seq: 9, stale: true });
  const waiting = await stand.post('/v1/lookup?min_seq=e1.9&wait_ms=10', JSON.stringify({ identifiers }));
  expect(await waiting.json()).toMatchObject({ seq: 9, stale: false });
  expect(waits.length).toBe(2);
});

test('only so many wait at the same time', async () => {
  const going: (() => void)[] = [];
  stand.desk.reach = () =>
    new Promise((resolve) => {
      going.push(() => resolve(false));
    });
  const waiting = [1, 2].map(() => ask('/v1/check?min_seq=e1.99&wait_ms=500'));
  await expect.poll(() => going.length).toBe(2);
  expect(await ask('/v1/check?min_seq=e1.99&wait_ms=500')).toMatchObject({ code: 'busy.waiting', status: 503 });
  expect((await ask('/v1/check')).action).toBe('allow');
  for (const go of going) go();
  expect((await Promise.all(waiting)).map(({ action }) => action)).toEqual(['allow', 'allow']);
  stand.desk.reach = async () => false;
  expect((await ask('/v1/check?min_seq=e1.99&wait_ms=1')).action).toBe('allow');
});

test.each([
  ['/v1/check?destinaton=acme', {}, 'query.unknown', undefined],
  ['/v1/check?state=CA&state=NY', {}, 'query.unknown', undefined],
  ['/v1/filter?explain=true', {}, 'query.unknown', undefined],
  ['/v1/lookup?state=CA', {}, 'query.unknown', undefined],
  ['/v1/check', { 'optgate-destnation': 'acme' }, 'header.unknown', undefined],
  ['/v1/lookup', { 'optgate-state': 'CA' }, 'header.unknown', undefined],
  ['/v1/check?state=California', {}, 'context.invalid', 'state'],
  ['/v1/check', { 'optgate-country': 'Fr4' }, 'context.invalid', 'country'],
  ['/v1/check?explain=yes', {}, 'context.invalid', 'explain'],
  ['/v1/check?min_seq=e1.7&wait_ms=501', {}, 'context.invalid', 'wait_ms'],
  ['/v1/check?min_seq=e1.7&wait_ms=-1', {}, 'context.invalid', 'wait_ms'],
  ['/v1/check?wait_ms=10', {}, 'context.invalid', 'min_seq'],
  [`/v1/check?destination=${'x'.repeat(257)}`, {}, 'context.invalid', 'destination'],
  ['/v1/check?state=CA', { 'optgate-state': 'NY' }, 'context.conflict', 'state'],
] as const)('%s %j is refused', async (path, headers, code, field) => {
  const problem = await ask(path, headers);
  expect([problem.code, problem.field, problem.status]).toEqual([code, field, 400]);
});

test('a problem shows nothing of what was sent', async () => {
  const secret = 'jane@example.com';
  for (const path of [`/v1/check?${secret}=1`, `/v1/check?state=${secret}`, `/v1/${secret}`]) {
    const response = await stand.post(path, JSON.stringify(PLAIN));
    expect(await response.text()).not.toContain('jane');
  }
  for (const body of [`{"x":"${secret}`, `"${secret}"`]) {
    const response = await stand.post('/v1/check', body);
    expect(response.status).toBeGreaterThan(399);
    expect(await response.text()).not.toContain('jane');
  }
});
