/**
 * Where a ledger is, as it is given and as it is shown; what failures say, and what they never say.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { type Io, UsageError } from '../../src/cli/command.js';
import { failureText, gateErrorText, inputErrorText } from '../../src/cli/failures.js';
import { ledgerLocation, shownUrl } from '../../src/cli/ledger-location.js';
import { durationMs } from '../../src/cli/time.js';
import { GateError, InputError } from '../../src/core/errors.js';
import { SqlError } from '../../src/ledger/database.js';

const SECRET = 'hunter2';
const io = (env: Record<string, string>) => ({ env }) as unknown as Io;

describe('--ledger', () => {
  test.each([
    [undefined, {}, { kind: 'folder', folder: './.optgate', shown: './.optgate' }],
    [undefined, { OPTGATE_LEDGER: '/var/lib/ledger' }, { kind: 'folder', folder: '/var/lib/ledger' }],
    [undefined, { OPTGATE_LEDGER: '' }, { kind: 'folder', folder: './.optgate' }],
    ['here', { OPTGATE_LEDGER: 'postgres://db/optgate' }, { kind: 'folder', folder: 'here' }],
    [`postgres://me:${SECRET}@db:5433/optgate?password=${SECRET}`, {}, { shown: 'postgres://db:5433/optgate' }],
    ['PostgreSQL://db/optgate', {}, { kind: 'server', url: 'PostgreSQL://db/optgate' }],
  ] as const)('%j with %j', (given, env, expected) => {
    expect(ledgerLocation(given, io(env))).toMatchObject(expected);
  });
  test.each([
    ['', {}, '--ledger: expected a URL or a folder'],
    [`mysql://me:${SECRET}@db/x`, {}, '--ledger: expected postgres://… or a folder, not mysql:'],
    [`postgres://me:${SECRET}%@db:port/x`, {}, '--ledger: the URL cannot be read; is its password percent-encoded?'],
    [`postgres://me:${SECRET}%E4@db/x`, {}, '--ledger: the URL cannot be read; is its password percent-encoded?'],
    [
      undefined,
      { OPTGATE_LEDGER: `nats://${SECRET}@x` },
      'OPTGATE_LEDGER: expected postgres://… or a folder, not nats:',
    ],
  ] as const)('%j with %j is wrong usage, without showing it', (given, env, message) => {
    expect(() => ledgerLocation(given, io(env))).toThrow(new UsageError(message));
  });
  test('a URL is shown without what is secret in it', () => {
    expect(shownUrl(`nats://${SECRET}@host:4222/set?token=${SECRET}#${SECRET}`)).toBe('nats://host:4222/set');
    expect(shownUrl(`https://a:${SECRET}@host/relay/`)).toBe('https://host/relay/');
    expect(shownUrl('file:///var/lib/set.snap')).toBe('file:/var/lib/set.snap');
    expect(shownUrl(`nats://a:${SECRET}@host:no`)).toBe('nats:…');
  });
});

describe('what a failure says', () => {
  const server = (sqlState: string, text: string) => new SqlError(sqlState, null, text);
  const unavailable = (cause: unknown) => gateErrorText(new GateError('ledger.unavailable', undefined, { cause }));

  test.each([
    ['a refused login names no user', server('28P01', `user "${SECRET}"`), /: the server refused the login$/],
    ['a database that is not there', server('3D000', 'database "x" does not exist'), /: database "x" does not exist$/],
    [
      'a row that broke a rule',
      server('23505', `key (id)=(${SECRET})`),
      /: the database refused a statement with SQLSTATE 23505$/,
    ],
    [
      'what the system refused',
      Object.assign(new Error('connect ECONNREFUSED'), { syscall: 'connect' }),
      /ECONNREFUSED$/,
    ],
    ['an error that may quote anything', new TypeError(SECRET), /broke off$/],
    [
      'every address of a host refused',
      new AggregateError([Object.assign(new Error('connect ECONNREFUSED ::1'), { syscall: 'connect' })]),
      /ECONNREFUSED ::1$/,
    ],
    ['a cause behind a cause', new Error(SECRET, { cause: server('57P03', 'starting up') }), /: starting up$/],
  ])('%s', (_, cause, expected) => {
    expect(unavailable(cause)).toMatch(expected);
    expect(unavailable(cause)).not.toContain(SECRET);
  });
  test('a locked folder: what to do instead', () => {
    expect(gateErrorText(new GateError('ledger.locked', 'pid 12'))).toMatch(/\(pid 12\).*; .*PostgreSQL$/);
  });
  test('an error nobody expected: its name alone', () => {
    expect(failureText(new RangeError(SECRET))).toBe('unexpected RangeError');
    expect(failureText(SECRET)).toBe('unexpected error');
  });
  test.each([
    ['receivedAtMs', '--received: expected a moment that has been'],
    ['identifiers[0].value', 'value: expected a moment that has been'],
    ['identifiers[1].kind', '--kind 2: expected a moment that has been'],
    ['something', 'something: expected a moment that has been'],
  ])('the field %s has its name of the command line', (field, expected) => {
    expect(inputErrorText(new InputError(field, 'future', 'expected a moment that has been'))).toBe(expected);
  });
});

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    [undefined, 7],
  ])('%j', (text, ms) => expect(durationMs('wait', text, 7)).toBe(ms));
  test.each(['', '5', '5 m', '-5s', '1.5h', '5d', '9999999999s'])('%j is none', (text) => {
    expect(() => durationMs('wait', text, 7)).toThrow(/^--wait: expected a duration/);
  });
});
