/**
 * Nothing that names a person leaves through what observes: every text value of 1,008 real requests is looked for in the
 * metrics, the decision log (memory and disk) and the log, after all of them have gone through.
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  DecisionBuffer,
  DecisionLog,
  DecisionSpool,
  DoorRecorder,
  EventLog,
  mergeThreadStates,
  SidecarMetrics,
} from '../../../src/sidecar/observe/index.js';
import { metricInputs } from './inputs.js';
import { DESTINATIONS, identifiersOf, POLICY, REQUESTS, trafficGate } from './traffic.js';

/** Long enough to be found by no accident, and no plain word such as `unknown`. */
const isTelling = (text: string) => text.length >= 6 && !/^[a-z_]+$/.test(text);

function* textsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) yield* textsOf(part);
}

/** Those of the texts that stand in what is searched. */
function found(texts: ReadonlySet<string>, searched: string): string[] {
  return [...texts].filter((text) => searched.includes(text));
}

test('no identifier and no other text of a request is in metrics, decision log or log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-privacy-'));
  try {
    const spool = await DecisionSpool.open({ folder });
    const log = new DecisionLog({ spool });
    const buffer = new DecisionBuffer({
      deliver: (batch) => {
        log.append(structuredClone(batch));
        return 'taken';
      },
      epoch: () => 'epoch-1',
    });
    const recorder = new DoorRecorder({ log: buffer });
    const gate = trafficGate();
    const logged: string[] = [];
    const events = new EventLog({ level: 'debug', to: { write: (text) => void logged.push(text) } });
    for (const [index, request] of REQUESTS.entries()) {
      const destination = DESTINATIONS[index % DESTINATIONS.length] ?? null;
      recorder.decided('http', 'check', gate.check(request, { destination }), destination);
      // what callers get wrong: an identifier as a destination, as a refusal code, in an error
      for (const { value } of identifiersOf(request)) {
        recorder.decided('socket', 'filter', gate.check(request, { destination: value }), value);
        recorder.refused('socket', value);
        events.failure('door.failed', new TypeError(`cannot read ${value}`));
      }
    }
    buffer.close();
    const recent = JSON.stringify(log.recent(Number.MAX_SAFE_INTEGER));
    const doors = recorder.snapshot();
    const decisionLog = log.state();
    expect(await log.flush(30_000)).toBe(true);
    const inputs = metricInputs({ threads: { ...mergeThreadStates([]), doors }, decisionLog });
    const metrics = await new SidecarMetrics({ collect: () => inputs }).text();
    const onDisk = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const ours = [...DESTINATIONS, POLICY.version];
    const texts = new Set(REQUESTS.flatMap((request) => [...textsOf(request)]));
    const sought = new Set([...texts].filter((text) => isTelling(text) && !ours.includes(text)));
    const identifiers = new Set(REQUESTS.flatMap(identifiersOf).map(({ value }) => value));
    const long = new Set([...identifiers].filter(isTelling));

    expect(long.size).toBeGreaterThan(90);
    expect(found(long, JSON.stringify(REQUESTS)).length).toBeGreaterThan(90); // the search finds what is there
    for (const [name, searched] of Object.entries({
      metrics,
      recent,
      onDisk: onDisk.join(''),
      logged: logged.join(''),
    })) {
      expect(searched.length, name).toBeGreaterThan(10_000);
      expect([name, found(long, searched)]).toEqual([name, []]);
      expect([name, found(sought, searched)]).toEqual([name, []]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
