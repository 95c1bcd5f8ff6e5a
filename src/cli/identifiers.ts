/**
 * Identifiers on the command line: `--kind KIND VALUE`, several of them in order, a value from standard input.
 * @module
 */
import { checkIdentifier } from '../core/identity/index.js';
import { IDENTIFIER_LENGTH_MAX } from '../core/identity/limits.js';
import { BASE_KINDS, type Identifier, RIGHTS, type Right, rightsOfMask } from '../core/vocabulary.js';
import { parseRights } from '../rows/rows.js';
import { type Io, UsageError } from './command.js';

/** More bytes than any value has, in UTF-8 and with white space around it; what is longer is not kept. */
const VALUE_BYTES_MAX = 8 * IDENTIFIER_LENGTH_MAX;

const KINDS_LINE_LENGTH_MAX = 110;

/** An identifier as it was typed. */
export interface RawIdentifier {
  readonly kind: string;
  readonly value: string;
}

/** The kinds, as a help text lists them after `Kinds: `. */
export const KINDS_TEXT = inLines(
  BASE_KINDS.map((kind) => (kind === 'eid' ? 'eid:<source>' : kind === 'account' ? 'account:<namespace>' : kind)),
  `\n${' '.repeat('Kinds: '.length)}`,
);

function inLines(words: readonly string[], separator: string): string {
  const lines = [''];
  for (const word of words) {
    const line = lines.pop() ?? '';
    const longer = line === '' ? word : `${line}, ${word}`;
    if (longer.length <= KINDS_LINE_LENGTH_MAX) lines.push(longer);
    else lines.push(`${line},`, word);
  }
  return lines.join(separator);
}

/**
 * The identifiers that `--kind` and the values name, the first kind with the first value. What they hold is not looked at.
 * @throws {UsageError} where they do not go together.
 */
export async function readIdentifiers(
  kinds: readonly string[] | undefined,
  given: readonly string[],
  io: Io,
): Promise<readonly RawIdentifier[]> {
  if (kinds === undefined) throw new UsageError('expected --kind KIND');
  if (given.length === 0) throw new UsageError('expected a VALUE ("-" reads it from standard input)');
  if (kinds.length !== given.length) {
    throw new UsageError(`expected one VALUE for each --kind, not ${given.length} for ${kinds.length}`);
  }
  if (given.filter((value) => value === '-').length > 1) {
    throw new UsageError('only one VALUE can be read from standard input');
  }
  const identifiers: RawIdentifier[] = [];
  for (const [index, kind] of kinds.entries()) {
    const value = given[index] ?? '';
    identifiers.push({ kind, value: value === '-' ? await readSecret(io, 'value') : value });
  }
  return identifiers;
}

/** The one identifier that `--kind` and a value name. @throws {UsageError} where it is none. */
export async function readIdentifier(
  kinds: readonly string[] | undefined,
  given: readonly string[],
  io: Io,
): Promise<Identifier> {
  const [identifier, ...more] = await readIdentifiers(kinds, given, io);
  if (more.length > 0) throw new UsageError('expected one VALUE');
  const checked = checkIdentifier(identifier?.kind, identifier?.value);
  if (checked.ok !== undefined) return checked.ok;
  const { field, message } = checked.error;
  throw new UsageError(`${field === 'kind' ? '--kind' : field}: ${message}`);
}

/** Everything on standard input, without white space around it. @throws {UsageError} where it is too long or not UTF-8. */
export async function readSecret(io: Io, field: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of io.stdin as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > VALUE_BYTES_MAX) {
      throw new UsageError(`${field}: expected at most ${IDENTIFIER_LENGTH_MAX} characters`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).trim();
  } catch {
    throw new UsageError(`${field}: expected UTF-8`);
  }
}

/** The rights of `--rights`; every right unless told. @throws {UsageError} */
export function readRights(text: string | undefined): readonly Right[] {
  if (text === undefined) return RIGHTS;
  const mask = text.trim() === '' ? null : parseRights(text);
  if (mask === null) throw new UsageError(`--rights: expected some of ${RIGHTS.join(', ')}, or all`);
  return rightsOfMask(mask);
}
