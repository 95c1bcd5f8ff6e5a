/**
 * Remembers what the state digest was after each of the last seqs, so that what the ledger says of a settled seq can be
 * compared when it says it, which is always a little later.
 * @module
 */

/** Seqs remembered. If the ledger settles more slowly than this the digest goes unchecked until it catches up. */
export const DIGESTS_KEPT = 16_384;

export class DigestRing {
  private readonly digests: string[] = [];
  private lastSeq = -1;
  private count = 0;

  constructor(private readonly kept: number = DIGESTS_KEPT) {}

  /** The digest after `seq`; seqs come one after the other, or everything before is forgotten. */
  push(seq: number, digest: string): void {
    this.count = seq === this.lastSeq + 1 ? Math.min(this.kept, this.count + 1) : 1;
    this.digests[seq % this.kept] = digest;
    this.lastSeq = seq;
  }

  /** The digest after `seq`, `null` if it is not remembered. */
  at(seq: number): string | null {
    if (seq > this.lastSeq || seq <= this.lastSeq - this.count) return null;
    return this.digests[seq % this.kept] ?? null;
  }
}
