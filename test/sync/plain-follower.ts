/**
 * The plain twin of a follower: loads what a source has, applies every entry it is given, and checks what a source has to
 * keep to. Last version wins, by a map. No state machine, no backoff: what goes wrong is thrown.
 * @module
 */
import { expect } from 'vitest';
import { readChanges, SuppressionTable, TableHolder } from '../../src/core/suppression/index.js';
import type { ChangesAnswer, Position, SnapshotSummary, Source } from '../../src/sync/source.js';

export class PlainFollower {
  readonly holder = new TableHolder();
  readonly frameBytes: Uint8Array[] = [];
  position: Position = { epoch: '', seq: 0 };
  /** Monotonic ms at which everything was in the table that had been committed by then. */
  completeAtMs = Number.NEGATIVE_INFINITY;
  snapshotCount = 0;
  /** What the last snapshot said of its age. */
  snapshotLagMs: number | null = null;
  snapshotPath: string | null = null;
  private readonly versions = new Map<string, number>();
  private beat = -1;

  constructor(
    readonly source: Source,
    readonly folder: string,
  ) {}

  get stateDigest(): string | undefined {
    return this.holder.current?.stateDigest;
  }

  async load(
    validate: (summary: SnapshotSummary) => void = () => {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const { share, position, lagMs, path } = await this.source.snapshot({ folder: this.folder, validate, signal });
    this.snapshotLagMs = lagMs;
    this.holder.replace(SuppressionTable.attach(share, 'writer'));
    expect({ epoch: this.holder.epoch, seq: this.holder.seq }).toEqual(position);
    this.position = position;
    this.versions.clear();
    this.beat = -1;
    this.snapshotCount++;
    this.snapshotPath = path;
  }

  /** One question and its answer, applied. */
  async step(waitMs = 0, signal: AbortSignal = new AbortController().signal): Promise<ChangesAnswer> {
    const askedAtMs = performance.now();
    const answer = await this.source.changes(this.position, { waitMs, signal });
    if (answer.kind === 'snapshot') return answer;
    const { head, entries } = answer.frame;
    expect(answer.asOfMs).toBeLessThanOrEqual(performance.now());
    expect(askedAtMs).toBeLessThanOrEqual(performance.now());
    expect(head.epoch).toBe(this.position.epoch);
    expect(head.seq).toBeGreaterThanOrEqual(this.position.seq);
    for (const { seq, changes } of entries) {
      if (seq <= this.position.seq) continue;
      expect(seq, 'entries without a gap').toBe(this.position.seq + 1);
      this.position = { epoch: this.position.epoch, seq };
      for (const { high, low, tag, version, rights, isDerived } of readChanges(changes)) {
        const key = `${high}:${low}`;
        if (version < (this.versions.get(key) ?? 0)) continue;
        this.versions.set(key, version);
        this.holder.setMixed(high, low, tag, rights, isDerived);
      }
      this.holder.publish(seq, null);
    }
    const isNews = head.beat > this.beat;
    this.beat = Math.max(this.beat, head.beat);
    if (isNews && this.position.seq >= head.seq) {
      this.completeAtMs = Math.max(this.completeAtMs, answer.asOfMs - head.lagMs);
    }
    if (answer.bytes !== null) this.frameBytes.push(answer.bytes);
    return answer;
  }

  /** Asks until everything up to `seq` is applied, through snapshots if it takes them. */
  async catchUp(seq: number, deadlineMs = 10_000): Promise<void> {
    const endMs = performance.now() + deadlineMs;
    while (this.position.seq < seq) {
      expect(performance.now(), `at seq ${this.position.seq} of ${seq}`).toBeLessThan(endMs);
      const answer = await this.step(500);
      if (answer.kind === 'snapshot') await this.load();
    }
  }

  /** Like {@link catchUp}, where failures are to be expected: they are counted by code, and it goes on. */
  async endure(seq: number, deadlineMs = 30_000): Promise<ReadonlyMap<string, number>> {
    const endMs = performance.now() + deadlineMs;
    const failures = new Map<string, number>();
    while (this.position.seq < seq) {
      expect(performance.now(), `at seq ${this.position.seq} of ${seq}, ${[...failures]}`).toBeLessThan(endMs);
      try {
        const answer = await this.step(500);
        if (answer.kind === 'snapshot') await this.load();
      } catch (error) {
        const code = (error as { readonly code?: string }).code;
        if (code === undefined) throw error;
        failures.set(code, (failures.get(code) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return failures;
  }
}
