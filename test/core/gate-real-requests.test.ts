/**
 * The gate on 1,008 real bid requests: an opt-out added in any way never loosens an answer, a restricted request holds none
 * of the person's identifiers, no reason carries one, and the command line gives the same answers as the library.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createGate } from '../../src/core/gate.js';
import { appendIdentifier, createKeyList, KEY_WORDS, KEYS_PER_IDENTIFIER_MAX } from '../../src/core/identity/index.js';
import { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Action, type Identifier, RIGHTS_ALL } from '../../src/core/vocabulary.js';
import { parsePolicy } from '../../src/policy-file.js';
import { writeSnapshotFile } from '../../src/snapshot-file.js';

type Json = Record<string, unknown>;
const requests: Json[] = readFileSync('test/vectors/bid-requests.ndjson', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).request);
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

/** The identifiers of a request that can be looked up, read in the plainest way. */
function identifiersOf(request: Json): readonly Identifier[] {
  const device = object(request.device);
  const user = object(request.user);
  const eids = [user.eids, object(user.ext).eids]
    .flat()
    .map(object)
    .filter(({ source }) => typeof source === 'string');
  const found = [
    { kind: 'maid', value: device.ifa },
    { kind: 'account:user.id', value: user.id },
    { kind: 'account:user.buyeruid', value: user.buyeruid },
    ...eids.flatMap(({ source, uids }) =>
      [uids].flat().map((uid) => ({ kind: `eid:${source}`, value: object(uid).id })),
    ),
  ];
  return found.filter(({ value }) => typeof value === 'string' && value !== '') as Identifier[];
}

function tableOf(identifiers: readonly Identifier[]): SuppressionTable {
  const table = SuppressionTable.create({ capacity: 10_000, seed: 1n, epoch: 'e1' });
  for (const identifier of identifiers) {
    const keys = createKeyList(KEYS_PER_IDENTIFIER_MAX);
    appendIdentifier(keys, identifier);
    for (let at = 0; at < keys.count * KEY_WORDS; at += KEY_WORDS) {
      const [tag = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = keys.words.subarray(at, at + KEY_WORDS);
      table.set(tag, w0, w1, w2, w3, RIGHTS_ALL, at > 0);
    }
  }
  table.publish(7, null);
  return table;
}

/** Short values and plain words are too likely to stand elsewhere for another reason. */
const isSwept = ({ value }: Identifier) => value.length >= 8 && !/^[a-z/_-]{8,15}$/.test(value);

const everybody = tableOf(requests.flatMap(identifiersOf));
const nobody = tableOf([{ kind: 'maid', value: '0f0f0f0f-1111-2222-3333-444444444444' }]);
const STRICTNESS: Readonly<Record<Action, number>> = { allow: 0, restrict: 1, block: 2 };

const withRegs = (request: Json, more: Json) => ({ ...request, regs: { ...object(request.regs), ...more } });
const withRegsExt = (request: Json, more: Json) =>
  withRegs(request, { ext: { ...object(object(request.regs).ext), ...more } });
const OPT_OUTS: Readonly<Record<string, (request: Json) => object>> = {
  'us_privacy, 2.6': (request) => withRegs(request, { us_privacy: '1YYN' }),
  'us_privacy, 2.5': (request) => withRegsExt(request, { us_privacy: '1YYN' }),
  GPC: (request) => withRegsExt(request, { gpc: '1' }),
  COPPA: (request) => withRegs(request, { coppa: 1 }),
  'GPP, 2.6': (request) => withRegs(request, { gpp: 'DBABTA~1YYN', gpp_sid: [6] }),
  'GPP, 2.5': (request) => withRegsExt(request, { gpp: 'DBABTA~1YYN', gpp_sid: [6] }),
  LMT: (request) => ({ ...request, device: { ...object(request.device), lmt: 1 } }),
};

test.each(Object.entries(OPT_OUTS))(
  '%s added to a real request restricts it, and never loosens anything',
  (_, optOut) => {
    const gate = createGate({ table: nobody, now: () => 0 });
    for (const request of requests) {
      const before = gate.check(request);
      const after = gate.check(optOut(request));
      expect(after.action).toBe('restrict');
      expect(after.strip).toEqual(expect.arrayContaining([...before.strip]));
    }
  },
);

test('an opt-out on record never loosens anything', () => {
  const policy = parsePolicy({ destinations: [{ id: 'b', whenOptedOut: 'block' }] });
  const [without, having] = [nobody, everybody].map((table) => createGate({ table, policy, now: () => 0 }));
  for (const request of requests) {
    for (const destination of [undefined, 'b', 'unknown']) {
      const before = without!.check(request, { destination });
      const after = having!.check(request, { destination });
      expect(STRICTNESS[after.action]).toBeGreaterThanOrEqual(STRICTNESS[before.action]);
      expect(after.strip).toEqual(expect.arrayContaining([...before.strip]));
    }
  }
});

test('everybody in the set is found, and what goes out holds none of their identifiers', () => {
  const gate = createGate({ table: everybody, now: () => 0 });
  let found = 0;
  for (const request of requests) {
    const identifiers = identifiersOf(request).filter((identifier) => tableOf([identifier]).entryCount > 0);
    const decision = gate.check(request);
    if (identifiers.length === 0) continue;
    found++;
    expect(decision.action).toBe('restrict');
    expect(decision.reasons.some((reason) => reason.startsWith('suppressed.'))).toBe(true);
    const { id, imp, regs, ...rest } = gate.restrict(request, decision) as Json;
    expect([id, regs]).toEqual([request.id, request.regs]);
    expect(imp).toHaveLength((request.imp as unknown[]).length);
    const text = JSON.stringify({ imp, rest });
    const said = JSON.stringify([decision, decision.explain()]);
    for (const { value } of identifiers.filter(isSwept)) {
      expect(text).not.toContain(value);
      expect(said).not.toContain(value);
    }
  }
  expect(found).toBeGreaterThan(300);
});

test('the command line answers as the library does, and passes on the same requests', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-real-'));
  try {
    const path = join(folder, 'everybody.snap');
    await writeSnapshotFile(path, everybody, 0);
    const gate = createGate({ table: everybody });
    const input = requests.map((request) => JSON.stringify(request)).join('\n');
    const args = ['dist/cli/main.js', 'check', '--set', path, '--with-request'];
    const { stdout, status } = spawnSync(process.execPath, args, { input, encoding: 'utf8', maxBuffer: 2 ** 28 });
    expect(status).toBe(0);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const expected = requests.map((request) => {
      const decision = gate.check(request);
      const { action, strip, reasons, seq, stale } = decision;
      return { action, strip, reasons, seq, stale, request: gate.restrict(request, decision) };
    });
    expect(answers).toEqual(JSON.parse(JSON.stringify(expected)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
