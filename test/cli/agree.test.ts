/**
 * One person, one answer: a set made by `set build` says the same of an identifier in any of its spellings, whether
 * `set lookup` is asked or the gate.
 * @module
 */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT, type Io } from '../../src/cli/command.js';
import { set } from '../../src/cli/set.js';
import { createGate, type Gate } from '../../src/core/gate.js';
import type { Identifier, IdentifierKind } from '../../src/core/vocabulary.js';
import { readSnapshotFile } from '../../src/snapshot-file.js';

const sha256 = (text: string, encoding: 'hex' | 'base64' | 'base64url' = 'hex') => hash('sha256', text, encoding);
const md5 = (text: string) => hash('md5', text);
const sha1 = (text: string) => hash('sha1', text);

const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const IDFA = 'EA7583CD-A667-48BC-B806-42ECB2B48606';

/** Each person as entered, in other spellings that must be found, and in some that name somebody else. */
const PEOPLE: readonly {
  readonly entered: readonly [IdentifierKind, string];
  readonly found: readonly (readonly [string, string])[];
  readonly notFound: readonly (readonly [string, string])[];
}[] = [
  {
    entered: ['email', 'jane@example.com'],
    found: [
      ['email', ' JANE@Example.COM '],
      ['email', 'jane@example.com.'],
      ['EMAIL_SHA256', sha256('jane@example.com').toUpperCase()],
      ['email_sha256', sha256('jane@example.com', 'base64')],
      ['email_sha256', sha256('jane@example.com', 'base64url')],
      ['email_sha1', sha1('jane@example.com')],
      ['email_md5', md5('jane@example.com')],
    ],
    notFound: [
      ['email', 'j.ane@example.com'],
      ['email', 'jane+x@example.com'],
    ],
  },
  {
    entered: ['email', 'J.Doe+Home@Gmail.com'],
    found: [
      ['email', 'jdoe@gmail.com'],
      ['email', 'j.d.o.e+other@GMAIL.com'],
      ['email', 'j.doe@gmail.com'],
      ['email_sha256', sha256('jdoe@gmail.com')],
      ['email_sha256', sha256('jdoe+home@gmail.com')],
    ],
    notFound: [['email', 'jdoe@googlemail.com']],
  },
  {
    entered: ['email', 'a.b@googlemail.com'],
    found: [['email', 'ab@googlemail.com']],
    notFound: [['email', 'ab+x@googlemail.com']],
  },
  {
    entered: ['email_sha256', sha256('digest.only@example.com', 'base64')],
    found: [
      ['email', 'Digest.Only@example.com'],
      ['email_sha256', ` ${sha256('digest.only@example.com')} `],
    ],
    notFound: [['email_sha1', sha1('digest.only@example.com')]],
  },
  {
    entered: ['email_md5', md5('md5only@gmail.com').toUpperCase()],
    found: [['email', 'md5.only+x@gmail.com']],
    notFound: [['email', 'md5.only@gmail.co']],
  },
  {
    entered: ['email', 'Anna Smith@Domain.com'],
    found: [
      ['email', 'annasmith@domain.com'],
      ['email_sha256', sha256('annasmith@domain.com')],
    ],
    notFound: [['email', 'anna@domain.com']],
  },
  {
    entered: ['phone', '(415) 555-9317'],
    found: [
      ['phone', '+1 415 555 9317'],
      ['phone', '14155559317'],
      ['phone', '415.555.9317'],
      ['phone_sha256', sha256('+14155559317')],
      ['phone_sha256', sha256('4155559317', 'base64')],
      ['phone_sha1', sha1('14155559317')],
    ],
    notFound: [['phone', '415 555 9318']],
  },
  {
    entered: ['phone_sha256', sha256('+442079460958')],
    found: [
      ['phone', '+44 20 7946 0958'],
      ['phone', '0044 20 7946 0958'],
    ],
    notFound: [['phone', '+44 20 7946 0959']],
  },
  {
    entered: ['maid', MAID],
    found: [
      ['maid', MAID.toUpperCase()],
      ['maid', MAID.replaceAll('-', '')],
      ['maid', ` {${MAID}} `],
      ['maid_sha1', sha1(MAID)],
      ['maid_sha256', sha256(MAID.toUpperCase().replaceAll('-', ''))],
    ],
    notFound: [['maid', MAID.replace('6', '7')]],
  },
  { entered: ['maid_md5', md5(IDFA)], found: [['maid', IDFA.toLowerCase()]], notFound: [['maid_md5', md5('x')]] },
  {
    entered: ['ctv', 'SmartTV_9F8E7D6C'],
    found: [
      ['ctv', 'smarttv9f8e7d6c'],
      ['ctv', ' SMART-TV-9F8E7D6C'],
      ['ctv_sha256', sha256('smarttv9f8e7d6c')],
    ],
    notFound: [['ctv', 'smarttv9f8e7d6d']],
  },
  {
    entered: ['eid:PubCID.org', 'Abc='],
    found: [['eid: pubcid.ORG', ' Abc= ']],
    notFound: [
      ['eid:pubcid.org', 'abc='],
      ['eid:other.org', 'Abc='],
    ],
  },
  {
    entered: ['account:shop', '4711'],
    found: [['Account:SHOP', '4711']],
    notFound: [['account:shop2', '4711']],
  },
];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'optgate-agree-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `optgate set` in this process: the answer on standard output. */
async function runSet(...args: readonly string[]): Promise<Record<string, unknown>> {
  let stdout = '';
  let stderr = '';
  const io: Io = {
    stdin: Readable.from([]),
    stdout: new PassThrough().on('data', (chunk) => (stdout += chunk)),
    stderr: new PassThrough().on('data', (chunk) => (stderr += chunk)),
    env: {},
    now: Date.now,
  };
  expect([await set.run(args, io), stderr]).toEqual([EXIT.ok, '']);
  return JSON.parse(stdout);
}

