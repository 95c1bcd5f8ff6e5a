/**
 * The manifest of a run: what left, to whom, for what, under which terms and against which state of the set.
 *
 * Its JSON is documented in docs/export-manifest.md. Fields are added, never renamed; it never holds an identifier.
 * @module
 */
import type { Purpose } from '../core/policy/destinations.js';
import { type Right, rightsOfMask } from '../core/vocabulary.js';
import type { ExportTerms } from './terms.js';

export const MANIFEST_VERSION = 1;
/** What the name of the manifest adds to that of the output. */
export const MANIFEST_SUFFIX = '.manifest.json';
/** What the name of a lineage file adds to that of the output. */
export const LINEAGE_SUFFIX = '.lineage';

/** What a pass counts, as a filter counts it. */
export interface PassCounts {
  readonly rowsIn: number;
  readonly rowsKept: number;
  readonly keptUnidentifiable: number;
  readonly rowsBlanked: number;
  readonly droppedSuppressed: number;
  readonly droppedUnidentifiable: number;
  readonly droppedUnreadable: number;
  readonly byKind: Readonly<Record<string, number>>;
}

/** What became of the rows; `in` is the sum of `kept`, `blanked` and the three kinds of dropped. */
export interface ManifestRows {
  readonly in: number;
  readonly kept: number;
  /** Of those kept, rows that name nobody who can be looked up. */
  readonly keptUnidentifiable: number;
  readonly blanked: number;
  readonly droppedSuppressed: number;
  readonly droppedUnidentifiable: number;
  /** Rows that cannot be read. */
  readonly droppedUnreadable: number;
  /** Of those kept at first, dropped or blanked because of opt-outs that came in while the run went on; counted above, too. */
  readonly suppressedOnRecheck: number;
  /** Suppressed rows by the kind of identifier that was found. */
  readonly byKind: Readonly<Record<string, number>>;
}

export interface ManifestFile {
  /** Without its folder; `null`: a stream. */
  readonly name: string | null;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly format: 'optgate-export';
  readonly version: typeof MANIFEST_VERSION;
  readonly runId: string;
  /** Rows were counted, and nothing left or was recorded. */
  readonly dryRun: boolean;
  readonly destination: string;
  readonly purpose: Purpose;
  readonly terms: {
    readonly kind: 'exempt' | 'filter';
    /** Code of the exemption that applied, or of why there is none. */
    readonly reason: string;
    /** Whoever holds one of these was left out. */
    readonly rights: readonly Right[];
  };
  readonly policyVersion: string;
  readonly operator: string | null;
  /** For whom the operator says to act; nobody has checked it. */
  readonly onBehalfOf: string | null;
  readonly optgate: string;
  readonly set: {
    readonly epoch: string;
    readonly seqStart: number;
    /** Nobody whose opt-out has this place or an earlier one is in the output. */
    readonly seqEnd: number;
    /** Passes over the rows: 1, and one more for each time the set had moved. */
    readonly passes: number;
  };
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly input: ManifestFile;
  /** `null`: a dry run, which has none. */
  readonly output: ManifestFile | null;
  /** How the rows were read, as the run was told. */
  readonly filter: Readonly<Record<string, unknown>>;
  readonly rows: ManifestRows;
  /** Fingerprints in the lineage index. */
  readonly fingerprintCount: number;
}

/** What a run is told of itself, and says again in its manifest. */
export interface RunFacts {
  /** From 16 random bytes: `x_` and 22 characters. */
  readonly runId: string;
  readonly destination: string;
  readonly purpose: Purpose;
  readonly terms: RunTerms;
  readonly policyVersion: string;
  readonly operator?: string | null;
  readonly onBehalfOf?: string | null;
  /** Version of this package. */
  readonly optgate: string;
  /** How rows are read. */
  readonly filter: Readonly<Record<string, unknown>>;
}

/** What came of a run. */
export type RunOutcome = Pick<Manifest, 'dryRun' | 'set' | 'input' | 'output' | 'rows' | 'fingerprintCount'> & {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
};

/** The manifest of a run, its fields in the order they are written. */
export function manifestOf(facts: RunFacts, { startedAtMs, finishedAtMs, ...outcome }: RunOutcome): Manifest {
  return {
    format: 'optgate-export',
    version: MANIFEST_VERSION,
    runId: facts.runId,
    dryRun: outcome.dryRun,
    destination: facts.destination,
    purpose: facts.purpose,
    terms: manifestTerms(facts.terms),
    policyVersion: facts.policyVersion,
    operator: facts.operator ?? null,
    onBehalfOf: facts.onBehalfOf ?? null,
    optgate: facts.optgate,
    set: outcome.set,
    startedAt: new Date(startedAtMs).toISOString(),
    finishedAt: new Date(Math.max(startedAtMs, finishedAtMs)).toISOString(),
    input: outcome.input,
    output: outcome.output,
    filter: facts.filter,
    rows: outcome.rows,
    fingerprintCount: outcome.fingerprintCount,
  };
}

/** Under which terms rows leave. */
export type RunTerms =
  | { readonly kind: 'exempt'; readonly exemption: string; readonly rightsMask: number }
  | { readonly kind: 'filter'; readonly reason: string; readonly rightsMask: number };

function manifestTerms(terms: RunTerms): Manifest['terms'] {
  const reason = terms.kind === 'exempt' ? terms.exemption : terms.reason;
  return { kind: terms.kind, reason, rights: rightsOfMask(terms.rightsMask) };
}

export function manifestJson(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** The counts of one pass, as the manifest says them. */
export function manifestRows(counts: PassCounts): ManifestRows {
  return {
    in: counts.rowsIn,
    kept: counts.rowsKept,
    keptUnidentifiable: counts.keptUnidentifiable,
    blanked: counts.rowsBlanked,
    droppedSuppressed: counts.droppedSuppressed,
    droppedUnidentifiable: counts.droppedUnidentifiable,
    droppedUnreadable: counts.droppedUnreadable,
    suppressedOnRecheck: 0,
    byKind: counts.byKind,
  };
}

/** A run as the ledger keeps it: what it goes by, and the manifest. */
export function exportRecordOf(manifest: Manifest, { rightsMask }: ExportTerms) {
  const { runId, destination, purpose, startedAt, finishedAt } = manifest;
  const times = { startedAtMs: Date.parse(startedAt), finishedAtMs: Date.parse(finishedAt) };
  return { runId, destination, purpose, rights: rightsOfMask(rightsMask), ...times, manifest };
}
