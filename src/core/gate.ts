/**
 * The gate: asks signals, suppression and policy about one bid request, and answers.
 *
 * This file and evidence.ts compose the five parts of core and are the only ones that do. Everything here is synchronous,
 * never throws on what a request holds, and keeps nothing of it. A request comes parsed (`check`, `restrict`) or as the
 * bytes of its JSON (`checkBytes`, `filterBytes`), and the answer is the same.
 * @module
 */

import { isBidRequest } from './causes.js';
import { type CheckContext, EvidenceGatherer, isGiven } from './evidence.js';
import {
  allowedBytes,
  type ParsedRequest,
  parseRequest,
  type Refusal,
  type RefusalCode,
  refusal,
  withoutMark,
  writeRequest,
} from './openrtb/json-bytes.js';
import { type RestrictOptions, restrictRequest } from './openrtb/restrict.js';
import { scanRequest } from './openrtb/scan.js';
import { isScannedBidRequest } from './openrtb/scan-read.js';
import { spliceScanned } from './openrtb/splice.js';
import { type CompiledRules, compileRules } from './policy/compile.js';
import { decide } from './policy/decide.js';
import type { Decision } from './policy/decision.js';
import { anyThirdParty, type CompiledDestination, compileDestination } from './policy/destinations.js';
import { DEFAULT_POLICY, type Policy } from './policy/policy.js';
import { GPP_FINDINGS } from './signals/gpp/findings.js';
import { prefixOf } from './signals/gpp/sections.js';
import { TableHolder } from './suppression/holder.js';
import { SuppressionTable } from './suppression/table.js';
import type { Action } from './vocabulary.js';

export type { CheckContext } from './evidence.js';
export type { Refusal, RefusalCode } from './openrtb/json-bytes.js';

export interface GateOptions {
  /** From `parsePolicy`; the default is `DEFAULT_POLICY`. */
  readonly policy?: Policy;
  /**
   * The suppression set: a holder that is kept in sync, or a table that never changes hands (no freshness is known of
   * it, so it never counts as stale). `'none'` judges signals alone, and has to be said so that nobody forgets the set.
   */
  readonly table: TableHolder | SuppressionTable | 'none';
  /** Milliseconds since the epoch; the default is the system clock. */
  readonly now?: () => number;
}

/** What the caller knows of a request that comes as bytes. */
export interface BytesContext extends CheckContext {
  /**
   * Refuse JSON that has neither an `imp` array nor an `openrtb` object (`request.invalid`), instead of deciding on it
   * as a malformed request.
   */
  readonly requireBidRequest?: boolean | null | undefined;
}

/** A decision on bytes, and the bytes that may go out under it. */
export interface Filtered {
  readonly kind: 'filtered';
  readonly decision: Decision;
  /**
   * The request that may go out: the very bytes that came when allowed, without what names the person when restricted,
   * `null` when blocked.
   */
  readonly outgoing: Uint8Array | null;
}

export interface BytesStats {
  /** Requests whose bytes were decided on without building objects. */
  readonly scanned: number;
  /** Requests that were parsed into objects instead, by what the scanner does not handle. */
  readonly fallbacks: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Partial<Record<RefusalCode, number>>>;
}

export interface GateStats {
  readonly actions: Readonly<Record<Action, number>>;
  /** Checks in which a signal or container was malformed, by reason code; `gpp.section_malformed` for any section. */
  readonly malformed: Readonly<Record<string, number>>;
  readonly memo: { readonly hits: number; readonly misses: number; readonly entryCount: number };
  /** Of `checkBytes` and `filterBytes`. */
  readonly bytes: BytesStats;
}

const NO_CONTEXT: BytesContext = Object.freeze({});

/**
 * Builds a gate; costs about a millisecond, so keep it.
 *
 * @throws {TypeError} where `policy` or `table` is not of the stated kind.
 * @example
 * const gate = createGate({ table });
 * const decision = gate.check(bidRequest, { secGpc: headers['sec-gpc'] });
 * const outgoing = gate.restrict(bidRequest, decision);   // null: send nothing
 */
export function createGate(options: GateOptions): Gate {
  return new Gate(options);
}

