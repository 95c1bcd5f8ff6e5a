/**
 * A source between the follower and the real one that can do to every answer what networks and brokers do.
 * @module
 */
import type { ChangesAnswer, LoadedTable, Position, SnapshotRequest, Source } from '../../src/sync/source.js';

export type FrameAnswer = Extract<ChangesAnswer, { kind: 'frame' }>;

export interface Tampering {
  /** What is given instead of an answer. */
  readonly changes?: (answer: ChangesAnswer, after: Position) => ChangesAnswer | Promise<ChangesAnswer>;
  readonly snapshot?: (request: SnapshotRequest, ask: () => Promise<LoadedTable>) => Promise<LoadedTable>;
}

export function tampered(source: Source, tampering: Tampering): Source {
  const { changes, snapshot } = tampering;
  return {
    ...source,
    snapshot: (request) =>
      snapshot === undefined ? source.snapshot(request) : snapshot(request, () => source.snapshot(request)),
    async changes(after, options) {
      const answer = await source.changes(after, options);
      return changes === undefined ? answer : changes(answer, after);
    },
  };
}

/** The same answer with another frame. */
export function withFrame(answer: FrameAnswer, frame: Partial<FrameAnswer['frame']>): FrameAnswer {
  return { ...answer, frame: { ...answer.frame, ...frame } };
}
