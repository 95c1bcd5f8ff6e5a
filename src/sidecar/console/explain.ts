/**
 * Explains privacy strings by the policy that is in force.
 * @module
 */
import { z } from 'zod';
import { createGate, type Gate } from '../../core/gate.js';
import type { Policy } from '../../core/policy/policy.js';
import { type Explanation, explainSignals, looksLikeUsPrivacy } from '../../explain/index.js';
import { fieldProblem } from '../control-plane/index.js';

/** Longest string; the longest real ones have some hundreds of characters. */
const STRING_LENGTH_MAX = 8192;
const text = z.string().max(STRING_LENGTH_MAX).optional();
const signalsSchema = z.strictObject({ string: text, sections: text, usPrivacy: text, gpc: z.boolean().optional() });

export class Explainer {
  #gate: { readonly gate: Gate; readonly policy: Policy } | null = null;

  constructor(private readonly policy: () => Policy) {}

  /** Throws a ProblemError for a body that cannot be. */
  explain(body: unknown): Explanation {
    const read = signalsSchema.safeParse(body);
    if (!read.success) {
      const field = String(read.error.issues[0]?.path[0] ?? 'body');
      throw fieldProblem(/^[A-Za-z]{1,20}$/.test(field) ? field : '?', 'malformed', 'expected a string, not too long');
    }
    const { string = '', sections = '', usPrivacy = '', gpc = false } = read.data;
    const given = string.trim();
    const isUsPrivacy = looksLikeUsPrivacy(given) && usPrivacy === '';
    return explainSignals(this.#current(), {
      gpp: given === '' || isUsPrivacy ? undefined : given,
      gpp_sid: sections.trim() === '' ? undefined : sections.trim(),
      us_privacy: isUsPrivacy ? given : usPrivacy === '' ? undefined : usPrivacy,
      gpc: gpc ? '1' : undefined,
    });
  }

  #current(): Gate {
    const policy = this.policy();
    if (this.#gate?.policy !== policy) this.#gate = { policy, gate: createGate({ policy, table: 'none' }) };
    return this.#gate.gate;
  }
}
