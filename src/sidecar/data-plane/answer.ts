/**
 * Decisions as they go over the wire.
 *
 * The text of a decision is put together from parts that were written before: its reasons are shared while the gate
 * remembers them (core/policy/reason-memo.ts), and there are 256 lists of what to strip.
 * @module
 */
import type { Decision } from '../../core/policy/decision.js';
import { STRIP_ALL } from '../../core/vocabulary.js';
import type { Format } from './content.js';
import { pack } from './decide.js';

const reasonTexts = new WeakMap<readonly string[], string>();
const stripTexts: (string | undefined)[] = new Array<string | undefined>(STRIP_ALL + 1).fill(undefined);
let versionText = { version: '', text: '""' };

/** HOT. The JSON of a decision, in ASCII whatever the version is called. Equal to `JSON.stringify(decision)` as a value. */
export function decisionText(decision: Decision): string {
  return `${openText(decision)}}`;
}

/** The same with the reasons in full. */
export function explainedText(decision: Decision): string {
  return `${openText(decision)},"explain":${asciiJson(decision.explain())}}`;
}

/** A decision as the answer to a check. */
export function decisionBody(decision: Decision, format: Format, explain: boolean): string | Buffer {
  if (format === 'json') return explain ? explainedText(decision) : decisionText(decision);
  return pack(decisionValue(decision, explain));
}

export function decisionValue(decision: Decision, explain: boolean): object {
  return explain ? { ...decision.toJSON(), explain: decision.explain() } : decision.toJSON();
}

function openText(decision: Decision): string {
  const { action, seq, stale, jurisdiction } = decision;
  const strip = stripText(decision);
  const reasons = reasonsText(decision.reasons);
  const version = policyVersionText(decision.policyVersion);
  return `{"action":"${action}","strip":${strip},"reasons":${reasons},"seq":${seq},"stale":${stale},"jurisdiction":"${jurisdiction}","policyVersion":${version}`;
}

function stripText({ stripMask, strip }: Decision): string {
  let text = stripTexts[stripMask];
  if (text === undefined) {
    text = JSON.stringify(strip);
    stripTexts[stripMask] = text;
  }
  return text;
}

function policyVersionText(version: string): string {
  if (versionText.version !== version) versionText = { version, text: asciiJson(version) };
  return versionText.text;
}

function reasonsText(reasons: readonly string[]): string {
  let text = reasonTexts.get(reasons);
  if (text === undefined) {
    text = JSON.stringify(reasons);
    reasonTexts.set(reasons, text);
  }
  return text;
}

/** JSON in ASCII: then a text is as many bytes as it has characters, and goes out in one piece with its head. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Longest list of reasons in a header; a check has all of them. */
export const REASONS_HEADER_CHARS_MAX = 2048;

/** The headers that say what was decided. */
export function decisionHeaders(decision: Decision): string[] {
  const { action, reasons, strip, seq, stale } = decision;
  const headers = ['optgate-action', action, 'optgate-stale', String(stale)];
  if (seq !== null) headers.push('optgate-seq', String(seq));
  if (strip.length > 0) headers.push('optgate-strip', strip.join(','));
  if (reasons.length > 0) headers.push('optgate-reasons', reasonsHeader(reasons));
  return headers;
}

/** As many whole codes as there is room for; `...` in the end says that there were more. */
function reasonsHeader(reasons: readonly string[]): string {
  const all = reasons.join(',');
  if (all.length <= REASONS_HEADER_CHARS_MAX) return all;
  return `${all.slice(0, all.lastIndexOf(',', REASONS_HEADER_CHARS_MAX - 4))},...`;
}
