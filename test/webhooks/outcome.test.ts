/**
 * What an attempt means for its event, by the answer, the refusals before it, and its age.
 * @module
 */
import { expect, test } from 'vitest';
import { SETTINGS } from '../../src/sidecar/config-settings.js';
import { outcomeOf } from '../../src/webhooks/index.js';

const DAY_MS = 86_400_000;
const TERMS = {
  ...{ attemptsMax: 3, serverErrorAgeMsMax: 7 * DAY_MS, silenceAgeMsMax: 30 * DAY_MS },
  ...{ retryBaseMs: 100, retryCapMs: 1000, retryAfterMsMax: 5000, random: () => 0.5 },
};
const YOUNG = { attemptCount: 1, refusedCount: 0, ageMs: 0 };
const answered = (status: number, retryAfterMs: number | null = null) =>
  ({ kind: 'answered', status, retryAfterMs }) as const;
const outcome = (result: Parameters<typeof outcomeOf>[0], tried: Partial<typeof YOUNG> = {}) =>
  outcomeOf(result, { ...YOUNG, ...tried }, TERMS);

test.each([200, 204, 299])('%i: delivered', (status) => {
  expect(outcome(answered(status))).toEqual({ kind: 'delivered', status });
});

test('410: gone', () => expect(outcome(answered(410))).toEqual({ kind: 'gone', status: 410 }));

test.each([199, 302, 400, 401, 404, 413, 422, 600])('%i is a refusal: so many, however old it is', (status) => {
  const failure = { status, reason: 'status', isRefused: true };
  const old = { attemptCount: 500, ageMs: 400 * DAY_MS };
  expect(outcome(answered(status), { refusedCount: 1 })).toEqual({ kind: 'failed', ...failure, delayMs: 100 });
  expect(outcome(answered(status), { ...old, refusedCount: 1 })).toEqual({ kind: 'failed', ...failure, delayMs: 500 });
  expect(outcome(answered(status), { refusedCount: 2 })).toEqual({ kind: 'dead', ...failure });
});

test.each([500, 502, 503, 599])('%i: until it is 7 days old, however often', (status) => {
  const failure = { status, reason: 'status', isRefused: false };
  const often = { attemptCount: 5000, refusedCount: 2 };
  expect(outcome(answered(status), { ...often, ageMs: 7 * DAY_MS })).toEqual({
    ...{ kind: 'failed', ...failure },
    delayMs: 500,
  });
  expect(outcome(answered(status), { ageMs: 7 * DAY_MS + 1 })).toEqual({ kind: 'dead', ...failure });
});

test.each([
  answered(408),
  answered(429),
  ...(['address', 'name', 'timeout', 'tls', 'connection'] as const).map(
    (reason) => ({ kind: 'failed', reason }) as const,
  ),
  ...(['key', 'secret'] as const).map((reason) => ({ kind: 'unmade', reason }) as const),
])('%j: until it is 30 days old, however often', (result) => {
  const often = { attemptCount: 5000, refusedCount: 2 };
  expect(outcome(result, { ...often, ageMs: 30 * DAY_MS })).toMatchObject({ kind: 'failed', isRefused: false });
  expect(outcome(result, { ageMs: 30 * DAY_MS + 1 })).toMatchObject({ kind: 'dead', isRefused: false });
});

test('an event that cannot be read is dead at once', () => {
  const dead = { kind: 'dead', status: null, reason: 'damaged', isRefused: false };
  expect(outcome({ kind: 'unmade', reason: 'damaged' })).toEqual(dead);
});

test('pauses double up to the cap; Retry-After is honoured up to its own', () => {
  const delays = [0, 1, 2, 3, 4, 5, 100].map((attemptCount) => outcome(answered(503), { attemptCount }));
  expect(delays.map((one) => 'delayMs' in one && one.delayMs)).toEqual([50, 100, 200, 400, 500, 500, 500]);
  expect(outcome(answered(503, 3000))).toMatchObject({ delayMs: 3000 });
  expect(outcome(answered(429, 99_000))).toMatchObject({ delayMs: 5000 });
});

test('the limits as they are documented', () => {
  const fallbacks = (['attemptsMax', 'serverErrorAgeMax', 'silenceAgeMax', 'deadKeep'] as const).map(
    (name) => SETTINGS[`webhooks.${name}`].fallback,
  );
  expect(fallbacks).toEqual([24, 7 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS]);
  expect(SETTINGS['webhooks.silenceAgeMax'].schema.safeParse('90d')).toMatchObject({ data: 90 * DAY_MS });
  expect(SETTINGS['webhooks.silenceAgeMax'].schema.safeParse('4000d').success).toBe(false);
});
