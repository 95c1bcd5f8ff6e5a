/**
 * Verifies the lines of an audit trail, as they are exported: nothing but the bytes, and public keys, is needed.
 *
 * What must stay true: a trail of which any byte is another is not valid. So every line must be the canonical text of what
 * it says, the hash must be that of the rest of the line, and the numbers dense; what the header says must be so at the end.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import type { Verifier } from '../../core/suppression/index.js';
import { canonicalJson, parseCanonical } from './canonical-json.js';
import { type CheckpointFault, checkpointFault } from './checkpoint.js';
import {
  type AuditEntry,
  CHECKPOINT_KIND,
  genesisOf,
  hasMembers,
  isEntry,
  isHash,
  TRAIL_FORMAT,
  TRAIL_VERSION,
} from './entry.js';
import { hashOfLine, QuickEntries } from './quick-entry.js';

/** Longest line. */
export const LINE_BYTES_MAX = 1_048_576;

/** What can be wrong with a trail; {@link TRAIL_FAULTS} says it in words. */
export const TRAIL_FAULTS = {
  header: 'the first line is not the header of an audit trail, or says something else than what follows',
  form: 'the line is not an entry in canonical JSON',
  number: 'the entry has another number than its place: entries are missing, repeated or in another order',
  previous: 'the entry does not follow the one before it',
  hash: 'the entry is not the one its hash was made of',
  checkpoint: 'the checkpoint speaks of another entry than the one before it',
  signature: 'the signature of the checkpoint is wrong',
  unknown_key: 'the checkpoint is signed with a key that is not among those given',
  head: 'the entry is another one than the head that was given says',
  truncated: 'the trail ends too early',
  unsigned: 'a public key was given, and nothing in the trail is signed',
} as const;
export type TrailFaultCode = keyof typeof TRAIL_FAULTS;

export interface TrailFault {
  /** Number of the first bad entry; 0: the header. Where the end is missing, of the first that is not there; `unsigned`: 1. */
  readonly n: number;
  readonly code: TrailFaultCode;
}

export interface TrailReport {
  /** `null`: there is no header to be read. */
  readonly ledgerId: string | null;
  /** Entries that were found to be right, all before the first bad one. */
  readonly entryCount: number;
  /** Hash of the last of them. */
  readonly head: string | null;
  readonly checkpointCount: number;
  /** Number of the last entry that a checkpoint vouches for; without keys nothing does: `null`. */
  readonly signedUpTo: number | null;
  /** Entries after that one, which nobody vouches for, its checkpoint among them; without keys `null`. */
  readonly unsignedCount: number | null;
  /** The first one; `null`: the trail is valid. */
  readonly fault: TrailFault | null;
}

export interface TrailHeader {
  readonly entries: number;
  readonly head: string;
  readonly ledger: string;
}

/** The first line of a trail, without its end. */
export function headerLine({ entries, head, ledger }: TrailHeader): string {
  return canonicalJson({ entries, format: TRAIL_FORMAT, head, ledger, version: TRAIL_VERSION });
}

export interface TrailVerifierOptions {
  /** Knows whose checkpoints to trust; without one, signatures are not looked at. */
  readonly verifier?: Verifier | null;
  /** With a verifier: a trail without any checkpoint may be valid. Default: false. */
  readonly isUnsignedAllowed?: boolean;
  /** What an entry is known to be, from elsewhere. */
  readonly head?: { readonly n: number; readonly hash: string } | null;
}

/**
 * @example
 * const trail = new TrailVerifier();
 * for await (const chunk of createReadStream(path)) if (!trail.write(chunk)) break;
 * const { fault } = trail.end();
 */
export class TrailVerifier {
  #header: TrailHeader | null = null;
  #n = 0;
  #hash = '';
  #checkpointCount = 0;
  #signedUpTo = 0;
  #fault: TrailFault | null = null;
  #rest: Buffer = Buffer.alloc(0);
  readonly #quick = new QuickEntries();
  readonly #verifier: Verifier | null;
  readonly #mustBeSigned: boolean;
  readonly #known: { readonly n: number; readonly hash: string } | null;

  constructor({ verifier = null, isUnsignedAllowed = false, head = null }: TrailVerifierOptions = {}) {
    this.#verifier = verifier;
    this.#mustBeSigned = verifier !== null && !isUnsignedAllowed;
    this.#known = head;
  }

  get entryCount(): number {
    return this.#n;
  }

