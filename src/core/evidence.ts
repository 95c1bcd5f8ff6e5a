/**
 * Gathers what is known about one bid request: its signals, where it is from, and what the table says of the people
 * it names. `decide` judges it, once for each destination.
 *
 * Everything is reused from request to request and nothing of a request is kept, the verdicts on GPP strings aside.
 * @module
 */
import { LRUCache } from 'lru-cache';
import {
  appendIdentifiers,
  flagCauses,
  hasMalformedSection,
  hasReached,
  isBidRequest,
  isPlaceDisputed,
  jurisdictionFor,
  usPrivacyCauses,
} from './causes.js';
import { KEY_WORDS, type KeyList } from './identity/key.js';
import { createFacts, IDENTIFIER_COUNT_MAX, type RequestFacts, resetFacts } from './openrtb/facts.js';
import { type ReadOptions, readRequest } from './openrtb/read.js';
import { isScannedBidRequest, readScanned } from './openrtb/scan-read.js';
import { CAUSE, type CompiledRules } from './policy/compile.js';
import type { Evidence } from './policy/decide.js';
import { gpcDutyIn, jurisdictionOf, OUTSIDE_US, UNKNOWN_JURISDICTION } from './policy/jurisdiction.js';
import type { Policy } from './policy/policy.js';
import { CAUSE_RULES, type CauseName } from './policy/rules.js';
import { parseSecGpc } from './signals/gpc.js';
import { SIDS_LISTED, SIDS_MALFORMED, SIDS_NONE_APPLY, SIDS_UNKNOWN, SIDS_US } from './signals/gpp/sids.js';
import { type GppVerdict, judgeGpp } from './signals/gpp/verdict.js';
import type { TableHolder } from './suppression/holder.js';
import type { Identifier } from './vocabulary.js';

/** What the caller knows of a request that the request itself does not say. */
export interface CheckContext {
  /** Id in the policy's data inventory. Without one, any third party is assumed. */
  readonly destination?: string | null | undefined;
  /** The value or values of the HTTP header `Sec-GPC`. */
  readonly secGpc?: string | readonly string[] | null | undefined;
  /** US state the caller knows better than the request (`CA` or `US-CA`). */
  readonly state?: string | null | undefined;
  /** Country the caller knows better than the request, ISO 3166-1. */
  readonly country?: string | null | undefined;
  /** Identifiers of the person that the caller knows besides those in the request, such as the account logged in. */
  readonly identifiers?: readonly Identifier[] | null | undefined;
  /** `epoch.seq` that a write returned: the table must have reached it. */
  readonly minSeq?: string | null | undefined;
}

/** Longest GPP string whose verdict is kept; longer ones are rare, and keeping them would let memory be filled. */
export const MEMO_LENGTH_MAX = 1024;
const ALL_KINDS = -1;

const MALFORMED_CAUSES = (Object.keys(CAUSE_RULES) as CauseName[]).filter((name) =>
  CAUSE_RULES[name].code.endsWith('.malformed'),
);
const MALFORMED_MASK = MALFORMED_CAUSES.reduce((mask, name) => mask | CAUSE[name], 0);

export class EvidenceGatherer {
  readonly evidence: Evidence;
  readonly malformedCounts: Record<string, number> = {};
  memoHits = 0;
  memoMisses = 0;
  readonly #policy: Policy;
  readonly #rules: CompiledRules;
  readonly #holder: TableHolder | null;
  readonly #now: () => number;
  readonly #memo: LRUCache<string, GppVerdict> | null;
  readonly #facts: RequestFacts = createFacts();
  readonly #rights = new Uint8Array(IDENTIFIER_COUNT_MAX);
  readonly #readOptions: { -readonly [K in keyof ReadOptions]: ReadOptions[K] };

