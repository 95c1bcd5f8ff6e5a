/**
 * The seal in a form: proof that a page of ours was open, for which form, and for how long. It needs no cookie.
 *
 * It also holds the randomness that makes a form sent twice one request. Another site cannot read it, because it cannot
 * read our pages; that a form is sent from our own page is checked beside it (origin.ts).
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type FormName = 'opt-out' | 'opt-in' | 'confirm';

export type SealRead =
  | { readonly kind: 'good'; readonly nonce: string; readonly ageMs: number }
  /** Ours once, or of a process with another key: the form is shown again. */
  | { readonly kind: 'expired' };

const NONCE_BYTES = 16;
const SEAL = /^([0-9a-z]{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

export class Sealer {
  constructor(
    private readonly key: Uint8Array,
    private readonly validMs: number,
    private readonly now: () => number,
    private readonly random: (bytes: number) => Uint8Array,
  ) {}

  seal(form: FormName): string {
    const madeAt = this.now().toString(36);
    const nonce = Buffer.from(this.random(NONCE_BYTES)).toString('base64url');
    return `${madeAt}.${nonce}.${this.digest('seal', form, madeAt, nonce)}`;
  }

  /** Never throws. */
  read(form: FormName, text: string): SealRead {
    const [, madeAt, nonce, given] = SEAL.exec(text) ?? [];
    if (madeAt === undefined || nonce === undefined || given === undefined) return { kind: 'expired' };
    const isOurs = timingSafeEqual(Buffer.from(given), Buffer.from(this.digest('seal', form, madeAt, nonce)));
    const ageMs = this.now() - Number.parseInt(madeAt, 36);
    // a clock that was put back makes no form too young
    return isOurs && ageMs <= this.validMs ? { kind: 'good', nonce, ageMs: Math.max(0, ageMs) } : { kind: 'expired' };
  }

  /** A digest of texts that only this key makes, so that what it stands for cannot be guessed from it. */
  digest(...texts: readonly string[]): string {
    return createHmac('sha256', this.key).update(JSON.stringify(texts)).digest('base64url');
  }
}