  /** Takes the next bytes; false: something is wrong already, and no more is needed. */
  write(chunk: Uint8Array): boolean {
    if (this.#fault !== null) return false;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end > 0) {
      const whole = bytes.subarray(0, end);
      this.#lines(this.#rest.length === 0 ? whole : Buffer.concat([this.#rest, whole]));
      this.#rest = Buffer.from(bytes.subarray(end));
    } else this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.#rest.length > LINE_BYTES_MAX) this.#found('form');
    return this.#fault === null;
  }

  /** No bytes come any more. */
  end(): TrailReport {
    if (this.#fault === null) this.#found(this.#checkEnd());
    return {
      ledgerId: this.#header?.ledger ?? null,
      entryCount: this.#n,
      head: this.#header === null ? null : this.#hash,
      checkpointCount: this.#checkpointCount,
      signedUpTo: this.#verifier === null ? null : this.#signedUpTo,
      unsignedCount: this.#verifier === null ? null : this.#n - this.#signedUpTo,
      fault: this.#fault,
    };
  }

  #checkEnd(): TrailFaultCode | null {
    const header = this.#header;
    if (header === null) return 'header';
    if (this.#rest.length > 0) return 'form'; // a line without its end
    const expected = Math.max(header.entries, this.#known?.n ?? 0);
    if (expected > this.#n) return 'truncated';
    if (header.entries !== this.#n || header.head !== this.#hash) return 'header';
    return this.#mustBeSigned && this.#checkpointCount === 0 ? 'unsigned' : null;
  }

  /** Whole lines, as text at once where they are text. */
  #lines(bytes: Buffer): void {
    const text = isUtf8(bytes) ? bytes.toString('utf8') : null;
    const all = text ?? bytes;
    for (let at = 0; at < all.length && this.#fault === null; ) {
      const end = all.indexOf('\n', at);
      const line = text === null ? textOf(bytes.subarray(at, end)) : text.slice(at, end);
      this.#found(line === null ? 'form' : this.#line(line));
      at = end + 1;
    }
  }

  #line(text: string): TrailFaultCode | null {
    if (text.length > LINE_BYTES_MAX) return 'form';
    return this.#header === null ? this.#readHeader(text) : this.#readEntry(text);
  }

  #readHeader(text: string): TrailFaultCode | null {
    const value = parseCanonical(text);
    if (!isHeader(value)) return 'header';
    this.#header = value;
    this.#hash = genesisOf(value.ledger);
    return null;
  }

  #readEntry(text: string): TrailFaultCode | null {
    const own = this.#quick.hashOf(text, this.#n + 1, this.#hash);
    if (own === null) return this.#readClosely(text);
    return this.#accept(this.#n + 1, own);
  }

  #readClosely(text: string): TrailFaultCode | null {
    const entry = parseCanonical(text);
    if (!isEntry(entry)) return 'form';
    if (entry.n !== this.#n + 1) return 'number';
    if (entry.previous !== this.#hash) return 'previous';
    if (hashOfLine(text) !== entry.hash) return 'hash';
    const fault = entry.kind === CHECKPOINT_KIND ? this.#checkCheckpoint(entry) : null;
    if (fault !== null) return fault;
    return this.#accept(entry.n, entry.hash);
  }

  #accept(n: number, own: string): TrailFaultCode | null {
    if (n === this.#known?.n && own !== this.#known.hash) return 'head';
    this.#n = n;
    this.#hash = own;
    return null;
  }

  #checkCheckpoint(entry: AuditEntry): CheckpointFault | null {
    const fault = checkpointFault(entry, this.#header?.ledger ?? '', this.#verifier);
    if (fault !== null) return fault;
    this.#checkpointCount++;
    this.#signedUpTo = entry.n - 1;
    return null;
  }

  #found(code: TrailFaultCode | null): void {
    if (code === null) return;
    if (this.#header === null || code === 'header') this.#fault = { n: 0, code: 'header' };
    else this.#fault = { n: code === 'unsigned' ? 1 : this.#n + 1, code };
  }
}

function textOf(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

function isHeader(value: unknown): value is TrailHeader {
  if (!hasMembers(value, ['entries', 'format', 'head', 'ledger', 'version'])) return false;
  const { entries, format, head, ledger, version } = value as Record<string, unknown>;
  const isOurs = format === TRAIL_FORMAT && version === TRAIL_VERSION;
  const isCount = Number.isSafeInteger(entries) && (entries as number) >= 0;
  return isOurs && isCount && isHash(head) && typeof ledger === 'string' && /^[0-9a-f-]{36}$/.test(ledger);
}
