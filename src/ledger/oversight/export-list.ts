/**
 * Exports in a list, the latest first, some at a time.
 * @module
 */
import { InputError } from '../../core/errors.js';
import type { Session } from '../database.js';
import { type ExportRun, RUN_COLUMNS, runOf } from '../export-runs.js';

/** Most exports on a page: each comes with its manifest. */
export const EXPORTS_LISTED_MAX = 50;

export interface ExportFilter {
  readonly destination?: string | undefined;
  /** Only what comes after this run in the list. */
  readonly afterRunId?: string | undefined;
  readonly limit: number;
}

export interface ExportPage {
  readonly runs: readonly ExportRun[];
  readonly hasMore: boolean;
}

/** See Oversight.exports. */
export async function listExports(session: Session, filter: ExportFilter): Promise<ExportPage> {
  const { destination, afterRunId, limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > EXPORTS_LISTED_MAX) {
    throw new InputError('limit', 'out_of_range', `expected 1 to ${EXPORTS_LISTED_MAX}`);
  }
  const rows = await session.query(
    `select ${RUN_COLUMNS} from optgate.export_run
     where recorded_at is not null and ($1::text is null or destination = $1)
       and ($2::text is null or id < (select last.id from optgate.export_run as last where last.run_id = $2))
     order by export_run.id desc limit $3::int4`,
    [destination ?? null, afterRunId ?? null, limit + 1],
  );
  return { runs: rows.slice(0, limit).map(runOf), hasMore: rows.length > limit };
}
