/**
 * The answer of the gate, and the reasons for it.
 *
 * A decision keeps the facts it was made from as a few integers; the reasons are looked up when they are first read,
 * because most callers look at the action alone.
 * @module
 */
import type { GppVerdict } from '../signals/gpp/verdict.js';
import { type Action, STRIP_ALL, STRIP_GROUPS, type StripGroup } from '../vocabulary.js';
import type { CompiledRules } from './compile.js';
import type { Jurisdiction } from './jurisdiction.js';
import type { Explanation } from './reason-memo.js';

/** One cause of a decision. Never carries an identifier. */
export interface Reason {
  /** Stable, such as `gpp.usca.sale_opt_out`. */
  readonly code: string;
  readonly sentence: string;
  readonly citation: string;
  /** What this cause alone strips; empty for a reason that only informs. */
  readonly strip: readonly StripGroup[];
}

/** What a decision was made from; see `decide`. Masks are 32-bit. */
export interface Causes {
  /** Bits of CAUSE_RULES, in the order of that table. */
  readonly bits: number;
  readonly verdict: GppVerdict | null;
  /** Of `regs.ext.gpp`, where it differs. */
  readonly verdictExt: GppVerdict | null;
  /** Bit per US section that applies. */
  readonly sectionMask: number;
  /** Bit per US section that is listed and not there. */
  readonly missingMask: number;
  /** Bit per kind tag of the identifiers that hit with a right that counts here. */
  readonly hitKinds: number;
  /** The rights that counted. */
  readonly hitRights: number;
}

const STRIP_LISTS: readonly (readonly StripGroup[])[] = Array.from({ length: STRIP_ALL + 1 }, (_, mask) =>
  Object.freeze(STRIP_GROUPS.filter((_group, bit) => (mask & (1 << bit)) !== 0)),
);

/** The groups in a strip mask: shared and frozen. */
export function stripList(mask: number): readonly StripGroup[] {
  return STRIP_LISTS[mask & STRIP_ALL]!;
}

/** `allow`, `restrict` or `block`, with what to strip, why, and which state of the suppression set it was made at. */
export class Decision {
  readonly action: Action;
  /** What a restricted request loses, as a mask over STRIP_GROUPS; see `strip`. */
  readonly stripMask: number;
  /** Position in the change log the table had reached; `null` without a table. */
  readonly seq: number | null;
  /** The table was not loaded, stale or behind when it was asked. */
  readonly stale: boolean;
  readonly jurisdiction: Jurisdiction;
  readonly policyVersion: string;
  readonly #causes: Causes;
  readonly #rules: CompiledRules;
  #explanation: Explanation | undefined;

  /** @internal Decisions are made by `decide`. */
  constructor(
    action: Action,
    stripMask: number,
    seq: number | null,
    stale: boolean,
    jurisdiction: Jurisdiction,
    causes: Causes,
    rules: CompiledRules,
  ) {
    this.action = action;
    this.stripMask = stripMask;
    this.seq = seq;
    this.stale = stale;
    this.jurisdiction = jurisdiction;
    this.policyVersion = rules.policy.version;
    this.#causes = causes;
    this.#rules = rules;
  }

  /** Tells a decision from a refusal (`checkBytes`). */
  get kind(): 'decided' {
    return 'decided';
  }

  /** The groups of fields a restricted request loses, in a fixed order; empty when allowed. */
  get strip(): readonly StripGroup[] {
    return stripList(this.stripMask);
  }

  /** @internal A child is concerned: COPPA, a refusal for a child in GPP, or the stored right. */
  get isForChild(): boolean {
    return this.#rules.concernsChild(this.#causes);
  }

  /** @internal What it was made from, for who counts decisions without building the reasons of each. */
  get causes(): Causes {
    return this.#causes;
  }

  /** Stable reason codes, in a fixed order; empty when nothing spoke against sending. Shared and frozen. */
  get reasons(): readonly string[] {
    return this.#explained().codes;
  }

  /** The reasons in full: code, sentence, citation. */
  explain(): readonly Reason[] {
    return this.#explained().reasons;
  }

  #explained(): Explanation {
    this.#explanation ??= this.#rules.explain(this.#causes);
    return this.#explanation;
  }

  /** The stable JSON form. */
  toJSON(): object {
    const { action, strip, reasons, seq, stale, jurisdiction, policyVersion } = this;
    return { action, strip, reasons, seq, stale, jurisdiction, policyVersion };
  }
}
