/**
 * The corpus, replayed; and, where `OPTGATE_FUZZ_SECONDS` says for how long (`npm run fuzz`), evolved: a mutant that reaches
 * something new stays and is mutated in its turn.
 * @module
 */
import { describe, expect, test } from 'vitest';
import { createGate, type Gate } from '../../src/core/gate.js';
import { READ_DEFAULTS } from '../../src/core/openrtb/read.js';
import { RESTRICT_DEFAULTS } from '../../src/core/openrtb/restrict.js';
import { scanRequest } from '../../src/core/openrtb/scan.js';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import { RIGHTS_ALL, STRIP_ALL } from '../../src/core/vocabulary.js';
import { IDENTIFIERS } from '../core/openrtb/requests.js';
import { expectSameAnswer, expectSameFacts, expectSameRest, expectSameTape } from '../reference/bytes-twin.js';
import { createDice, type Dice } from '../reference/odd-json.js';
import { type Input, readCorpus, writeCorpus } from './corpus.js';
import { placesOnTape, startCoverage, takeBlocks } from './coverage.js';
import { INPUT_BYTES_MAX, mutate } from './mutate.js';

const SECONDS = Number(process.env.OPTGATE_FUZZ_SECONDS ?? 0);
const SEED = Number(process.env.OPTGATE_FUZZ_SEED ?? 1);
/** Mutants between two looks at the coverage, which cost more than a mutant. */
const BATCH = 64;
/** The shortest inputs are kept up to so many bytes. */
const CORPUS_BYTES_MAX = 64 * 1_024;

const ALL_KINDS = { ...READ_DEFAULTS, kindMask: -1 >>> 1, emptyIsAbsent: true, digestMask: -1 >>> 1 };
const EXACT = { ipv4KeepBits: 32, ipv6KeepBits: 128, coordinates: 'round' } as const;
const gates: readonly Gate[] = [gateWithSet(), createGate({ table: 'none', now: () => 0 })];

function gateWithSet(): Gate {
  const holder = new TableHolder({ table: SuppressionTable.create({ capacity: 1_000, seed: 7n, epoch: 'fuzz' }) });
  for (const value of IDENTIFIERS) {
    for (const kind of ['maid', 'email_sha256', 'eid:liveramp.com', 'account:user.id'] as const) {
      try {
        enterIdentifier(holder, { kind, value }, RIGHTS_ALL);
      } catch {
        // not one of its kind
      }
    }
  }
  return createGate({ table: holder, now: () => 0 });
}

/** Everything that is compared of one input. */
function expectTwins(bytes: Buffer, mask: number): void {
  expectSameTape(bytes);
  expectSameFacts(bytes);
  expectSameFacts(bytes, ALL_KINDS);
  expectSameRest(bytes, STRIP_ALL, RESTRICT_DEFAULTS);
  expectSameRest(bytes, mask, EXACT);
  for (const gate of gates) {
    expectSameAnswer(gate, bytes, {});
    expectSameAnswer(gate, bytes, { secGpc: '1' });
  }
}

describe('inputs kept from fuzzing', () => {
  test('all are answered alike by way of bytes and by way of objects', () => {
    const inputs = readCorpus();
    expect(inputs.length).toBeGreaterThan(20);
    let scannedCount = 0;
    for (const { bytes } of inputs) {
      if (scanRequest(bytes) === null) scannedCount++;
      for (let bit = 1; bit <= STRIP_ALL; bit <<= 1) expectTwins(bytes, bit);
    }
    // a corpus that is declined proves nothing
    expect(scannedCount).toBeGreaterThan(inputs.length / 2);
    // what the scanner takes for no JSON is none
    for (const gate of gates) expect(gate.stats().bytes.fallbacks).not.toHaveProperty('invalid');
  });
});

describe.skipIf(SECONDS === 0)('fuzzing', () => {
  test(`${SECONDS} s from seed ${SEED}`, { timeout: (SECONDS + 600) * 1_000 }, () => {
    const inputs = readCorpus();
    const dice = createDice(SEED);
    const seen = new Set<string | number>();
    startCoverage();
    for (const { bytes } of inputs) for (const one of featuresOf(bytes, true)) seen.add(one);
    const keptCount = inputs.length;
    const startFeatures = seen.size;
    let caseCount = 0;
    for (const end = Date.now() + SECONDS * 1_000; Date.now() < end; caseCount += BATCH) evolve(inputs, seen, dice);
    console.log(`${caseCount} mutants, ${seen.size - startFeatures} new features, ${inputs.length - keptCount} inputs`);
    for (const gate of gates) expect(gate.stats().bytes.fallbacks).not.toHaveProperty('invalid');
    if (process.env.OPTGATE_FUZZ_KEEP !== undefined) writeCorpus(smallest(inputs, keptCount));
  });
});

/** One batch of mutants: those that reach something new join the inputs. */
function evolve(inputs: Input[], seen: Set<string | number>, dice: Dice): void {
  const fresh: Input[] = [];
  const rest: Input[] = [];
  takeBlocks();
  for (let index = 0; index < BATCH; index++) {
    // the later an input came, the more it has to tell
    const from = Math.max(dice(inputs.length), dice(inputs.length));
    const { bytes: old, source } = inputs[from] as Input;
    const { bytes: other } = inputs[dice(inputs.length)] as Input;
    const bytes = mutate(old, other, dice);
    if (bytes.length > INPUT_BYTES_MAX) continue;
    expectTwins(bytes, 1 + dice(STRIP_ALL));
    const input = { source: source.startsWith('found') ? source : `found from: ${source}`, bytes };
    const isNew = scanRequest(bytes) === null && [...placesOnTape(true)].some((place) => !seen.has(place));
    (isNew ? fresh : rest).push(input);
  }
  if ([...takeBlocks()].some((block) => !seen.has(block))) fresh.push(...rest);
  for (const input of fresh) {
    const news = [...featuresOf(input.bytes, true)].filter((one) => !seen.has(one));
    if (news.length > 0) inputs.push(input);
    for (const one of news) seen.add(one);
  }
}

/** What an input reaches. */
function featuresOf(bytes: Buffer, withMarks: boolean): Set<string | number> {
  takeBlocks();
  expectTwins(bytes, STRIP_ALL);
  const features = new Set<string | number>(takeBlocks());
  if (scanRequest(bytes) === null) for (const place of placesOnTape(withMarks)) features.add(place);
  return features;
}

/** The inputs there were, and the shortest of the new ones that reach all that the new ones reach, marks aside. */
function smallest(inputs: readonly Input[], keptCount: number): Input[] {
  const kept = inputs.slice(0, keptCount);
  const seen = new Set<string | number>();
  for (const { bytes } of kept) for (const one of featuresOf(bytes, false)) seen.add(one);
  let byteCount = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (const input of inputs.slice(keptCount).toSorted((a, b) => a.bytes.length - b.bytes.length)) {
    const news = [...featuresOf(input.bytes, false)].filter((one) => !seen.has(one));
    for (const one of news) seen.add(one);
    byteCount += news.length > 0 ? input.bytes.length : 0;
    if (byteCount > CORPUS_BYTES_MAX) break;
    if (news.length > 0) kept.push(input);
  }
  return kept;
}
