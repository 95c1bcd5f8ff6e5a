/**
 * People who opt out and in again at random, against a real ledger that may fail under them, and a plain account of what
 * must be in force for each of them in the end.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { GateError } from '../../src/core/errors.js';
import { rightsOfIdentifier } from '../../src/core/opt-out.js';
import type { SuppressionTable } from '../../src/core/suppression/index.js';
import { type Identifier, RIGHTS_ALL, rightsOfMask } from '../../src/core/vocabulary.js';
import type { Ledger } from '../../src/ledger/index.js';
import { randomFrom } from '../reference/feed.js';

const RETRY_MS = 50;

export interface WritersOptions {
  readonly ledger: Ledger;
  readonly seed: number;
  /** People write at the same time, each for himself alone. */
  readonly personCount?: number;
  /** Between two requests of one person. */
  readonly pauseMs?: number;
}

export class Writers {
  /** What is in force for each person, as a mask. */
  private readonly rights = new Map<string, number>();
  private readonly random: () => number;
  private readonly running: Promise<void>[] = [];
  private isStopped = false;
  writeCount = 0;
  retryCount = 0;

  constructor(private readonly options: WritersOptions) {
    this.random = randomFrom(options.seed);
  }

  start(): this {
    for (let person = 0; person < (this.options.personCount ?? 8); person++)
      this.running.push(this.live(personId(person)));
    return this;
  }

  /** Everybody finishes his last request. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.running);
  }

  /** Everybody has in this table what he asked for, no less and no more. */
  expectIn(table: SuppressionTable | null): void {
    if (table === null) throw new Error('expected a table');
    const found = new Map([...this.rights.keys()].map((id) => [id, rightsOfIdentifier(table, maid(id))]));
    expect(found).toEqual(this.rights);
  }

  private async live(id: string): Promise<void> {
    while (!this.isStopped) {
      const mask = 1 + Math.floor(this.random() * RIGHTS_ALL);
      const held = this.rights.get(id) ?? 0;
      const isOptIn = held !== 0 && this.random() < 0.4;
      if (isOptIn) await this.enduring(() => this.optIn(id, mask));
      else await this.enduring(() => this.optOut(id, mask, randomUUID()));
      this.rights.set(id, isOptIn ? held & ~mask : held | mask);
      this.writeCount++;
      await sleep(this.random() * 2 * (this.options.pauseMs ?? 20));
    }
  }

  private async optOut(id: string, mask: number, idempotencyKey: string): Promise<void> {
    const rights = rightsOfMask(mask);
    await this.options.ledger.recordOptOut({ identifiers: [maid(id)], rights, channel: 'api', idempotencyKey });
  }

  /** Both steps; done twice it is as if it were done once. */
  private async optIn(id: string, mask: number): Promise<void> {
    const { ledger } = this.options;
    const request = { identifiers: [maid(id)], rights: rightsOfMask(mask), channel: 'api' } as const;
    const { requestId, confirmation } = await ledger.recordOptIn(request);
    await ledger.confirmOptIn(requestId, confirmation ?? '');
  }

  /** Until it is done: a ledger that is away is asked again. */
  private async enduring(request: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof GateError) || error.code !== 'ledger.unavailable') throw error;
        this.retryCount++;
        await sleep(RETRY_MS);
      }
    }
  }
}

/** A device of its own for each number. */
export function personId(index: number, salt = 0): string {
  return `6d92078a-${salt.toString(16).padStart(4, '0')}-4ba4-ae5b-${index.toString(16).padStart(12, '0')}`;
}

export function maid(value: string): Identifier {
  return { kind: 'maid', value };
}
