/**
 * Who does what is done to a ledger, and by which way: what every entry of the audit trail says of its author.
 * @module
 */

/** `public`: whoever asks without being known. `system`: the ledger itself, and code that has said nothing. */
export const ACTOR_ROLES = ['operator', 'auditor', 'intake', 'enforcer', 'public', 'system'] as const;
export type ActorRole = (typeof ACTOR_ROLES)[number];

export const ACTOR_VIAS = ['http', 'page', 'cli', 'library', 'import'] as const;
export type ActorVia = (typeof ACTOR_VIAS)[number];

/** Most characters of a name. */
export const ACTOR_NAME_LENGTH_MAX = 200;

export interface Actor {
  readonly role: ActorRole;
  /** Of a token, or of a user of the system; `null`: none is known. Never an identifier of a consumer. */
  readonly name: string | null;
  readonly via: ActorVia;
}

/** Who acts unless it is said. */
export const SYSTEM_ACTOR: Actor = Object.freeze({ role: 'system', name: null, via: 'library' });

/** An actor, checked. Throws a TypeError. */
export function readActor(actor: Actor): Actor {
  const { role, name, via } = Object(actor) as Partial<Actor>;
  const wordOf = <W extends string>(field: string, value: unknown, words: readonly W[]): W => {
    const word = words.find((known) => known === value);
    if (word === undefined) throw new TypeError(`actor.${field}: expected one of ${words.join(', ')}`);
    return word;
  };
  const isName = typeof name === 'string' && name !== '' && name.length <= ACTOR_NAME_LENGTH_MAX;
  if (name !== null && (!isName || /[\p{Cc}\p{Cs}]/u.test(name))) {
    throw new TypeError(`actor.name: expected 1 to ${ACTOR_NAME_LENGTH_MAX} characters, or null`);
  }
  return Object.freeze({ role: wordOf('role', role, ACTOR_ROLES), name, via: wordOf('via', via, ACTOR_VIAS) });
}