async function buildSet(name: string, rows: readonly (readonly [string, string])[]): Promise<string> {
  const list = join(folder, `${name}.ndjson`);
  const out = join(folder, `${name}.snap`);
  writeFileSync(list, rows.map(([kind, value]) => JSON.stringify({ kind, value, rights: 'sale' })).join('\n'));
  await runSet('build', '--out', out, list);
  return out;
}

/** Fails where the two disagree. */
async function isSuppressed(snapshot: string, gate: Gate, [kind, value]: readonly [string, string]): Promise<boolean> {
  const { suppressed } = await runSet('lookup', snapshot, '--kind', kind, value);
  const identifiers = [{ kind, value } as Identifier];
  const { action, reasons } = gate.check({ id: 'r', imp: [] }, { identifiers });
  const label = `${kind} ${value}: ${reasons.join()}`;
  expect([label, reasons.every((code) => code.startsWith('suppressed.'))]).toEqual([label, true]);
  expect([label, action !== 'allow']).toEqual([label, suppressed]);
  return suppressed === true;
}

describe('set lookup and the gate', () => {
  test.each(PEOPLE)('$entered.0 entered alone', async ({ entered, found, notFound }) => {
    const snapshot = await buildSet('one', [entered]);
    const gate = createGate({ table: await readSnapshotFile(snapshot) });
    for (const spelling of [entered, ...found]) {
      expect([spelling, await isSuppressed(snapshot, gate, spelling)]).toEqual([spelling, true]);
    }
    for (const spelling of notFound) {
      expect([spelling, await isSuppressed(snapshot, gate, spelling)]).toEqual([spelling, false]);
    }
  });
  test('all entered together', async () => {
    const snapshot = await buildSet(
      'all',
      PEOPLE.map(({ entered }) => entered),
    );
    const gate = createGate({ table: await readSnapshotFile(snapshot) });
    for (const { entered, found, notFound } of PEOPLE) {
      for (const spelling of [entered, ...found]) expect(await isSuppressed(snapshot, gate, spelling)).toBe(true);
      for (const spelling of notFound) expect(await isSuppressed(snapshot, gate, spelling)).toBe(false);
    }
  });
});
