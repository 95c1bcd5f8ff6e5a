/**
 * Requests from outside, read into a form that cannot hold nonsense.
 *
 * Everything is checked before anything is written; what is wrong is an InputError with the path of the field and a
 * code. Lengths come first, so that a huge value costs nothing. No message holds a value.
 * @module
 */
import { createHash } from 'node:crypto';
import { InputError, type InputErrorCode } from '../core/errors.js';
import { IDENTIFIER_LENGTH_MAX } from '../core/identity/index.js';
import {
  type Identifier,
  type IdentifierKind,
  RIGHTS,
  RIGHTS_ALL,
  type Right,
  rightsMask,
} from '../core/vocabulary.js';
import type { IdentifierReader, IdentifierRefusal } from './identity.js';
import { AGENT_LENGTH_MAX, FUTURE_MS_MAX, IDEMPOTENCY_KEY_LENGTH_MAX, OPERATOR_LENGTH_MAX } from './limits.js';
import { CHANNELS, type Channel, SCOPES, type Scope } from './request.js';

/** What an opt-out, or the first step of an opt-in, is made of. */
export interface RequestInput {
  readonly identifiers: readonly Identifier[];
  /** Default: all of them. */
  readonly rights?: readonly Right[];
  readonly channel: Channel;
  /** Default: `person`. */
  readonly scope?: Scope;
  /** Where the person lives, two capital letters, if that was said. */
  readonly state?: string;
  /** When the request reached the business; default: now. The deadline counts from it. */
  readonly receivedAtMs?: number;
  /** The same request sent again with the same key is one request. 1 to 200 printable characters. */
  readonly idempotencyKey?: string;
  /** Who recorded it, for the record. */
  readonly operator?: string;
  /** Who asks for the consumer; with the channel `agent` only (11 CCR 7026(j), 7063). */
  readonly agent?: RequestAgent;
}

/** An authorised agent. */
export interface RequestAgent {
  /** Of a company or a person that acts for consumers, never of the consumer. 1 to 200 characters. */
  readonly name: string;
  /** The consumer's signed permission is on file. */
  readonly permissionOnFile: boolean;
}

/** An identifier that was read, with everything it is stored and found by. */
export interface RequestIdentifier {
  readonly kind: IdentifierKind;
  readonly value: string;
  readonly isClear: boolean;
  readonly identity: Buffer;
  readonly digests: Buffer;
  /** Key words as in a KeyList. */
  readonly keyWords: Int32Array;
  readonly keyCount: number;
}

export interface RequestRead {
  readonly identifiers: readonly RequestIdentifier[];
  readonly rights: number;
  readonly channel: Channel;
  readonly scope: Scope;
  readonly state: string | null;
  readonly receivedAtMs: number;
  readonly idempotencyKey: string | null;
  readonly operator: string | null;
  readonly agent: { readonly name: string; readonly isPermitted: boolean } | null;
  /** SHA-256 over everything the request says; equal for the same request sent again. */
  readonly contentDigest: Buffer;
}

export interface ReadContext {
  readonly reader: IdentifierReader;
  readonly identifiersMax: number;
  readonly nowMs: number;
}

const FIELDS = [
  'identifiers',
  'rights',
  'channel',
  'scope',
  'state',
  'receivedAtMs',
  'idempotencyKey',
  'operator',
  'agent',
] as const satisfies readonly (keyof RequestInput)[];

