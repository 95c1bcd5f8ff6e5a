import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GateError, InputError } from '../../../src/core/errors.js';
import { EventLog } from '../../../src/sidecar/observe/event-log.js';
import { LOG_EVENTS, type LogEventName, type LogFields, Setting } from '../../../src/sidecar/observe/log-events.js';

function logInto(): { log: EventLog; lines: () => Record<string, unknown>[] } {
  const texts: string[] = [];
  const log = new EventLog({ level: 'debug', to: { write: (text) => void texts.push(text) } });
  return { log, lines: () => texts.map((text) => JSON.parse(text)) };
}

test('an event is a line with its level, name, sentence and fields', () => {
  const { log, lines } = logInto();
  log.event('sync.state', { state: 'hard_stale', ageMs: 5, seqLag: null, source: new Setting('postgres://u:p@db/x') });
  const [line] = lines();
  expect(line).toMatchObject({
    level: 'info',
    name: 'optgate',
    event: 'sync.state',
    state: 'hard_stale',
    ageMs: 5,
    seqLag: null,
    source: 'postgres://db/x',
    msg: 'the follower is in another state',
  });
  expect(String(line?.time)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test.each(Object.keys(LOG_EVENTS) as LogEventName[])('%s is written at its level', (name) => {
  const { log, lines } = logInto();
  log.event(name);
  expect(lines()).toMatchObject([{ event: name, level: LOG_EVENTS[name][0] }]);
});

test.each([
  ['a word that is not known', { code: 'jane@example.com' }],
  ['text where a setting belongs', { address: 'jane@example.com' }],
  ['text where a number belongs', { count: 'jane@example.com' }],
  ['an object', { count: { value: 'jane@example.com' } }],
  ['a field that is not on the list', { email: 'jane@example.com' }],
  ['a field of every object', { constructor: 'jane@example.com', toString: 'jane@example.com' }],
  ['an imitation of a setting', { address: { text: 'jane@example.com' } }],
])('%s is not written, whatever the types were told', (_, fields) => {
  const { log, lines } = logInto();
  log.event('sync.failed', fields as unknown as LogFields);
  expect(lines()).toHaveLength(1);
  expect(JSON.stringify(lines())).not.toContain('jane');
});

test('a setting loses its password and is bounded', () => {
  expect(new Setting('nats://user:secret@host:4222/x').text).toBe('nats://host:4222/x');
  expect(new Setting('https://user:p@ss@host/').text).toBe('https://host/');
  expect(new Setting('/var/lib/a@b').text).toBe('/var/lib/a@b');
  expect(new Setting('x'.repeat(10_000)).text.length).toBe(500);
});

test('a failure tells its class, code and place; the message only of an error of ours', () => {
  const { log, lines } = logInto();
  log.failure('sync.failed', new GateError('sync.deadline', 'after 5 s'), { count: 2 });
  log.failure('control.failed', new InputError('identifiers[0].value', 'malformed', 'expected an e-mail address'));
  log.failure('door.failed', new TypeError('jane@example.com is not iterable\n    at jane@example.com:1:1\n'));
  log.failure('door.failed', 'jane@example.com');
  log.failure('door.failed', Object.assign(new Error('jane@example.com'), { code: 'jane@example.com', name: 'jane' }));
  const cyclic = new Error('jane@example.com');
  cyclic.cause = cyclic;
  log.failure('door.failed', cyclic);
  try {
    readFileSync('/nowhere/jane@example.com');
  } catch (error) {
    log.failure('decision_log.failed', new GateError('snapshot.io', undefined, { cause: error }));
  }
  const [ours, input, theirs, ...rest] = lines();
  expect(ours).toMatchObject({ error: 'GateError', code: 'sync.deadline', count: 2 });
  expect(ours?.message).toContain('after 5 s');
  expect(input).toMatchObject({ error: 'InputError', code: 'malformed' });
  expect(theirs).toMatchObject({ error: 'TypeError' });
  expect((theirs as { frames: string[] }).frames[0]).toMatch(/^at .*event-log\.test\.ts:\d+:\d+/);
  expect(rest.at(-1)).toMatchObject({ code: 'snapshot.io', cause: { code: 'ENOENT', syscall: 'open' } });
  expect(JSON.stringify(lines())).not.toContain('jane');
});
