/**
 * What stripping does to one value; the operations of fields.ts. Each is idempotent, and `undefined` means "removed".
 * @module
 */
import type { Operation } from './fields.js';
import { isIdentifierShaped, percentDecoded } from './id-shape.js';
import { coarsenIpv4, coarsenIpv6 } from './ip.js';
import { isJsonLike } from './stray-text.js';
import { cleanUrl } from './url.js';

/** How much of what is coarsened may stay. A number outside its range keeps all or nothing, never more than there is. */
export interface RestrictOptions {
  /** Leading bits of `device.ip`, 0..32. */
  readonly ipv4KeepBits: number;
  /** Leading bits of `device.ipv6`, 0..128. */
  readonly ipv6KeepBits: number;
  /** Latitude and longitude: two decimals (about a kilometre), or gone. */
  readonly coordinates: 'round' | 'remove';
}

/** What Prebid Server and Prebid.js keep of an IPv4 address, and less than they keep of an IPv6 address (56, 64). */
export const RESTRICT_DEFAULTS: RestrictOptions = Object.freeze({
  ipv4KeepBits: 24,
  ipv6KeepBits: 48,
  coordinates: 'round',
});

/** Beyond this a number is not a flag, a percentage, a number of pixels or a time zone. */
const SMALL_MAX = 100_000;
const SMALL_TEXT = /^[0-9]{1,2}$/;
const MAJOR_VERSION = /^[0-9]{1,5}/;

export function applyOperation(operation: Operation, value: unknown, options: RestrictOptions): unknown {
  if (value === null) return value;
  switch (operation) {
    case 'remove':
      return undefined;
    case 'coordinate':
      return options.coordinates === 'round' ? roundCoordinate(value) : undefined;
    case 'ipv4':
      return typeof value === 'string' ? coarsenIpv4(value, options.ipv4KeepBits) : undefined;
    case 'ipv6':
      return typeof value === 'string' ? coarsenIpv6(value, options.ipv6KeepBits, options.ipv4KeepBits) : undefined;
    case 'url':
      return typeof value === 'string' && !isJsonLike(value) ? cleanUrl(value) : undefined;
    case 'text':
      return typeof value === 'string' && !isIdentifierShaped(percentDecoded(value)) ? value : undefined;
    case 'major':
      return majorVersion(value);
    case 'small':
      return isSmall(value) ? value : undefined;
    case 'keep':
    case 'pass':
      return value;
    default:
      return operation satisfies never;
  }
}

/** Two decimals, halves away from zero, so that the western hemisphere is rounded like the eastern. */
function roundCoordinate(value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined;
  const hundredths = Math.round(Math.abs(value) * 100);
  if (!Number.isFinite(hundredths)) return undefined;
  return value < 0 && hundredths !== 0 ? -hundredths / 100 : hundredths / 100;
}

/** `["124", "0", "6367"]` becomes `["124"]`. */
function majorVersion(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const first: unknown = value[0];
  const [major] = (typeof first === 'string' && MAJOR_VERSION.exec(first)) || [];
  if (major === undefined) return undefined;
  return value.length === 1 && major === first ? value : [major];
}

function isSmall(value: unknown): boolean {
  if (typeof value === 'boolean') return true;
  if (typeof value === 'number') return Math.abs(value) < SMALL_MAX;
  return typeof value === 'string' && SMALL_TEXT.test(value);
}