  constructor(policy: Policy, rules: CompiledRules, holder: TableHolder | null, now: () => number) {
    this.#policy = policy;
    this.#rules = rules;
    this.#holder = holder;
    this.#now = now;
    const { entryCountMax } = policy.memo;
    this.#memo = entryCountMax === 0 ? null : new LRUCache({ max: entryCountMax });
    this.evidence = {
      causes: 0,
      verdict: null,
      verdictExt: null,
      sectionMask: 0,
      missingMask: 0,
      hits: new Int32Array(2 * IDENTIFIER_COUNT_MAX),
      hitCount: 0,
      jurisdiction: UNKNOWN_JURISDICTION,
      placeDisputed: false,
      seq: null,
      stale: false,
      nowMs: 0,
    };
    this.#readOptions = {
      kindMask: 0,
      digestMask: 0,
      userIdNamespace: policy.identifiers.userIdNamespace,
      buyerUidNamespace: policy.identifiers.buyerUidNamespace,
      emptyIsAbsent: policy.signals.empty === 'absent',
    };
  }

  /** GPP strings whose verdict is kept. */
  get memoEntryCount(): number {
    return this.#memo?.size ?? 0;
  }

  /** HOT. Fills the evidence from a parsed request, the context and the table. */
  gather(request: object, context: CheckContext): void {
    const tableCauses = this.#begin(context);
    readRequest(request, this.#facts, this.#readOptions);
    this.#conclude(isBidRequest(request), context, tableCauses);
  }

  /** HOT. The same for the request that was scanned last (`scanRequest`). */
  gatherScanned(context: CheckContext): void {
    const tableCauses = this.#begin(context);
    readScanned(this.#facts, this.#readOptions);
    this.#conclude(isScannedBidRequest(), context, tableCauses);
  }

  /** HOT. Makes ready to read: what the state of the table gives cause to say, and which kinds to look for. */
  #begin(context: CheckContext): number {
    const holder = this.#holder;
    this.evidence.nowMs = this.#now();
    const tableCauses = this.#tableCauses(context.minSeq);
    // A table that may lack entries may lack a kind, too: then every identifier counts as one that was missed.
    const table = holder === null ? null : holder.current;
    this.#readOptions.kindMask = tableCauses !== 0 ? ALL_KINDS : table === null ? 0 : table.kindMask;
    this.#readOptions.digestMask = table === null ? 0 : table.givenKindMask;
    resetFacts(this.#facts);
    return tableCauses;
  }

  /** HOT. From the facts to the evidence. */
  #conclude(isRequest: boolean, context: CheckContext, tableCauses: number): void {
    const facts = this.#facts;
    const { evidence } = this;
    let causes = flagCauses(facts);
    if (!isRequest) causes |= CAUSE.requestMalformed;
    // Every digest the table holds: spellings of one e-mail address meet in their digests alone.
    if (isGiven(context.identifiers)) {
      causes |= appendIdentifiers(facts.keys, context.identifiers, this.#readOptions.kindMask);
    }
    if (facts.keys.overflowed) causes |= CAUSE.identifiersOverflow;
    causes |= this.#gatherGpp(facts) | usPrivacyCauses(facts, evidence);
    evidence.jurisdiction = jurisdictionFor(facts, context);
    evidence.placeDisputed = isPlaceDisputed(facts, context);
    causes |= this.#gpcCauses(facts, context);
    this.#lookUp(facts.keys);
    if (tableCauses === CAUSE.tableNotLoaded || facts.keys.count > 0) causes |= tableCauses;
    causes &= ~this.#rules.silenced;
    if ((causes & MALFORMED_MASK) !== 0) this.#countMalformed(causes);
    if (hasMalformedSection(evidence)) this.#count('gpp.section_malformed');
    evidence.causes = causes;
  }

  /** HOT. Asks the table for the rights of every key at once, so that the waits for memory overlap. */
  #lookUp(keys: KeyList): void {
    const evidence = this.evidence;
    const table = this.#holder?.current ?? null;
    evidence.hitCount = 0;
    if (table === null || table.rightsOfKeys(keys, this.#rights) === 0) return;
    const { hits } = evidence;
    let hitCount = 0;
    for (let index = 0; index < keys.count; index++) {
      const rights = this.#rights[index]!;
      if (rights === 0) continue;
      hits[2 * hitCount] = keys.words[KEY_WORDS * index]!;
      hits[2 * hitCount + 1] = rights;
      hitCount++;
    }
    evidence.hitCount = hitCount;
  }

  /** What the state of the table gives cause to say; also notes `seq` and `stale`. */
  #tableCauses(minSeq: string | null | undefined): number {
    const evidence = this.evidence;
    const holder = this.#holder;
    evidence.stale = false;
    evidence.seq = null;
    if (holder === null) {
      evidence.stale = isGiven(minSeq);
      return evidence.stale ? CAUSE.tableBehind : 0;
    }
    if (holder.current === null) {
      evidence.stale = true;
      return CAUSE.tableNotLoaded;
    }
    evidence.seq = holder.seq;
    let causes = 0;
    const { freshAtMs } = holder;
    if (freshAtMs !== null && evidence.nowMs - freshAtMs > this.#policy.table.staleAfterMs) causes |= CAUSE.tableStale;
    // A table left behind by its writer gets no more changes, whatever it said of its freshness.
    if (holder.current.standing === 'abandoned') causes |= CAUSE.tableStale;
    if (isGiven(minSeq) && !hasReached(holder, minSeq)) causes |= CAUSE.tableBehind;
    evidence.stale = causes !== 0;
    return causes;
  }

  /** Judges both GPP strings and works out which sections apply. */
  #gatherGpp(facts: RequestFacts): number {
    const evidence = this.evidence;
    const { gppSid, gppSidExt } = facts;
    const { gpp, gppExt } = facts;
    const sids = gppSid | gppSidExt;
    evidence.verdict = null;
    evidence.verdictExt = null;
    evidence.sectionMask = 0;
    evidence.missingMask = 0;
    if (sids === 0 && gpp === null && gppExt === null && !facts.gppWrongType) return 0;

    let causes = 0;
    if ((sids & SIDS_MALFORMED) !== 0) causes |= CAUSE.gppSidMalformed;
    if ((sids & SIDS_UNKNOWN) !== 0) causes |= CAUSE.gppSectionUnknown;
    if (gppSid !== 0 && gppSidExt !== 0 && gppSid !== gppSidExt) causes |= CAUSE.conflictGppSid;
    if (gpp !== null && gppExt !== null && gpp !== gppExt) causes |= CAUSE.conflictGpp;

    const listed = sids & SIDS_US;
    let sectionMask = listed;
    if ((sids & SIDS_MALFORMED) !== 0) sectionMask = SIDS_US;
    else if ((sids & (SIDS_LISTED | SIDS_NONE_APPLY)) === 0 && this.#policy.gpp.withoutSid === 'judge')
      sectionMask = SIDS_US;
    if (sectionMask === 0) return causes;

    const verdict = gpp === null ? null : this.#judge(gpp);
    const verdictExt = gppExt === null || gppExt === gpp ? null : this.#judge(gppExt);
    const unreadable =
      facts.gppWrongType || (verdict?.malformed ?? null) !== null || (verdictExt?.malformed ?? null) !== null;
    evidence.verdict = verdict;
    evidence.verdictExt = verdictExt;
    evidence.sectionMask = sectionMask;
    if (unreadable) return causes | CAUSE.gppMalformed;
    evidence.missingMask = listed & ~((verdict?.presentMask ?? 0) | (verdictExt?.presentMask ?? 0));
    return causes;
  }

  #judge(gpp: string): GppVerdict {
    const memo = this.#memo;
    if (memo === null || gpp.length > MEMO_LENGTH_MAX) return judgeGpp(gpp);
    const known = memo.get(gpp);
    if (known !== undefined) {
      this.memoHits++;
      return known;
    }
    this.memoMisses++;
    const verdict = judgeGpp(gpp);
    memo.set(gpp, verdict);
    return verdict;
  }

  #gpcCauses(facts: RequestFacts, context: CheckContext): number {
    const header = isGiven(context.secGpc) && parseSecGpc(context.secGpc);
    if (!header && facts.gpc === 'absent') return 0;
    const { jurisdiction, nowMs } = this.evidence;
    if (jurisdiction === OUTSIDE_US) {
      if (this.#policy.gpcOutsideUs === 'ignore') return 0;
    } else if (this.#policy.honor === 'by_state' && !gpcDutyIn(jurisdiction, nowMs)) {
      if (!gpcDutyIn(jurisdictionOf(facts.userCountry, facts.userRegion), nowMs) || facts.userCountry === null)
        return 0;
    }
    let causes = header ? CAUSE.gpcHeader : 0;
    if (facts.gpc === 'on') causes |= CAUSE.gpcRegs;
    if (facts.gpc === 'malformed') causes |= CAUSE.gpcMalformed;
    if (header && facts.gpc !== 'on' && facts.gpc !== 'absent') causes |= CAUSE.conflictGpc;
    return causes;
  }

  #countMalformed(causes: number): void {
    for (const name of MALFORMED_CAUSES) {
      if ((causes & CAUSE[name]) === 0) continue;
      this.#count(CAUSE_RULES[name].code);
    }
  }

  #count(code: string): void {
    this.malformedCounts[code] = (this.malformedCounts[code] ?? 0) + 1;
  }
}

export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}
