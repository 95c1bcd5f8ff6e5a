/**
 * What privacy strings say, field by field, and what they lead to.
 *
 * The action is the gate's own, on a request that holds nothing but the signals, so what is explained is what happens.
 * @module
 */
import type { Gate } from '../core/gate.js';
import type { Decision } from '../core/policy/decision.js';
import { decodeGpp, type GppDecoded, type GppFields, type GppFieldValue } from '../core/signals/gpp/decode.js';
import { parseUsPrivacy, type UsPrivacy } from '../core/signals/us-privacy.js';
import type { Action } from '../core/vocabulary.js';
import { meaningOf, reasonsOfField } from './gpp-meanings.js';

/** The signals to explain; values as they stand in a bid request. */
export interface Signals {
  readonly gpp?: unknown;
  readonly gpp_sid?: unknown;
  readonly us_privacy?: unknown;
  readonly gpc?: unknown;
}

export interface ExplainedField {
  readonly name: string;
  readonly value: GppFieldValue;
  /** One, or one for each item of a list. */
  readonly meanings: readonly string[];
  /** Codes of the reasons that it led to. */
  readonly ledTo: readonly string[];
}

export interface ExplainedSection {
  /** Of the specification, such as `usca`; `us_privacy` for the string of that name. */
  readonly prefix: string;
  readonly fields: readonly ExplainedField[];
}

/** What could not be decoded. */
export interface Undecoded {
  /** `us_privacy`, `GPP`, or the section. */
  readonly what: string;
  readonly code: string | null;
  /** Index of the first character that is wrong. */
  readonly at: number;
}

export interface Explanation {
  readonly sections: readonly ExplainedSection[];
  readonly undecoded: readonly Undecoded[];
  /** There is a GPP string, it can be decoded, and it holds no section. */
  readonly isWithoutSections: boolean;
  readonly action: Action;
  readonly strip: readonly string[];
  readonly reasons: readonly ExplainedReason[];
}

export interface ExplainedReason {
  readonly code: string;
  readonly strip: readonly string[];
  readonly sentence: string;
  readonly citation: string;
}

/** Never throws: what cannot be decoded is said to be so. */
export function explainSignals(gate: Gate, signals: Signals): Explanation {
  const usPrivacy = parseUsPrivacy(signals.us_privacy);
  const gpp = typeof signals.gpp === 'string' ? decodeGpp(signals.gpp) : null;
  const decision = decideOn(gate, signals);
  const sectionOf = (prefix: string, fields: GppFields) => explainedSection(prefix, fields, decision.reasons);
  return {
    sections: [
      ...(usPrivacy.kind === 'parsed' ? [sectionOf('us_privacy', usPrivacyFields(usPrivacy))] : []),
      ...Object.entries(gpp?.kind === 'parsed' ? gpp.sections : {}).map(([prefix, fields]) =>
        sectionOf(prefix, fields),
      ),
    ],
    undecoded: undecodedOf(usPrivacy, gpp),
    isWithoutSections: gpp?.kind === 'parsed' && gpp.sectionIds.length === 0,
    action: decision.action,
    strip: decision.strip,
    reasons: decision.explain().map(({ code, strip, sentence, citation }) => ({ code, strip, sentence, citation })),
  };
}

/** What the gate decides on a request that says nothing else. */
export function decideOn(gate: Gate, { gpp, gpp_sid, us_privacy, gpc }: Signals): Decision {
  return gate.check({ id: 'explain', imp: [], regs: { gpp, gpp_sid, us_privacy, ext: { gpc } } });
}

/** The fields of a US Privacy string, under the names of its specification. */
export function usPrivacyFields({ text }: Extract<UsPrivacy, { kind: 'parsed' }>): GppFields {
  return { Version: 1, Notice: text.charAt(1), OptOutSale: text.charAt(2), LspaCovered: text.charAt(3) };
}

/** True for a text that looks like a US Privacy string rather than a GPP string. */
export function looksLikeUsPrivacy(text: string): boolean {
  return /^\d.{0,4}$/.test(text);
}

function explainedSection(prefix: string, fields: GppFields, reasons: readonly string[]): ExplainedSection {
  return {
    prefix,
    fields: Object.entries(fields).map(([name, value]) => ({
      name,
      value,
      meanings: meaningOf(prefix, name, value),
      ledTo: reasonsOfField(prefix, name, reasons),
    })),
  };
}

function undecodedOf(usPrivacy: UsPrivacy, gpp: GppDecoded | null): readonly Undecoded[] {
  const found: Undecoded[] = [];
  if (usPrivacy.kind === 'malformed') found.push({ what: 'us_privacy', code: null, at: usPrivacy.at });
  if (gpp?.kind === 'malformed') found.push({ what: 'GPP', code: gpp.malformed.code, at: gpp.malformed.at });
  if (gpp?.kind !== 'parsed') return found;
  for (const { code, at, section } of gpp.malformedSections) found.push({ what: String(section), code, at });
  return found;
}
