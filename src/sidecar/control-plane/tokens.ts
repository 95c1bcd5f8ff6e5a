/**
 * Who may do what on the control plane: bearer tokens, each with a role.
 *
 * A token file has one token a line, and comments:
 *
 *     # role[:name] token            what comes as "Authorization: Bearer token"
 *     intake:web-form 2f6c…          32 to 4,096 printable characters of ASCII
 *     operator sha256:9f86d0…        the SHA-256 of a token, in hex: then the file gives nothing away
 *
 * Only digests are kept, and a token is compared with all of them in the same time for all. No error quotes a token.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/**
 * `enforcer`: follows, and reports what it has applied. `intake`: opt-outs and opt-ins. `operator`: everything. `auditor`:
 * reads everything.
 */
export const TOKEN_ROLES = ['enforcer', 'intake', 'operator', 'auditor'] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

/** Shortest token, in characters: 128 bits in hex. */
export const TOKEN_LENGTH_MIN = 32;
/** Longest token; as those who follow allow. */
export const TOKEN_LENGTH_MAX = 4096;
/** Tokens at most: each request is compared with all of them. */
export const TOKEN_COUNT_MAX = 1000;
/** Largest token file that is read. */
export const TOKEN_FILE_BYTES_MAX = 1_048_576;

/** Who is asking. */
export interface Principal {
  readonly role: TokenRole;
  /** As the token file says; `null`: it says none. */
  readonly name: string | null;
}

/** Tokens cannot be used as they are. The message names the place and the line, never what is there. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
}

interface KnownToken extends Principal {
  readonly digest: Buffer;
}

/** Where tokens come from; both may be given, and are added up. */
export interface TokenSources {
  /** Path of a token file. */
  readonly file?: string | undefined;
  /** Text in the form of a token file, from the environment for example. */
  readonly text?: string | undefined;
  /** What `text` is called in errors. */
  readonly textName?: string | undefined;
}

export class TokenSet {
  private known: readonly KnownToken[];

  /**
   * Reads the tokens. Without any source the set is empty, which only a listener on loopback may have.
   * @throws {TokenError} for a source that is not readable, holds no token, or holds a line that is none.
   */
  constructor(private readonly sources: TokenSources = {}) {
    this.known = readSources(sources);
  }

  /** True: nobody needs a token. */
  get isEmpty(): boolean {
    return this.known.length === 0;
  }

  get tokenCount(): number {
    return this.known.length;
  }

  /**
   * Reads the sources again, for all requests from now on.
   * @throws {TokenError} as the constructor; then the tokens of before stay in use.
   */
  reload(): void {
    this.known = readSources(this.sources);
  }

  /** Who sends this `Authorization` header; `null`: nobody who is known here. */
  principalOf(authorization: string | undefined): Principal | null {
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? '')?.[1] ?? '';
    const principal = this.principalOfDigest(digestOf(given));
    return given === '' ? null : principal;
  }

  /** Whose token has this SHA-256, now; `null`: nobody's. */
  principalOfDigest(digest: Buffer): Principal | null {
    let found: KnownToken | null = null;
    for (const token of this.known) if (timingSafeEqual(token.digest, digest)) found = token;
    return found === null ? null : { role: found.role, name: found.name };
  }
}

function readSources({ file, text, textName = 'tokens' }: TokenSources): readonly KnownToken[] {
  const known: KnownToken[] = [];
  if (file !== undefined) parseTokens(readFile(file), file, known);
  if (text !== undefined) parseTokens(text, textName, known);
  if (known.length > TOKEN_COUNT_MAX) {
    throw new TokenError(`${known.length} tokens, at most ${TOKEN_COUNT_MAX} are allowed`);
  }
  return known;
}

function readFile(path: string): string {
  let bytes: Buffer;
  try {
    if (statSync(path).size > TOKEN_FILE_BYTES_MAX) throw new TokenError(`${path}: the file is too large`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof TokenError) throw error;
    throw new TokenError(`${path}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'failed'})`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new TokenError(`${path}: the file is not UTF-8`);
  }
}

/** Adds the tokens of a text. Throws a TokenError. */
function parseTokens(text: string, where: string, known: KnownToken[]): void {
  const before = known.length;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const fault = (what: string) => new TokenError(`${where}, line ${index + 1}: ${what}`);
    const [who = '', secret = '', ...more] = line.trim().split(/[ \t]+/);
    if (secret === '' || more.length > 0) throw fault('expected a role, a space and a token');
    const [, role, name] = /^([a-z]+)(?::([A-Za-z0-9._-]{1,64}))?$/.exec(who) ?? [];
    if (role === undefined || !(TOKEN_ROLES as readonly string[]).includes(role)) {
      throw fault(`expected one of ${TOKEN_ROLES.join(', ')}, and a name after a colon if any (A-Za-z0-9._-)`);
    }
    const digest = digestOfSecret(secret);
    if (typeof digest === 'string') throw fault(digest);
    if (known.some((other) => other.digest.equals(digest))) throw fault('the token is there twice');
    known.push({ role: role as TokenRole, name: name ?? null, digest });
  }
  if (known.length === before) throw new TokenError(`${where}: there is no token in it`);
}

/** The digest that a secret is or has; else what is wrong with it. */
function digestOfSecret(secret: string): Buffer | string {
  if (/^sha256:/i.test(secret)) {
    const hex = /^sha256:([0-9a-f]{64})$/i.exec(secret)?.[1];
    if (hex === undefined) return 'expected 64 hex digits after sha256:';
    const digest = Buffer.from(hex, 'hex');
    return digest.equals(digestOf('')) ? 'the digest is that of nothing' : digest;
  }
  if (!/^[\x21-\x7e]+$/.test(secret)) return 'expected a token of printable ASCII';
  if (secret.length < TOKEN_LENGTH_MIN) return `expected a token of at least ${TOKEN_LENGTH_MIN} characters`;
  if (secret.length > TOKEN_LENGTH_MAX) return `expected a token of at most ${TOKEN_LENGTH_MAX} characters`;
  return digestOf(secret);
}

/** Of equal length for all, so that comparing takes the same time for all. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
