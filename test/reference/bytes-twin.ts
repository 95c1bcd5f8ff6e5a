/**
 * The byte path held against the object path: the same facts, the same decision, the same outgoing request, the same
 * refusals, whatever the bytes.
 * @module
 */
import { expect } from 'vitest';
import type { BytesContext, Gate } from '../../src/core/gate.js';
import { createFacts, resetFacts } from '../../src/core/openrtb/facts.js';
import { ROOT_NODE } from '../../src/core/openrtb/field-index.js';
import { READ_DEFAULTS, type ReadOptions, readRequest } from '../../src/core/openrtb/read.js';
import { hasRepeatedKeys } from '../../src/core/openrtb/repeated-keys.js';
import { type RestrictOptions, restrictByMask } from '../../src/core/openrtb/restrict.js';
import { scanPlainly, scanRequest, slots } from '../../src/core/openrtb/scan.js';
import { readScanned } from '../../src/core/openrtb/scan-read.js';
import { spliceScanned } from '../../src/core/openrtb/splice.js';
import { NEXT, ROW, source, tape } from '../../src/core/openrtb/tape.js';
import { plainFactsOf } from './openrtb-read.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What the bytes are to `JSON.parse`; a byte order mark is none of its business. */
export function parsedBytes(bytes: Uint8Array): { readonly text: string; readonly value: unknown } | null {
  try {
    const text = utf8.decode(bytes);
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    return null;
  }
}

const scannedFacts = createFacts();
const objectFacts = createFacts();

/** Scanning refuses what is no JSON; of what it takes, the facts are those of the object. True if it was scanned. */
export function expectSameFacts(bytes: Uint8Array, options: ReadOptions = READ_DEFAULTS): boolean {
  const parsed = parsedBytes(bytes);
  if (scanRequest(bytes) !== null) return false;
  if (parsed === null) expect.fail(`scanned what is no JSON: ${shown(bytes)}`);
  resetFacts(scannedFacts);
  readScanned(scannedFacts, options);
  resetFacts(objectFacts);
  readRequest(parsed.value, objectFacts, options);
  const facts = JSON.stringify(plainFactsOf(scannedFacts));
  if (facts !== JSON.stringify(plainFactsOf(objectFacts))) {
    expect([shown(bytes), plainFactsOf(scannedFacts)]).toEqual([shown(bytes), plainFactsOf(objectFacts)]);
  }
  return true;
}

const OPEN_BRACE = 0x7b;

/** The scanner in WebAssembly and the plain one take the same bytes, write the same rows, and decline for the same reason. */
export function expectSameTape(bytes: Uint8Array): void {
  const failure = scanRequest(bytes);
  if (failure === 'too_long' || failure === 'not_object') return;
  const written = takeTape();
  const plainFailure = scanPlainly(source.indexOf(OPEN_BRACE), bytes.length, 0, ROOT_NODE);
  if (failure !== plainFailure) expect([shown(bytes), failure]).toEqual([shown(bytes), plainFailure]);
  if (failure === null && !written.equals(takeTape())) {
    expect([shown(bytes), written.toString('hex')]).toEqual([shown(bytes), takeTape().toString('hex')]);
  }
}

/** A copy of the rows and slots, which are blank then. */
function takeTape(): Buffer {
  const rows = Buffer.from(tape.buffer, tape.byteOffset, Int32Array.BYTES_PER_ELEMENT * ROW * (tape[NEXT] ?? 0));
  const taken = Buffer.concat([rows, Buffer.from(Uint16Array.from(slots).buffer)]);
  rows.fill(0);
  slots.fill(0);
  return taken;
}

/** Splicing, where it says it can, leaves what the object path leaves. True if it could. */
export function expectSameRest(bytes: Uint8Array, mask: number, options: RestrictOptions): boolean {
  if (scanRequest(bytes) !== null) return false;
  const spliced = spliceScanned(mask, options);
  if (typeof spliced === 'string') return false;
  const parsed = parsedBytes(bytes);
  const wanted = JSON.stringify(restrictByMask(parsed?.value as object, mask, options));
  const rest = JSON.stringify(parsedBytes(spliced)?.value);
  if (rest !== wanted) expect([shown(bytes), mask, rest]).toEqual([shown(bytes), mask, wanted]);
  return true;
}

/** `checkBytes` and `filterBytes` answer as `check` and `restrict` do. */
export function expectSameAnswer(gate: Gate, bytes: Uint8Array, context: BytesContext): void {
  const parsed = parsedBytes(bytes);
  const checked = gate.checkBytes(bytes, context);
  const filtered = gate.filterBytes(bytes, context);
  if (parsed === null) {
    expect([checked.kind, filtered.kind]).toEqual(['refused', 'refused']);
    return;
  }
  const { value, text } = parsed;
  if (typeof value !== 'object' || value === null) {
    expect([checked, filtered]).toEqual(Array(2).fill({ kind: 'refused', code: 'request.invalid' }));
    return;
  }
  const decision = gate.check(value, context);
  const wanted = JSON.stringify(decision);
  if (JSON.stringify(checked) !== wanted) expect([shown(bytes), checked]).toEqual([shown(bytes), decision]);
  if (filtered.kind === 'refused') expect.fail(`refused: ${shown(bytes)}`);
  expect(JSON.stringify(filtered.decision)).toBe(wanted);
  const { outgoing } = filtered;
  if (decision.action === 'allow' && bytes[0] !== 0xef && !hasRepeatedKeys(text, value)) expect(outgoing).toBe(bytes);
  const rest = JSON.stringify(outgoing === null ? null : parsedBytes(outgoing)?.value);
  const wantedRest = JSON.stringify(gate.restrict(value, decision));
  if (rest !== wantedRest) expect([shown(bytes), rest]).toEqual([shown(bytes), wantedRest]);
}

function shown(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString('latin1'));
}
