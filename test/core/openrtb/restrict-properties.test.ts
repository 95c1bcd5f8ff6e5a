import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { percentDecoded } from '../../../src/core/openrtb/id-shape.js';
import { RESTRICT_DEFAULTS, type RestrictOptions, restrictRequest } from '../../../src/core/openrtb/restrict.js';
import { SWEEP_LENGTH_MIN } from '../../../src/core/openrtb/search.js';
import { STRIP_GROUPS } from '../../../src/core/vocabulary.js';
import { cases } from '../../cases.js';
import { plainRestrict } from '../../reference/openrtb-restrict.js';
import { anyRequest, anyStrip, deepFreeze, IDENTIFIERS, type Json, REAL_REQUESTS, textsOf } from './requests.js';

const anyOptions: fc.Arbitrary<RestrictOptions> = fc.record({
  ipv4KeepBits: fc.constantFrom(24, 16, 0, 32),
  ipv6KeepBits: fc.constantFrom(48, 56, 64, 0, 128),
  coordinates: fc.constantFrom('round', 'remove'),
});
const RUNS = { numRuns: cases(2000) };

describe('generated requests', () => {
  test('the fast and the plain version agree', () => {
    fc.assert(
      fc.property(anyRequest, anyStrip, anyOptions, (request, strip, options) => {
        expect(restrictRequest(request, strip, options)).toEqual(plainRestrict(request, strip, options));
      }),
      RUNS,
    );
  });

  test('restricting twice is restricting once', () => {
    fc.assert(
      fc.property(anyRequest, anyStrip, anyOptions, (request, strip, options) => {
        const once = restrictRequest(request, strip, options);
        expect(restrictRequest(once, strip, options)).toEqual(once);
      }),
      RUNS,
    );
  });

  test('the input is not changed, and what did not change is shared with it', () => {
    fc.assert(
      fc.property(anyRequest, anyStrip, (request, strip) => {
        const before = JSON.stringify(deepFreeze(request));
        const rest = restrictRequest(request, strip, RESTRICT_DEFAULTS);
        expect(JSON.stringify(request)).toBe(before);
        expectShared(request, rest);
      }),
      RUNS,
    );
  });

  test('stripping more groups never sends more identifiers', () => {
    fc.assert(
      fc.property(anyRequest, anyStrip, (request, strip) => {
        const rest = identifiersIn(restrictRequest(request, strip, RESTRICT_DEFAULTS));
        // a URL that is an identifier as a whole is another one once it lost its parameters
        const most = STRIP_GROUPS.filter((group) => group !== 'urls' || strip.includes(group));
        const least = identifiersIn(restrictRequest(request, most, RESTRICT_DEFAULTS));
        expect(rest).toEqual(expect.arrayContaining([...least]));
      }),
      RUNS,
    );
  });
});

test('no JSON at all makes it throw', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), anyStrip, (json, strip) => {
      if (typeof json !== 'object' || json === null) return;
      const once = restrictRequest(json, strip, RESTRICT_DEFAULTS);
      expect(restrictRequest(once, strip, RESTRICT_DEFAULTS)).toEqual(once);
    }),
    RUNS,
  );
});

test('no value of JavaScript makes it throw', () => {
  fc.assert(
    fc.property(
      fc.object({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
      anyStrip,
      (value, strip) => {
        restrictRequest({ user: value, device: value, imp: [value], ...value }, strip, RESTRICT_DEFAULTS);
      },
    ),
    { numRuns: cases(500) },
  );
});

test('the fast and the plain version agree on every real request, whole and mutated', () => {
  for (const { request } of REAL_REQUESTS) {
    expect(restrictRequest(request, STRIP_GROUPS, RESTRICT_DEFAULTS)).toEqual(
      plainRestrict(request, STRIP_GROUPS, RESTRICT_DEFAULTS),
    );
  }
  fc.assert(
    fc.property(fc.constantFrom(...REAL_REQUESTS), anyRequest, anyStrip, ({ request }, other, strip) => {
      const mutated = { ...request, ...other };
      expect(restrictRequest(mutated, strip, RESTRICT_DEFAULTS)).toEqual(
        plainRestrict(mutated, strip, RESTRICT_DEFAULTS),
      );
    }),
    { numRuns: cases(800) },
  );
});

/** Objects that come out as they went in are the same objects. */
function expectShared(before: unknown, after: unknown): void {
  if (typeof before !== 'object' || before === null || typeof after !== 'object' || after === null) return;
  if (JSON.stringify(before) === JSON.stringify(after)) {
    expect(after).toBe(before);
    return;
  }
  if (Array.isArray(before)) return;
  for (const [key, value] of Object.entries(after)) expectShared((before as Json)[key], value);
}

function identifiersIn(request: Json): readonly string[] {
  const text = textsOf(request).join('\n').toLowerCase();
  const decoded = text + percentDecoded(text);
  return IDENTIFIERS.filter((id) => id.length >= SWEEP_LENGTH_MIN && decoded.includes(id.toLowerCase()));
}
