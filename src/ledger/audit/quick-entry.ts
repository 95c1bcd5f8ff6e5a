/**
 * The quick way to find that a line is the entry it should be: by where its members must stand, without reading all of it.
 *
 * It only ever says yes, and only to what the slow way (verify-trail.ts) says yes to; whatever it does not recognise goes
 * that way. Measured with entries of 613 bytes: 3.6 µs instead of 10.
 * @module
 */
import { hash } from 'node:crypto';
import { parseCanonical } from './canonical-json.js';
import { CHECKPOINT_KIND, HASH_LENGTH, isActor, isKind, isMoment, SUBJECT_LENGTH_MAX } from './entry.js';
import { isPlainObject } from './plain-json.js';

const ACTOR_START = '{"actor":';
const AT_START = ',"at":"';
const MOMENT_LENGTH = 24;
const BODY_START = '","body":';
const HASH_START = '"hash":"';
const KIND_START = '","kind":"';
/** `"hash":"…",` */
const HASH_MEMBER_LENGTH = HASH_START.length + HASH_LENGTH + 2;
/** A subject as most are: nothing in it is escaped. */
const PLAIN_SUBJECT = new RegExp(`^"[ !#-[\\]-~]{0,${SUBJECT_LENGTH_MAX}}"$`);
/** Texts that are remembered at most: there are few actors and kinds, unless somebody means to fill the memory. */
const KNOWN_MAX = 10_000;

/**
 * The hash of a line without its hash. The last text that looks like the member is it: after it comes no object, and within
 * a string a quotation mark has a backslash before it.
 */
export function hashOfLine(text: string, at: number = text.lastIndexOf(HASH_START)): string {
  return hash('sha256', text.slice(0, at) + text.slice(at + HASH_MEMBER_LENGTH), 'hex');
}

export class QuickEntries {
  readonly #actors = new Set<string>();
  readonly #kinds = new Set<string>();

  /** HOT. The hash of the line, if it is entry `n` after the hash `previous` and no checkpoint; else `null`: look closely. */
  hashOf(text: string, n: number, previous: string): string | null {
    const hashAt = text.lastIndexOf(HASH_START);
    const kindAt = hashAt + HASH_START.length + HASH_LENGTH;
    if (hashAt < 0 || !text.startsWith(KIND_START, kindAt)) return null;
    const kindEnd = text.indexOf('"', kindAt + KIND_START.length);
    if (!this.#isKind(text.slice(kindAt + KIND_START.length, kindEnd))) return null;
    const rest = `","n":${n},"previous":"${previous}","subject":`;
    if (!text.startsWith(rest, kindEnd) || !text.endsWith('}')) return null;
    const subject = text.slice(kindEnd + rest.length, -1);
    if (subject !== 'null' && !PLAIN_SUBJECT.test(subject)) return null;
    if (!this.#isStart(text, hashAt)) return null;
    const own = hashOfLine(text, hashAt);
    return text.startsWith(own, hashAt + HASH_START.length) ? own : null;
  }

  /** Actor, moment and body, up to the hash. */
  #isStart(text: string, hashAt: number): boolean {
    const atAt = text.indexOf(AT_START, ACTOR_START.length);
    const bodyAt = atAt + AT_START.length + MOMENT_LENGTH;
    if (atAt < 0 || !text.startsWith(ACTOR_START) || !text.startsWith(BODY_START, bodyAt)) return false;
    if (!isMoment(text.slice(bodyAt - MOMENT_LENGTH, bodyAt)) || text[hashAt - 1] !== ',') return false;
    if (!this.#isActor(text.slice(ACTOR_START.length, atAt))) return false;
    return isPlainObject(text, bodyAt + BODY_START.length, hashAt - 1);
  }

  #isActor(text: string): boolean {
    return this.#isKnown(this.#actors, text, () => isActor(parseCanonical(text)));
  }

  #isKind(text: string): boolean {
    return this.#isKnown(this.#kinds, text, () => isKind(text) && text !== CHECKPOINT_KIND);
  }

  #isKnown(known: Set<string>, text: string, check: () => boolean): boolean {
    if (known.has(text)) return true;
    if (!check()) return false;
    if (known.size < KNOWN_MAX) known.add(text);
    return true;
  }
}
