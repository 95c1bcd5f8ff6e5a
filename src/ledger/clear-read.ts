/**
 * Reading back the clear values of a request, for those who hold the key.
 * @module
 */
import { GateError } from '../core/errors.js';
import type { IdentifierKind } from '../core/vocabulary.js';
import { appendAudit } from './audit/append.js';
import { type ClearIdentifier, type ClearVault, unpackClear } from './clear-values.js';
import type { LedgerContext } from './context.js';
import { requestById } from './requests.js';

/** See Ledger.clearValuesOf. */
export async function* readClearValues(context: LedgerContext, requestId: string): AsyncGenerator<ClearIdentifier> {
  const { database, vault } = context;
  if (vault === null) throw new GateError('ledger.clear_key');
  const { row } = await requestById(database, requestId);
  await appendAudit(database, context, { kind: 'request.clear_values_read', subject: requestId, body: {} });
  const identifiers = await database.query(
    'select n, kind, clear from optgate.request_identifier where request_id = $1::int8 and clear is not null order by n',
    [row],
  );
  for (const { n, kind, clear } of identifiers) {
    const position = { requestId, table: 'identifier', index: Number(n) } as const;
    const value = vault.open(clear as Uint8Array, position).toString('utf8');
    yield { kind: String(kind) as IdentifierKind, value };
  }
  yield* readParts(context, vault, requestId, row);
}

/** One part at a time: an import can be large. */
async function* readParts(
  { database }: LedgerContext,
  vault: ClearVault,
  requestId: string,
  row: string,
): AsyncGenerator<ClearIdentifier> {
  for (let after = -1; ; ) {
    const [next] = await database.query(
      `select part, clear from optgate.import_part
       where request_id = $1::int8 and part > $2 and clear is not null order by part limit 1`,
      [row, after],
    );
    if (next === undefined) return;
    after = Number(next.part);
    yield* unpackClear(vault.open(next.clear as Uint8Array, { requestId, table: 'part', index: after }));
  }
}
