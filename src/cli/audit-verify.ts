/**
 * `optgate audit verify`: checks an audit trail, from a file or in the ledger.
 * @module
 */
import { createReadStream } from 'node:fs';
import { createVerifier } from '../core/suppression/index.js';
import {
  headerLine,
  TRAIL_FAULTS,
  type TrailReport,
  TrailVerifier,
  type TrailVerifierOptions,
} from '../ledger/audit/verify-trail.js';
import type { Ledger } from '../ledger/index.js';
import { CommandError, EXIT, type Io, isSystemError, parseOptions, printJson, UsageError } from './command.js';
import { readTrustedKeys } from './keygen.js';
import { LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { createProgress, type Progress } from './progress.js';

/** Bytes that are read at a time. */
const READ_BYTES = 1_048_576;
const OTHER_LEDGER = { n: 0, code: 'ledger', what: 'the trail is of another ledger' } as const;

export async function verifyAudit(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    'public-key': { type: 'string', multiple: true },
    head: { type: 'string' },
    'ledger-id': { type: 'string' },
    'allow-unsigned': { type: 'boolean' },
  });
  const [path] = positionals;
  if (positionals.length > 1 || (path !== undefined && values.ledger !== undefined)) {
    throw new UsageError('expected one FILE, or --ledger');
  }
  const head = values.head === undefined ? null : readHead(values.head);
  const keys = readTrustedKeys(values['public-key'] ?? [], 'public-key');
  const verifier = keys.length === 0 ? null : createVerifier(keys);
  const isUnsignedAllowed = values['allow-unsigned'] === true;
  if (isUnsignedAllowed && verifier === null) throw new UsageError('--allow-unsigned: expected --public-key with it');
  const trail = new TrailVerifier({ head, verifier, isUnsignedAllowed });
  const progress = createProgress(io, 'entries');
  try {
    if (path === undefined) {
      const location = ledgerLocation(values.ledger, io);
      const use = { mayMake: false, sequence: false };
      await withLedger(location, io, use, (ledger) => verifyLedger(ledger, trail, progress));
    } else await verifyFile(path, trail, progress);
  } finally {
    progress.end();
  }
  return told(trail.end(), values['ledger-id']?.toLowerCase() ?? null, io);
}

function readHead(text: string): NonNullable<TrailVerifierOptions['head']> {
  const [, n, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (n === undefined || hash === undefined) throw new UsageError('--head: expected N:HASH, 64 hex digits');
  return { n: Number(n), hash };
}

async function verifyFile(path: string, trail: TrailVerifier, progress: Progress): Promise<void> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
      if (!trail.write(chunk)) return;
      progress.at(trail.entryCount);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`${path}: ${error.message}`, { cause: error });
  }
}

/** Through the same lines as an export: what the ledger says of its head is the header. */
async function verifyLedger(ledger: Ledger, trail: TrailVerifier, progress: Progress): Promise<void> {
  const { n, hash, ledgerId } = await ledger.audit.head();
  trail.write(Buffer.from(`${headerLine({ entries: n, head: hash, ledger: ledgerId })}\n`));
  for await (const lines of ledger.audit.lines(n)) {
    if (!trail.write(Buffer.from(`${lines.join('\n')}\n`))) return;
    progress.at(trail.entryCount);
  }
}

function told(report: TrailReport, ledgerId: string | null, io: Io): number {
  const { entryCount, head, checkpointCount, signedUpTo, unsignedCount } = report;
  const isOther = ledgerId !== null && report.ledgerId !== ledgerId;
  const fault = report.fault ?? (isOther ? OTHER_LEDGER : null);
  printJson(io, {
    valid: fault === null,
    ledger: report.ledgerId,
    entries: entryCount,
    head: head === null ? null : `${entryCount}:${head}`,
    checkpoints: checkpointCount,
    signedUpTo,
    unsigned: unsignedCount,
    fault:
      fault === null
        ? null
        : { entry: fault.n, code: fault.code, what: 'what' in fault ? fault.what : TRAIL_FAULTS[fault.code] },
  });
  return fault === null ? EXIT.ok : EXIT.someRefused;
}
