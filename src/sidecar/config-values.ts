/**
 * The values a setting can have, parsed once: durations, sizes, counts, addresses, places.
 *
 * A value comes from YAML or JSON with its type, or from an environment variable or flag as text; both ways it is the same.
 * Messages say what was expected, never what was given: it may be a password in the wrong place.
 * @module
 */
import { z } from 'zod';

/** Longer ones overflow what timers count in. */
const DURATION_MS_MAX = 2 ** 31 - 1;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const UNIT_BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
/** Longest path of a Unix socket that every system takes. */
const SOCKET_PATH_BYTES_MAX = 103;
/** A list in a flag or a variable ends sooner. */
const LIST_LENGTH_MAX = 64;

/** Where to listen. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Milliseconds, written `500ms`, `30s`, `5m`, `1h`, `7d`. */
export function duration(minMs: number, maxMs = DURATION_MS_MAX): z.ZodType<number> {
  return parsed('a duration, such as 500ms, 30s, 5m or 1h', (value) => {
    if (value === 0 || value === '0') return 0;
    const [, digits, unit] = /^(\d{1,10})(ms|s|m|h|d)$/.exec(String(value)) ?? [];
    return Number(digits) * (UNIT_MS[unit as keyof typeof UNIT_MS] ?? Number.NaN);
  }).refine(
    (ms) => ms >= minMs && ms <= maxMs,
    `expected a duration from ${durationText(minMs)} to ${durationText(maxMs)}`,
  );
}

/** Bytes, written `64KiB`, `1MiB`, or as a number. */
export function size(minBytes: number, maxBytes: number): z.ZodType<number> {
  return parsed('a size, such as 512B, 64KiB, 1MiB or 2GiB', (value) => {
    const [, digits, unit = 'B'] = /^(\d{1,15})(B|KiB|MiB|GiB)?$/.exec(String(value)) ?? [];
    return Number(digits) * (UNIT_BYTES[unit as keyof typeof UNIT_BYTES] ?? Number.NaN);
  }).refine(
    (bytes) => bytes >= minBytes && bytes <= maxBytes,
    `expected a size from ${sizeText(minBytes)} to ${sizeText(maxBytes)}`,
  );
}

export function count(min: number, max: number): z.ZodType<number> {
  return parsed('a whole number', (value) => (/^\d{1,15}$/.test(String(value)) ? Number(value) : Number.NaN)).refine(
    (number) => number >= min && number <= max,
    `expected a whole number from ${min} to ${max}`,
  );
}

/** A number from 0 to 1. */
export const share: z.ZodType<number> = parsed('a number from 0 to 1', (value) =>
  /^\d(?:\.\d{1,6})?$/.test(String(value)) && Number(value) <= 1 ? Number(value) : Number.NaN,
);

/** `all`, `non_allow`, or a share from 0 to 1. */
export const sampling: z.ZodType<'all' | 'non_allow' | number> = parsed(
  'all, non_allow or a share from 0 to 1',
  (value) => (value === 'all' || value === 'non_allow' ? value : (share.safeParse(value).data ?? Number.NaN)),
);

export function choice<const T extends string>(values: readonly [T, ...T[]]): z.ZodType<T> {
  return z.enum(values, `expected one of ${values.join(', ')}`) as unknown as z.ZodType<T>;
}

export const flag: z.ZodType<boolean> = parsed('true or false', (value) => {
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' ? false : Number.NaN;
});

/** The mode of a file, in octal: `0660`. */
export const fileMode: z.ZodType<number> = parsed('a file mode in quotes, such as "0660"', (value) =>
  typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : Number.NaN,
);

/** Text that is not empty and on one line. */
export const text: z.ZodType<string> = z
  .string('expected text')
  .regex(/^[^\r\n\0]{1,4096}$/, 'expected 1 to 4096 characters on one line');

/** A value, or `off` for none. */
export function orOff<T>(schema: z.ZodType<T>): z.ZodType<T | null> {
  return z.union([off, schema], { error: (issue) => firstMessage(issue) });
}

/** A list; as text its members are separated by commas. `off` is the empty list. */
export function listOf<T>(member: z.ZodType<T>): z.ZodType<readonly T[]> {
  return z.preprocess((value) => {
    if (value === 'off' || value === false) return [];
    return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
  }, z.array(member, 'expected a list').max(LIST_LENGTH_MAX));
}

/** `127.0.0.1:8787`, `[::1]:8787`, `localhost:8787`, or a path with a slash in it for a Unix socket. */
export const listenAddress: z.ZodType<ListenAddress> = parsed(
  'HOST:PORT, such as 127.0.0.1:8787 or [::1]:8787, or the path of a Unix socket',
  (value) => {
    if (typeof value !== 'string') return Number.NaN;
    const path = value.startsWith('unix:') ? value.slice('unix:'.length) : value.includes('/') ? value : null;
    if (path !== null) {
      const isPath = path !== '' && !path.includes('\0') && Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
      return isPath ? { kind: 'unix', path } : Number.NaN;
    }
    const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value) ?? [];
    const [host, port] = [bracketed ?? plain, Number(digits)];
    return host !== undefined && port <= 65_535 ? { kind: 'tcp', host, port } : Number.NaN;
  },
);

/** Where a ledger is, or what to follow: a URL with one of these schemes, or a folder where that is possible. */
export function place(schemes: readonly string[], mayBeFolder: boolean): z.ZodType<string> {
  const expected = `expected ${mayBeFolder ? 'a folder, or ' : ''}${schemes.join(':, ')}:`;
  return text.superRefine((value, context) => {
    const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value)?.[1]?.toLowerCase();
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (scheme === undefined) return mayBeFolder ? undefined : refuse(expected);
    if (!schemes.includes(scheme)) return refuse(expected);
    if (scheme !== 'file' && !URL.canParse(value)) refuse('the URL cannot be read; is its password percent-encoded?');
  });
}

/** What `parse` makes of a text on one line; `null`: it is none of these. */
export function refined<T>(expected: string, parse: (value: string) => T | null): z.ZodType<T> {
  return parsed<T>(expected, (value) => {
    const line = text.safeParse(value);
    return (line.success ? parse(line.data) : null) ?? Number.NaN;
  });
}

/** As it may be shown: without user, password and parameters. */
export function shownPlace(value: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value)?.[1];
  if (scheme === undefined) return value;
  if (!URL.canParse(value)) return `${scheme}:…`;
  const { protocol, host, pathname } = new URL(value);
  return host === '' ? `${protocol}${pathname}` : `${protocol}//${host}${pathname}`;
}

/** An address as people write it. */
export function addressText(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** True where only programs on this machine reach it. */
export function isLocal(address: ListenAddress): boolean {
  if (address.kind === 'unix') return true;
  return address.host === 'localhost' || address.host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(address.host);
}

export function durationText(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= UNIT_MS[unit] && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}

export function sizeText(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes >= UNIT_BYTES[unit] && bytes % UNIT_BYTES[unit] === 0) return `${bytes / UNIT_BYTES[unit]}${unit}`;
  }
  return `${bytes}B`;
}

const off: z.ZodType<null> = z.union([z.literal('off'), z.literal(false)]).transform(() => null);

/** What `parse` makes of a value; NaN: it is none of these. */
function parsed<T>(expected: string, parse: (value: unknown) => T | number): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const result = parse(value);
    if (!Number.isNaN(result)) return result as T;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

/** Of a union of "off" and something: what the something expected. */
function firstMessage(issue: { readonly errors?: readonly (readonly { readonly message: string }[])[] }): string {
  return `${issue.errors?.at(-1)?.[0]?.message ?? 'expected a value'}, or off`;
}