/** Reads a request. Throws an InputError for the first thing that is wrong. */
export function readRequest(input: unknown, nature: 'opt_out' | 'opt_in', context: ReadContext): RequestRead {
  const fields = readFields(input, FIELDS);
  checkLengths(fields.identifiers, context.identifiersMax);
  const request = {
    rights: readRights(fields.rights, 'rights'),
    channel: readWord(fields.channel, 'channel', CHANNELS),
    scope: fields.scope === undefined ? 'person' : readWord(fields.scope, 'scope', SCOPES),
    state: readState(fields.state),
    receivedAtMs: readReceivedAt(fields.receivedAtMs, context.nowMs),
    idempotencyKey: readIdempotencyKey(fields.idempotencyKey),
    operator: readText(fields.operator, 'operator', OPERATOR_LENGTH_MAX),
    agent: readAgent(fields.agent, fields.channel),
    identifiers: readIdentifiers(fields.identifiers, context.reader),
  } as const;
  const { rights, channel, scope, state, operator, agent } = request;
  const receivedAtMs = fields.receivedAtMs === undefined ? null : request.receivedAtMs;
  const identities = request.identifiers.map(({ identity }) => identity.toString('hex')).sort();
  const content = [nature, rights, channel, scope, state, receivedAtMs, operator, identities];
  // without an agent as it was before there were any: a request that is sent again is the same
  const contentDigest = contentDigestOf(agent === null ? content : [...content, agent]);
  return { ...request, contentDigest };
}

function readAgent(value: unknown, channel: unknown): RequestRead['agent'] {
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError('agent', 'type', 'expected an object with name and permissionOnFile');
  if (channel !== 'agent') throw new InputError('agent', 'unknown', 'expected only with the channel agent');
  const { name: given, permissionOnFile, ...others } = value as Partial<RequestAgent>;
  if (Object.keys(others).length > 0) throw new InputError('agent', 'unknown', 'expected only name, permissionOnFile');
  const name = readText(given, 'agent.name', AGENT_LENGTH_MAX);
  if (name === null) throw new InputError('agent.name', 'required', 'expected the name of the agent');
  if (typeof permissionOnFile !== 'boolean')
    throw new InputError(
      'agent.permissionOnFile',
      permissionOnFile === undefined ? 'required' : 'type',
      'expected true or false',
    );
  return { name, isPermitted: permissionOnFile };
}

/** A digest of what a request says; the identifiers in it are digests already. */
export function contentDigestOf(content: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(content)).digest();
}

/** The members of an object, none of which is unknown. Throws an InputError. */
export function readFields<K extends string>(input: unknown, names: readonly K[]): Partial<Record<K, unknown>> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InputError('request', 'type', 'expected an object');
  }
  for (const name of Object.keys(input)) {
    if (names.includes(name as K)) continue;
    // a name that does not look like one may be a value in the wrong place, and messages never show those
    const shown = /^[A-Za-z][A-Za-z0-9_]{0,39}$/.test(name) ? name : 'request';
    throw new InputError(shown, 'unknown', `expected only ${names.join(', ')}`);
  }
  return input as Partial<Record<K, unknown>>;
}

/** Before anything else is looked at: how many identifiers, and how long each value is. */
function checkLengths(identifiers: unknown, identifiersMax: number): void {
  if (identifiers === undefined) throw new InputError('identifiers', 'required', 'expected a list of identifiers');
  if (!Array.isArray(identifiers)) throw new InputError('identifiers', 'type', 'expected a list of identifiers');
  if (identifiers.length === 0) throw new InputError('identifiers', 'empty', 'expected at least one identifier');
  if (identifiers.length > identifiersMax) {
    throw new InputError('identifiers', 'too_many', `expected at most ${identifiersMax} identifiers`);
  }
  for (const [index, identifier] of identifiers.entries()) {
    for (const name of ['kind', 'value'] as const) {
      const text = (identifier as Partial<Identifier> | null)?.[name];
      if (typeof text !== 'string' || text.length <= IDENTIFIER_LENGTH_MAX) continue;
      const message = `expected at most ${IDENTIFIER_LENGTH_MAX} characters`;
      throw new InputError(`identifiers[${index}].${name}`, 'too_long', message);
    }
  }
}

function readIdentifiers(identifiers: unknown, reader: IdentifierReader): readonly RequestIdentifier[] {
  return (identifiers as readonly unknown[]).map((identifier, index) =>
    readOne(identifier, `identifiers[${index}]`, reader),
  );
}

