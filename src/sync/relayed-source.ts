/**
 * What a relay has, as a source for the follower in the same process: one connection upstream serves both.
 * @module
 */

import { randomBytes } from 'node:crypto';
import { constants, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GateError } from '../core/errors.js';
import type { Verifier } from '../core/suppression/index.js';
import { linkSignals } from './linked-signal.js';
import { RELAY_LIMITS } from './relay.js';
import type { RelayFeed } from './relay-feed.js';
import { loadSnapshot } from './snapshot-load.js';
import {
  AGE_TOLD_LATER,
  type ChangesAnswer,
  type LoadedTable,
  type Position,
  type SnapshotRequest,
  type Source,
} from './source.js';

const LIMITS = { entriesMax: RELAY_LIMITS.entriesMax, bytesMax: RELAY_LIMITS.frameBytesMax };

/**
 * A relay's feed as a source. Closing the source leaves the feed open.
 * @example new Follower({ source: createRelayedSource(feed, { name: 'http' }), holder, enforcer });
 */
export function createRelayedSource(
  feed: RelayFeed,
  { name, verifier }: { readonly name: string; readonly verifier?: Verifier | undefined },
): Source {
  return new RelayedSource(feed, name, verifier);
}

class RelayedSource implements Source {
  private readonly closing = new AbortController();

  constructor(
    private readonly feed: RelayFeed,
    readonly name: string,
    private readonly verifier: Verifier | undefined,
  ) {}

  async snapshot({ folder, validate, signal }: SnapshotRequest): Promise<LoadedTable> {
    const snapshot = this.feed.snapshot();
    if (this.closing.signal.aborted) throw new GateError('sync.closed');
    if (snapshot === null) throw new GateError('sync.unavailable', 'there is no snapshot yet');
    validate({ position: snapshot.position, entryCount: snapshot.entryCount });
    const path = join(folder, `.download-${randomBytes(6).toString('hex')}.tmp`);
    const either = linkSignals(signal, this.closing.signal);
    try {
      await copyFile(snapshot.path, path, constants.COPYFILE_FICLONE).catch((cause: unknown) => {
        throw new GateError('sync.store', undefined, { cause });
      });
      const options = { validate, signal: either.signal, verifier: this.verifier };
      const { share, position } = await loadSnapshot(path, options);
      return { share, position, lagMs: AGE_TOLD_LATER, path };
    } catch (error) {
      await rm(path, { force: true }).catch(() => {});
      throw error;
    } finally {
      either.unlink();
    }
  }

  async changes(
    after: Position,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<ChangesAnswer> {
    const either = linkSignals(signal, this.closing.signal);
    await this.feed.wait(after, waitMs, either.signal);
    either.unlink();
    if (either.signal.aborted) throw new GateError('sync.closed');
    const answer = this.feed.changesAfter(after, LIMITS);
    if (answer.kind === 'empty') throw new GateError('sync.unavailable', 'nothing has come yet');
    if (answer.kind !== 'frame') return { kind: 'snapshot', why: `sync.${answer.kind}` };
    const { frame, passed, asOfMs } = answer;
    if (frame.head.seq < after.seq) throw new GateError('sync.unavailable', 'the relay is behind');
    return { kind: 'frame', frame, bytes: passed?.entries ?? passed?.head ?? null, asOfMs };
  }

  report(...parameters: Parameters<RelayFeed['report']>): Promise<void> {
    return this.feed.report(...parameters);
  }

  async close(): Promise<void> {
    this.closing.abort();
  }
}
