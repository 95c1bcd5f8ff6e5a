/**
 * The stream of changes as it lies on the server: frames by their place in it, and the place of a seq.
 *
 * Headers say what a message holds; they only help to find it. What is in a message is checked when it is decoded. Every
 * question is answered by the server or fails in time; nothing is subscribed, so nothing can be lost unnoticed.
 * @module
 */
import type { StoredMsg } from '@nats-io/jetstream';
import type { NatsLink } from './nats-connect.js';
import { NATS_HEADERS, type NatsNames } from './nats-names.js';
import type { Position } from './source.js';

export interface StoredFrame {
  /** Place in the stream. */
  readonly streamSeq: number;
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly bytes: Uint8Array;
  /** By the clock of the server. */
  readonly storedAtMs: number;
}

/**
 * `found`: what comes after the position is behind this place, or will be. `trimmed`: it was in the stream and is no
 * longer. `epoch`: the stream holds another history.
 */
export type Place = { readonly kind: 'found'; readonly streamSeq: number } | { readonly kind: 'trimmed' | 'epoch' };

export class ChangeStream {
  constructor(
    private readonly link: NatsLink,
    private readonly names: NatsNames,
  ) {}

  /** The newest message, by the word of the stream's leader; `null`: there is none. */
  last(): Promise<StoredFrame | null> {
    return this.read(() =>
      this.link.manager.streams.getMessage(this.names.stream, { last_by_subj: this.names.changes }),
    );
  }

  /** The message at a place; `null`: there is none. */
  at(streamSeq: number): Promise<StoredFrame | null> {
    return this.read(() => this.link.manager.direct.getMessage(this.names.stream, { seq: streamSeq }));
  }

  /** The first message from a place on; `null`: there is none. */
  from(streamSeq: number): Promise<StoredFrame | null> {
    const query = { seq: streamSeq, next_by_subj: this.names.changes };
    return this.read(() => this.link.manager.direct.getMessage(this.names.stream, query));
  }

  /** Where what comes after a position begins: one question if the hint is right, else some twenty. */
  async locate(position: Position, hintStreamSeq: number | null): Promise<Place> {
    const { epoch, seq } = position;
    if (hintStreamSeq !== null) {
      const next = await this.from(hintStreamSeq + 1);
      const isRight = next !== null && next.epoch === epoch && next.firstSeq <= seq + 1 && next.lastSeq > seq;
      if (isRight) return { kind: 'found', streamSeq: next.streamSeq - 1 };
    }
    const last = await this.last(); // asked first: where there is no stream, this is what fails at once
    const first = last === null ? null : await this.from(1);
    if (first === null || last === null) return { kind: 'found', streamSeq: 0 };
    if (last.epoch !== epoch) return { kind: 'epoch' };
    if (last.lastSeq <= seq) return { kind: 'found', streamSeq: last.streamSeq };
    if (first.epoch === epoch && first.firstSeq > seq + 1) return { kind: 'trimmed' };
    const found = await this.search(first.streamSeq, last.streamSeq, (frame) => {
      return frame.epoch === epoch && frame.lastSeq > seq;
    });
    return { kind: 'found', streamSeq: found - 1 };
  }

  /**
   * The first place with a message that `isBehind`, which from some place on all are. Between `low` and `high`, where one is.
   */
  async search(low: number, high: number, isBehind: (frame: StoredFrame) => boolean): Promise<number> {
    let [from, to] = [low, high];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const frame = await this.from(middle);
      if (frame === null || isBehind(frame)) to = middle;
      else from = Math.max(middle, frame.streamSeq) + 1;
    }
    return from;
  }

  private async read(ask: () => Promise<StoredMsg | null>): Promise<StoredFrame | null> {
    let message: StoredMsg | null;
    try {
      message = await ask();
    } catch (error) {
      throw this.link.asError(error);
    }
    return message === null ? null : asFrame(message);
  }
}

function asFrame(message: StoredMsg): StoredFrame {
  const { header, data, seq } = message;
  return {
    streamSeq: seq,
    epoch: header.get(NATS_HEADERS.epoch),
    firstSeq: Number(header.get(NATS_HEADERS.first)),
    lastSeq: Number(header.get(NATS_HEADERS.last)),
    bytes: new Uint8Array(data), // of its own: it may be kept, and must not keep a network buffer
    storedAtMs: Date.parse(message.timestamp),
  };
}
