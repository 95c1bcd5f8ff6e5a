/**
 * Clear values, encrypted: kept only where the operator gives a key, and of no use without it.
 *
 * AES-256-GCM with a random nonce each. The request and the place in it are authenticated too, so that what was stored
 * for one person cannot be passed off as another's.
 *
 *     0   1   version, 1
 *     1   8   key id: first bytes of SHA-256 over "optgate clear values", a zero byte and the key
 *     9   12  nonce
 *     21  n   ciphertext
 *     +n  16  authentication tag
 * @module
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { GateError } from '../core/errors.js';
import type { IdentifierKind } from '../core/vocabulary.js';
import { CLEAR_KEY_BYTES } from './limits.js';

const VERSION = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + KEY_ID_BYTES;
const TEXT_AT = NONCE_AT + NONCE_BYTES;
const ALGORITHM = 'aes-256-gcm';

/** Where a clear value stands: which request (or webhook, of a secret), and which identifier or part of it. */
export interface ClearPosition {
  readonly requestId: string;
  readonly table: 'identifier' | 'part' | 'webhook';
  readonly index: number;
}

/** A clear value that was read back. */
export interface ClearIdentifier {
  readonly kind: IdentifierKind;
  readonly value: string;
}

/** Seals and opens clear values with one key. */
export class ClearVault {
  readonly #key: Uint8Array;
  readonly #keyId: Buffer;
  readonly #random: (byteCount: number) => Uint8Array;

  /**
   * @param random Gives random bytes, never the same twice.
   * @throws {GateError} `ledger.clear_key` for a key that is not 32 bytes.
   */
  constructor(key: Uint8Array, random: (byteCount: number) => Uint8Array) {
    if (!(key instanceof Uint8Array) || key.length !== CLEAR_KEY_BYTES) throw new GateError('ledger.clear_key');
    this.#key = Uint8Array.from(key);
    this.#keyId = createHash('sha256').update('optgate clear values\0').update(key).digest().subarray(0, KEY_ID_BYTES);
    this.#random = random;
  }

  seal(text: Uint8Array, position: ClearPosition): Buffer {
    const nonce = this.#random(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(boundTo(position));
    const sealed = [cipher.update(text), cipher.final()];
    return Buffer.concat([Uint8Array.of(VERSION), this.#keyId, nonce, ...sealed, cipher.getAuthTag()]);
  }

  /** Throws a GateError `ledger.clear_key` if another key sealed it, `ledger.damaged` if it is not what was sealed here. */
  open(sealed: Uint8Array, position: ClearPosition): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    if (bytes.length < TEXT_AT + TAG_BYTES || bytes[0] !== VERSION) throw damaged();
    if (!bytes.subarray(1, NONCE_AT).equals(this.#keyId))
      throw new GateError('ledger.clear_key', 'sealed with another key');
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(NONCE_AT, TEXT_AT), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(boundTo(position));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(TEXT_AT, bytes.length - TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw damaged(error);
    }
  }
}

function boundTo({ requestId, table, index }: ClearPosition): Buffer {
  return Buffer.from(`optgate\0${requestId}\0${table}\0${index}`);
}

function damaged(cause?: unknown): GateError {
  return new GateError('ledger.damaged', 'clear values', cause === undefined ? undefined : { cause });
}

/** Appends an identifier to a list as text of a part: two lengths of 16 bits, kind, value. */
export function packClear(kind: string, value: string): Buffer {
  const [kindBytes, valueBytes] = [Buffer.from(kind), Buffer.from(value)];
  const head = Buffer.alloc(4);
  head.writeUInt16LE(kindBytes.length, 0);
  head.writeUInt16LE(valueBytes.length, 2);
  return Buffer.concat([head, kindBytes, valueBytes]);
}

/** The identifiers of {@link packClear}, one after the other. Throws a GateError `ledger.damaged`. */
export function* unpackClear(packed: Buffer): Generator<ClearIdentifier> {
  for (let at = 0; at < packed.length; ) {
    if (at + 4 > packed.length) throw damaged();
    const kindEnd = at + 4 + packed.readUInt16LE(at);
    const end = kindEnd + packed.readUInt16LE(at + 2);
    if (end > packed.length) throw damaged();
    yield {
      kind: packed.toString('utf8', at + 4, kindEnd) as IdentifierKind,
      value: packed.toString('utf8', kindEnd, end),
    };
    at = end;
  }
}