/** Reads one identifier. Throws an InputError whose field starts with `field`. */
export function readOne(identifier: unknown, field: string, reader: IdentifierReader): RequestIdentifier {
  if (typeof identifier !== 'object' || identifier === null) {
    throw new InputError(field, 'type', 'expected an object with kind and value');
  }
  const { kind, value } = identifier as Partial<Record<keyof Identifier, unknown>>;
  if (kind === undefined) throw new InputError(`${field}.kind`, 'required', 'expected a kind');
  if (value === undefined) throw new InputError(`${field}.value`, 'required', 'expected a value');
  const refusal = reader.read(kind, value);
  if (refusal !== null) throw new InputError(`${field}.${refusal.field}`, inputCodeOf(refusal), refusal.message);
  return {
    kind: reader.kind,
    value: reader.value,
    isClear: reader.isClear,
    identity: Buffer.from(reader.identity),
    digests: Buffer.from(reader.digests.subarray(0, reader.digestsBytes)),
    keyWords: reader.keys.words.slice(),
    keyCount: reader.keys.count,
  };
}

/** What a refusal is called in an InputError. */
export function inputCodeOf({ code }: IdentifierRefusal): InputErrorCode {
  if (code === 'not_text') return 'type';
  return code === 'no_qualifier' ? 'required' : code;
}

/** A mask from names of rights; all of them where nothing was said. */
export function readRights(rights: unknown, field: string): number {
  if (rights === undefined) return RIGHTS_ALL;
  if (!Array.isArray(rights)) throw new InputError(field, 'type', 'expected a list of rights');
  if (rights.length === 0) throw new InputError(field, 'empty', 'expected at least one right, or none said for all');
  for (const [index, right] of rights.entries()) {
    if (RIGHTS.includes(right as Right)) continue;
    throw new InputError(`${field}[${index}]`, 'unknown', `expected one of ${RIGHTS.join(', ')}`);
  }
  return rightsMask(rights as Right[]);
}

/** One of some words. */
export function readWord<W extends string>(value: unknown, field: string, words: readonly W[]): W {
  if (value === undefined) throw new InputError(field, 'required', `expected one of ${words.join(', ')}`);
  if (typeof value !== 'string') throw new InputError(field, 'type', `expected one of ${words.join(', ')}`);
  const word = words.find((known) => known === value);
  if (word === undefined) throw new InputError(field, 'unknown', `expected one of ${words.join(', ')}`);
  return word;
}

function readState(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== 'string') throw new InputError('state', 'type', 'expected a state, two capital letters');
  if (!/^[A-Z]{2}$/.test(value)) throw new InputError('state', 'malformed', 'expected a state, two capital letters');
  return value;
}

/** A moment that has been, with some patience for clocks that differ. */
export function readReceivedAt(value: unknown, nowMs: number): number {
  if (value === undefined) return nowMs;
  if (typeof value !== 'number') throw new InputError('receivedAtMs', 'type', 'expected milliseconds since 1970');
  if (value > nowMs + FUTURE_MS_MAX) throw new InputError('receivedAtMs', 'future', 'expected a moment that has been');
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InputError('receivedAtMs', 'out_of_range', 'expected whole milliseconds since 1970');
  }
  return value;
}

/** An idempotency key, or `null`. */
export function readIdempotencyKey(value: unknown): string | null {
  const text = readText(value, 'idempotencyKey', IDEMPOTENCY_KEY_LENGTH_MAX);
  if (text === null || /^[\x20-\x7e]+$/.test(text)) return text;
  throw new InputError('idempotencyKey', 'malformed', 'expected printable characters of ASCII');
}

/** A short text, or `null` where nothing was said. */
export function readText(value: unknown, field: string, lengthMax: number): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw new InputError(field, 'type', 'expected text');
  if (value.length > lengthMax) throw new InputError(field, 'too_long', `expected at most ${lengthMax} characters`);
  if (value.trim() === '') throw new InputError(field, 'empty', 'expected text');
  if (value.includes('\0')) throw new InputError(field, 'malformed', 'expected text without zero characters');
  return value;
}
