/**
 * Rows of the audit trail as entries. Chaining and reading go through here, so that what is hashed is what is read.
 * @module
 */
import type { Row } from '../database.js';
import { actorText, type EntryParts } from './entry.js';

/** The columns {@link partsOf} reads. */
export const PART_COLUMNS = `kind, actor_role, actor_name, actor_via, subject, body,
  round(extract(epoch from at) * 1000)::float8 as at_ms`;

export function partsOf(row: Row, n: number, previous: string): EntryParts {
  const { actor_role: role, actor_name: name, actor_via: via } = row;
  return {
    n,
    atMs: Number(row.at_ms),
    kind: String(row.kind),
    actor: actorText({ name: name as string | null, role: role as never, via: via as never }),
    subject: row.subject as string | null,
    body: String(row.body),
    previous,
  };
}

export function hexOf(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('hex');
}