export class Gate {
  readonly policy: Policy;
  readonly #rules: CompiledRules;
  readonly #gatherer: EvidenceGatherer;
  readonly #destinations: ReadonlyMap<string, CompiledDestination>;
  readonly #unnamed: CompiledDestination;
  readonly #unknown: CompiledDestination;
  readonly #restrictOptions: RestrictOptions;
  /** Prebid Server empties the geography of a request under COPPA. */
  readonly #restrictForChild: RestrictOptions;
  readonly #actionCounts: Record<Action, number> = { allow: 0, restrict: 0, block: 0 };
  readonly #fallbackCounts: Record<string, number> = {};
  readonly #refusalCounts: Partial<Record<RefusalCode, number>> = {};
  #scannedCount = 0;

  constructor(options: GateOptions) {
    const { policy = DEFAULT_POLICY, now = Date.now } = options;
    this.policy = policy;
    this.#rules = compileRules(policy, { findings: GPP_FINDINGS, prefixOf });
    this.#gatherer = new EvidenceGatherer(policy, this.#rules, holderOf(options.table), now);
    const compiled = policy.destinations.map(
      (row) => [row.id, compileDestination(row, policy.exemptPurposes)] as const,
    );
    this.#destinations = new Map(compiled);
    this.#unnamed = anyThirdParty(policy.exemptPurposes, true);
    this.#unknown = anyThirdParty(policy.exemptPurposes, false);
    this.#restrictOptions = policy.restrict;
    this.#restrictForChild = { ...policy.restrict, coordinates: 'remove' };
  }

  /**
   * HOT. Decides whether `request` may go to one destination.
   * @param request An OpenRTB 2.x or 3.0 bid request, parsed. Anything else is restricted as malformed.
   */
  check(request: object, context?: CheckContext | null): Decision {
    this.#gatherer.gather(request, context ?? NO_CONTEXT);
    return this.#decideFor(context?.destination);
  }

