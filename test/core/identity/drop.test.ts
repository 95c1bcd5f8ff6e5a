/**
 * DROP: every worked example of the Agency, further rows from its rules, and what has no standardised form.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type DropField,
  dropHash,
  dropNameVinHash,
  dropNdzHash,
  standardizeDropField,
} from '../../../src/core/identity/index.js';
import published from '../../vectors/drop-vectors.json' with { type: 'json' };
import own from '../../vectors/identity-drop.json' with { type: 'json' };

describe('published examples', () => {
  test.each(published.single)('$field: $input', ({ field, input, standardized, b64 }) => {
    const text = standardizeDropField(field as DropField, input);
    expect(text).toBe(standardized);
    expect(dropHash(text ?? '')).toBe(b64);
  });

  test('NDZ', () => {
    const { standardized, b64 } = published.composite[0]!;
    const [firstName = '', lastName = '', dob = '', zip = ''] = standardized;
    expect(dropNdzHash({ firstName, lastName, dob, zip })).toBe(b64);
    expect(dropNdzHash({ firstName: 'Danielle ', lastName: 'JOHNSON', dob: 'July 4, 1985', zip: '91790-3771' })).toBe(
      b64,
    );
  });

  test('NameVIN', () => {
    const { standardized, b64 } = published.composite[1]!;
    const [firstName = '', lastName = '', vin = ''] = standardized;
    expect(dropNameVinHash({ firstName, lastName, vin })).toBe(b64);
    expect(dropNameVinHash({ firstName: 'Eve', lastName: 'Génesis', vin: '1HGCM82633A004352' })).toBe(b64);
  });
});

describe('from the rules', () => {
  test.each(own.standardized)('$name', ({ field, input, standardized, b64 }) => {
    const text = standardizeDropField(field as DropField, input);
    expect(text).toBe(standardized);
    expect(dropHash(text ?? '')).toBe(b64);
  });

  test.each(own.refused)('no standardised form: $name', ({ field, input }) =>
    expect(standardizeDropField(field as DropField, input)).toBeNull(),
  );

  test('a composite with a field missing has no hash', () => {
    expect(dropNdzHash({ firstName: 'A', lastName: 'B', dob: 'unknown', zip: '91790' })).toBeNull();
    expect(dropNameVinHash({ firstName: 'A', lastName: 'B', vin: '123' })).toBeNull();
  });

  test('standardising twice is standardising once, and nothing throws', () => {
    const fields: readonly DropField[] = [
      'firstName',
      'lastName',
      'dob',
      'zip',
      'email',
      'phone',
      'vin',
      'maid',
      'ctvid',
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.stringMatching(/^[0-9A-Za-z .,/-]{0,30}$/, { size: 'max' }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...fields), text, (field, value) => {
        const once = standardizeDropField(field, value);
        if (once !== null && field !== 'zip') expect(standardizeDropField(field, once)).toBe(once);
      }),
      { numRuns: 3000 },
    );
  });
});
