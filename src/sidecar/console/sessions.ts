/**
 * Who is signed in: sessions in memory, each bound to the digest of the token it was begun with.
 *
 * What must stay true: an id is random and given out once, at sign-in; a session is worth what its token is worth now, so it
 * ends with its token; it ends when it is idle or old; and there are never more than a fixed number.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Principal, TokenSet } from '../control-plane/index.js';
import type { ConsoleLimits } from './limits.js';

export interface Session {
  readonly id: string;
  readonly principal: Principal;
}

interface Kept {
  readonly digest: Buffer;
  readonly begunMs: number;
  usedMs: number;
}

export class SessionStore {
  /** In the order of their last use. */
  readonly #sessions = new Map<string, Kept>();

  /** @param now Monotonic ms. */
  constructor(
    private readonly tokens: TokenSet,
    private readonly limits: Pick<ConsoleLimits, 'sessionIdleMs' | 'sessionMs' | 'sessionsMax'>,
    private readonly now: () => number,
  ) {}

  get count(): number {
    return this.#sessions.size;
  }

  /** Begins a session for whoever knows the token; `null`: it is nobody's. */
  begin(token: string): Session | null {
    const digest = createHash('sha256').update(token).digest();
    const principal = token === '' ? null : this.tokens.principalOfDigest(digest);
    if (principal === null) return null;
    const id = randomBytes(32).toString('base64url');
    const nowMs = this.now();
    this.#sessions.set(id, { digest, begunMs: nowMs, usedMs: nowMs });
    if (this.#sessions.size > this.limits.sessionsMax) this.end(this.#sessions.keys().next().value ?? '');
    return { id, principal };
  }

  /** The session with an id, if it has not ended. `isUse`: somebody does something in it, so it is not idle. */
  find(id: string, isUse: boolean): Session | null {
    const kept = this.#sessions.get(id);
    if (kept === undefined) return null;
    const nowMs = this.now();
    const isOver = nowMs - kept.usedMs >= this.limits.sessionIdleMs || nowMs - kept.begunMs >= this.limits.sessionMs;
    const principal = isOver ? null : this.tokens.principalOfDigest(kept.digest);
    if (principal === null) {
      this.end(id);
      return null;
    }
    if (isUse) {
      kept.usedMs = nowMs;
      this.#sessions.delete(id);
      this.#sessions.set(id, kept);
    }
    return { id, principal };
  }

  end(id: string): void {
    this.#sessions.delete(id);
  }
}