  /** The same for several destinations: signals and lookups are done once. One decision each, in their order. */
  checkMany(request: object, destinations: readonly string[], context?: CheckContext | null): Decision[] {
    this.#gatherer.gather(request, context ?? NO_CONTEXT);
    return destinations.map((destination) => this.#decideFor(destination));
  }

  /**
   * The request that may go out under a decision: the same object when allowed, a copy without what names the person
   * when restricted (parts that stay are shared), `null` when blocked. The input is never changed.
   */
  restrict<T extends object>(request: T, decision: Decision): T | null {
    switch (decision.action) {
      case 'allow':
        return request;
      case 'restrict':
        return restrictRequest(request, decision.strip, this.#restrictOptionsFor(decision));
      case 'block':
        return null;
      default:
        return decision.action satisfies never;
    }
  }

  /**
   * HOT. Decides on a bid request as UTF-8 bytes of JSON: the decision of `check(JSON.parse(bytes))`, without building
   * objects. The bytes are not kept.
   * @returns The decision (`kind: 'decided'`), or why there is none (`kind: 'refused'`): what `JSON.parse` refuses, is
   * no object or array, or is longer or deeper than the limits. A refusal is no permission. Never throws.
   * @example
   * const answer = gate.checkBytes(body, { destination });
   * if (answer.kind === 'refused') reply(400, answer.code);
   * else reply(200, answer.action);
   */
  checkBytes(bytes: Uint8Array, context?: BytesContext | null): Decision | Refusal {
    const failure = scanRequest(bytes);
    if (failure === null) return this.#checkScanned(context ?? NO_CONTEXT);
    const parsed = this.#parseInstead(bytes, failure);
    return parsed.kind === 'refused' ? parsed : this.#checkParsed(parsed, context ?? NO_CONTEXT);
  }

  /**
   * HOT. Decides on a bid request as bytes, and gives the bytes that may go out: `restrict` as well, without building
   * objects. What is parsed from the outgoing bytes equals `restrict(JSON.parse(bytes), decision)`; what stays is copied
   * byte for byte. An allowed request is the very array that came (behind its byte order mark, if any), unless a key
   * stands in it twice: then it is written anew from what was judged.
   * @returns The same refusals as {@link checkBytes}, also where what is left is nested too deep to be written.
   * @example
   * const answer = gate.filterBytes(body, { destination });
   * if (answer.kind === 'filtered' && answer.outgoing !== null) send(answer.outgoing);
   */
  filterBytes(bytes: Uint8Array, context?: BytesContext | null): Filtered | Refusal {
    const failure = scanRequest(bytes);
    if (failure === null) return this.#filterScanned(bytes, context ?? NO_CONTEXT);
    const parsed = this.#parseInstead(bytes, failure);
    if (parsed.kind === 'refused') return parsed;
    const decision = this.#checkParsed(parsed, context ?? NO_CONTEXT);
    return decision.kind === 'refused'
      ? decision
      : this.#filtered(decision, this.#writeParsed(bytes, parsed, decision));
  }

  /** Counters since the gate was built; a copy. */
  stats(): GateStats {
    const { malformedCounts, memoHits, memoMisses, memoEntryCount } = this.#gatherer;
    return {
      actions: { ...this.#actionCounts },
      malformed: { ...malformedCounts },
      memo: { hits: memoHits, misses: memoMisses, entryCount: memoEntryCount },
      bytes: {
        scanned: this.#scannedCount,
        fallbacks: { ...this.#fallbackCounts },
        refusals: { ...this.#refusalCounts },
      },
    };
  }

  #decideFor(destination: string | null | undefined): Decision {
    const compiled = !isGiven(destination) ? this.#unnamed : (this.#destinations.get(destination) ?? this.#unknown);
    const decision = decide(this.#gatherer.evidence, compiled, this.#rules);
    this.#actionCounts[decision.action]++;
    return decision;
  }

  #restrictOptionsFor(decision: Decision): RestrictOptions {
    return decision.isForChild ? this.#restrictForChild : this.#restrictOptions;
  }

  /** HOT. Decides on the request that was scanned last. */
  #checkScanned(context: BytesContext): Decision | Refusal {
    if (context.requireBidRequest === true && !isScannedBidRequest()) return this.#refused(refusal('request.invalid'));
    this.#scannedCount++;
    this.#gatherer.gatherScanned(context);
    return this.#decideFor(context.destination);
  }

  /** HOT. */
  #filterScanned(bytes: Uint8Array, context: BytesContext): Filtered | Refusal {
    const decision = this.#checkScanned(context);
    if (decision.kind === 'refused') return decision;
    if (decision.action === 'block') return { kind: 'filtered', decision, outgoing: null };
    if (decision.action === 'allow') return { kind: 'filtered', decision, outgoing: withoutMark(bytes) };
    const outgoing = spliceScanned(decision.stripMask, this.#restrictOptionsFor(decision));
    if (typeof outgoing !== 'string') return { kind: 'filtered', decision, outgoing };
    const parsed = this.#parseInstead(bytes, outgoing);
    return parsed.kind === 'refused' ? parsed : this.#filtered(decision, this.#writeParsed(bytes, parsed, decision));
  }

  /** What the scanner does not handle goes by way of objects, and is counted if it is a request at all. */
  #parseInstead(bytes: Uint8Array, why: string): ParsedRequest | Refusal {
    const parsed = parseRequest(bytes);
    if (parsed.kind === 'refused') return this.#refused(parsed);
    this.#fallbackCounts[why] = (this.#fallbackCounts[why] ?? 0) + 1;
    return parsed;
  }

  #checkParsed(parsed: ParsedRequest, context: BytesContext): Decision | Refusal {
    if (context.requireBidRequest === true && !isBidRequest(parsed.value)) {
      return this.#refused(refusal('request.invalid'));
    }
    this.#gatherer.gather(parsed.value, context);
    return this.#decideFor(context.destination);
  }

  #writeParsed(bytes: Uint8Array, parsed: ParsedRequest, decision: Decision): Uint8Array | Refusal | null {
    if (decision.action === 'allow') return allowedBytes(bytes, parsed);
    const rest = this.restrict(parsed.value, decision);
    return rest === null ? null : writeRequest(rest);
  }

  #filtered(decision: Decision, outgoing: Uint8Array | Refusal | null): Filtered | Refusal {
    if (outgoing !== null && 'kind' in outgoing) return this.#refused(outgoing);
    return { kind: 'filtered', decision, outgoing };
  }

  #refused(why: Refusal): Refusal {
    this.#refusalCounts[why.code] = (this.#refusalCounts[why.code] ?? 0) + 1;
    return why;
  }
}

function holderOf(table: unknown): TableHolder | null {
  if (table === 'none') return null;
  if (table instanceof TableHolder) return table;
  if (table instanceof SuppressionTable) return new TableHolder({ table });
  throw new TypeError("table: expected a TableHolder, a SuppressionTable, or 'none' to judge signals alone");
}
