/**
 * A table that is being kept up: applies entries in the order of their seqs and lets the last version of each key win.
 *
 * An entry is in the table as a whole before its seq is published. What the ledger says of a settled seq is compared
 * with what the table was after that very seq.
 * @module
 */
import { GateError } from '../core/errors.js';
import {
  CHANGE_BYTES,
  changeHigh,
  changeIsDerived,
  changeLow,
  changeRights,
  changesView,
  changeTag,
  changeVersion,
  type Entry,
  type Head,
  type SuppressionTable,
  TableHolder,
} from '../core/suppression/index.js';
import { DigestRing } from './digests.js';
import { Freshness } from './freshness.js';
import type { Position } from './source.js';
import { VersionMemory } from './versions.js';

export interface ReplicaOptions {
  /** Where the table is; a holder of its own unless told. */
  readonly holder?: TableHolder;
  readonly versions?: VersionMemory;
  /** @internal Tests turn it off to see what goes wrong without it. */
  readonly lastVersionWins?: boolean;
}

export class Replica {
  readonly epoch: string;
  readonly freshness = new Freshness();
  /** Where the table is now. Whoever moves the table to another holder says so here. */
  holder: TableHolder;
  /** The newest seq that the source is known to have; `null`: it has not said. */
  headSeq: number | null = null;
  private readonly versions: VersionMemory;
  private readonly digests = new DigestRing();
  private readonly lastVersionWins: boolean;
  private appliedSeq: number;
  /** What the ledger said of a seq that has not been reached yet. */
  private announced: { readonly seq: number; readonly stateDigest: string } | null = null;
  private agreement: 'unknown' | 'agreed' | 'disagreed' = 'unknown';

  constructor(table: SuppressionTable, options: ReplicaOptions = {}) {
    this.holder = options.holder ?? new TableHolder({ table });
    this.versions = options.versions ?? new VersionMemory();
    this.lastVersionWins = options.lastVersionWins ?? true;
    this.epoch = table.epoch;
    this.appliedSeq = table.seq;
    this.digests.push(table.seq, table.stateDigest);
  }

  /** Every entry up to this one is in the table. */
  get seq(): number {
    return this.appliedSeq;
  }

  get position(): Position {
    return { epoch: this.epoch, seq: this.appliedSeq };
  }

  get table(): SuppressionTable {
    const table = this.holder.current;
    if (table === null) throw new GateError('table.not_loaded');
    return table;
  }

  /** Everything the source is known to have is applied. */
  get isCaughtUp(): boolean {
    return this.headSeq === null || this.appliedSeq >= this.headSeq;
  }

  /** Keys whose versions are remembered. */
  get versionCount(): number {
    return this.versions.count;
  }

  /** State digests of the ledger have been compared, and always agreed. */
  get isVerified(): boolean {
    return this.agreement === 'agreed';
  }

  /** @internal For the thread that goes on with this replica. */
  get versionMemory(): VersionMemory {
    return this.versions;
  }

  /**
   * Applies changes `from` to `to` of the next entry. A part that was applied may be applied again. Throws a GateError
   * `sync.unsettled` if there are more keys to remember than are kept, `table.memory` or `table.too_large` as
   * `TableHolder.set` does.
   */
  apply({ changes, seq }: Entry, from = 0, to = changes.length / CHANGE_BYTES): void {
    const versions = this.lastVersionWins ? this.versions : null;
    if (versions?.hasRoom(to - from) === false) throw new GateError('sync.unsettled');
    applyChanges(this.holder, versions, changesView(changes), from * CHANGE_BYTES, to * CHANGE_BYTES, seq);
  }

  /** The entry that was applied last is whole: readers may know. Throws a GateError `sync.digest`. */
  publish(seq: number, freshAtMs: number | null): void {
    this.appliedSeq = seq;
    this.holder.publish(seq, freshAtMs);
    this.freshness.applied(seq);
    this.digests.push(seq, this.table.stateDigest);
    if (this.announced !== null && this.announced.seq <= seq) this.compare(this.announced);
  }

  /**
   * Takes what the ledger says of its settled state. Throws a GateError `sync.digest` if the table was another one at that
   * seq; if that is not known yet, {@link publish} throws it in time.
   */
  settle({ settledSeq, stateDigest }: Head): void {
    if (settledSeq > this.appliedSeq) this.announced ??= { seq: settledSeq, stateDigest };
    else this.compare({ seq: settledSeq, stateDigest });
  }

  /** Kinds that are in the ledger's set; before their first entry, so that no lookup skips it. */
  addKinds({ kindMask, givenKindMask }: Head): void {
    const { table } = this;
    const isKnown = (kindMask & ~table.kindMask) === 0 && (givenKindMask & ~table.givenKindMask) === 0;
    if (!isKnown) this.holder.addKinds(kindMask, givenKindMask);
  }

  /** Everything up to a settled seq is applied: what came before it is done with. */
  private compare(announced: { readonly seq: number; readonly stateDigest: string }): void {
    this.versions.prune(announced.seq);
    if (this.announced !== null && announced.seq >= this.announced.seq) this.announced = null;
    const digest = this.digests.at(announced.seq);
    if (digest === null || this.agreement === 'disagreed') return; // said once, it stays so
    this.agreement = digest === announced.stateDigest ? 'agreed' : 'disagreed';
    if (this.agreement === 'disagreed') throw new GateError('sync.digest', `seq ${announced.seq}`);
  }
}

/** HOT. The changes at `from` up to `to` into the table, except those that a later version has overtaken. */
function applyChanges(
  holder: TableHolder,
  versions: VersionMemory | null,
  view: DataView,
  from: number,
  to: number,
  seq: number,
): void {
  for (let at = from; at < to; at += CHANGE_BYTES) {
    const high = changeHigh(view, at);
    const low = changeLow(view, at);
    const tag = changeTag(view, at);
    const isDerived = changeIsDerived(view, at);
    if (versions === null || versions.advance(high, low, changeVersion(view, at), seq)) {
      holder.setMixed(high, low, tag, changeRights(view, at), isDerived);
    } else {
      holder.addKinds(1 << tag, isDerived ? 0 : 1 << tag); // the kind is in the set, whoever came first
    }
  }
}
