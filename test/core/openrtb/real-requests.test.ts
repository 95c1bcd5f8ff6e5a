import { describe, expect, test } from 'vitest';
import { RESTRICT_DEFAULTS, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { SWEEP_LENGTH_MIN } from '../../../src/core/openrtb/search.js';
import { STRIP_GROUPS } from '../../../src/core/vocabulary.js';
import { deepFreeze, type Json, REAL_REQUESTS, textsOf } from './requests.js';

const restrict = (request: Json): Json => restrictRequest(deepFreeze(request), STRIP_GROUPS, RESTRICT_DEFAULTS);

describe('real requests, every group stripped', () => {
  test('none carries an identifier, all are requests still, and twice is once', () => {
    let identifierCount = 0;
    for (const { request } of REAL_REQUESTS) {
      const rest = restrict(request);
      expect(rest.id).toBe(request.id);
      expect(rest.regs).toBe(request.regs);
      expect(rest).toHaveProperty('imp');
      expect((rest.imp as Json[]).map(({ id }) => id)).toEqual((request.imp as Json[]).map(({ id }) => id));
      for (const inventory of ['site', 'app', 'dooh']) expect(inventory in rest).toBe(inventory in request);
      expect(restrict(rest)).toEqual(rest);
      const text = textsOf(rest).join('\n').toLowerCase();
      for (const identifier of identifiersOf(request)) {
        identifierCount++;
        if (text.includes(identifier.toLowerCase())) expect.fail('an identifier came through');
        if (text.includes(encodeURIComponent(identifier).toLowerCase()))
          expect.fail('an encoded identifier came through');
      }
    }
    expect(identifierCount).toBeGreaterThan(340);
  });

  test('contextual facts stay', () => {
    for (const { request } of REAL_REQUESTS) {
      const rest = restrict(request);
      const identifiers = identifiersOf(request);
      // a few senders call their user "test-user" and their browser "test-user-agent"
      const holdsIdentifier = (value: unknown) => identifiers.some((identifier) => String(value).includes(identifier));
      const before = request as Record<string, Json | undefined>;
      const after = rest as Record<string, Json | undefined>;
      for (const name of ['at', 'cur', 'bcat', 'badv', 'tmax', 'test']) expect(after[name]).toEqual(before[name]);
      for (const name of ['ua', 'os', 'language', 'devicetype', 'w', 'h']) {
        if (holdsIdentifier(before.device?.[name])) continue;
        expect(after.device?.[name]).toEqual(before.device?.[name]);
      }
      expect(after.site?.keywords).toEqual(before.site?.keywords);
      expect(after.app?.bundle).toEqual(before.app?.bundle);
      expect(after.source?.schain).toEqual(before.source?.schain);
    }
  });
});

/** Straight from the paths, so that this test shares nothing with the code it checks. */
function identifiersOf(request: Json): readonly string[] {
  const at = (...path: string[]): unknown =>
    path.reduce<unknown>((here, name) => (here as Json | undefined)?.[name], request);
  const eids = [at('user', 'eids'), at('user', 'ext', 'eids')].flatMap((list) => (list ?? []) as Json[]);
  const values = [
    ...['ifa', 'didsha1', 'didmd5', 'dpidsha1', 'dpidmd5', 'macsha1', 'macmd5'].map((name) => at('device', name)),
    ...[at('user', 'id'), at('user', 'buyeruid'), at('user', 'ext', 'optable', 'email')],
    ...Object.values((at('user', 'ext', 'prebid', 'buyeruids') ?? {}) as Json),
    ...eids.flatMap(({ uids }) => ((uids ?? []) as Json[]).map(({ id }) => id)),
  ];
  const isPlaceholder = (value: string) => /^([a-z/_-]{8,15}|[0-]+)$/.test(value);
  return values.filter(
    (value): value is string => typeof value === 'string' && value.length >= SWEEP_LENGTH_MIN && !isPlaceholder(value),
  );
}
