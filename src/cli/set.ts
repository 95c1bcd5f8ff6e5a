/**
 * `optgate set`: builds a suppression set from a list, shows what is in one, looks one identifier up.
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, type Stats, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { GateError } from '../core/errors.js';
import { checkIdentifier } from '../core/identity/index.js';
import { enterIdentifier, rightsOfIdentifier } from '../core/opt-out.js';
import { compacted, SuppressionTable, TableHolder } from '../core/suppression/index.js';
import { BASE_KINDS, KIND_TAG, RIGHTS, rightsOfMask } from '../core/vocabulary.js';
import { type RowFormat, readRows } from '../rows/rows.js';
import { readSnapshotFileHeader, writeSnapshotFile } from '../snapshot-file.js';
import {
  type Command,
  CommandError,
  EXIT,
  type Io,
  isSystemError,
  messageOf,
  parseOptions,
  printJson,
  UsageError,
  wholeNumber,
} from './command.js';
import { loadSet } from './gate-options.js';
import { KINDS_TEXT } from './identifiers.js';
import { formatOf } from './list-format.js';
import { createProgress } from './progress.js';

const CAPACITY_AT_START = 10_000;

export const set: Command = {
  help: `Usage: optgate set build --out FILE [options] LIST
       optgate set info FILE
       optgate set lookup FILE --kind KIND VALUE

build   reads LIST (.csv with a header, .ndjson; "-" with --format for standard input), one identifier a row:
          kind,value,rights
          maid,6d92078a-8246-4ba4-ae5b-76104861e7dc,sale|share
          email,jane@example.com,
        rights: ${RIGHTS.join(', ')}; none = all.
        A clear e-mail address, phone number or device id is entered with its digests in every dialect (DROP, UID2,
        Google, Meta, LiveRamp). A row that cannot be used is reported with its line number on standard error; the
        others are entered, and the exit code is 1. A CSV file with another header, other separators than commas or
        line ends that are a lone CR is refused whole. FILE appears whole or not at all; it may not be LIST itself.
          --seq N               number of the last change in the list (default 0); decisions name it
          --epoch NAME          which history that number belongs to (default: a new random name)
          --format csv|ndjson   format of LIST where its name does not tell
          --exact               enter each row's own key only, without the digests of clear values
          --strict              write nothing if a row was refused
          --allow-empty         write a set even if no row could be used
info    prints what a set holds, as JSON.
lookup  prints {"suppressed","rights","seq"}. VALUE may be "-" to read it from standard input, out of the shell's history.

Kinds: ${KINDS_TEXT}

Examples:
  optgate set build --out optouts.snap optouts.csv
  optgate set info optouts.snap
  optgate set lookup optouts.snap --kind email jane@example.com

Exit codes: 0 done, 1 some rows were refused, 2 wrong usage, 3 a file or the system failed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'build':
        return build(rest, io);
      case 'info':
        return info(rest, io);
      case 'lookup':
        return lookup(rest, io);
      default:
        throw new UsageError('expected "build", "info" or "lookup"');
    }
  },
};

async function build(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    out: { type: 'string' },
    seq: { type: 'string' },
    epoch: { type: 'string' },
    format: { type: 'string' },
    exact: { type: 'boolean' },
    strict: { type: 'boolean' },
    'allow-empty': { type: 'boolean' },
  });
  const [list, ...more] = positionals;
  if (values.out === undefined) throw new UsageError('expected --out FILE');
  if (list === undefined || more.length > 0) throw new UsageError('expected one LIST');
  const format = formatOf(list, values.format);
  refuseOutput(values.out, list);
  const seq = wholeNumber('seq', values.seq, 0);
  const holder = new TableHolder({ table: createTable(values.epoch ?? randomUUID()) });
  const { rowCount, refusedCount } = await enterRows(holder, list, format, values.exact === true, io);
  if (refusedCount > 0 && values.strict === true) {
    throw new CommandError(`${refusedCount} of ${rowCount} rows were refused; nothing was written (--strict)`);
  }
  if (refusedCount === rowCount && values['allow-empty'] !== true) {
    const why = rowCount === 0 ? 'the list has no rows' : `all ${rowCount} rows were refused`;
    throw new CommandError(`${why}; nothing was written (--allow-empty writes an empty set)`);
  }
  const table = settled(holder);
  table.publish(seq, null);
  try {
    await writeSnapshotFile(values.out, table, io.now());
  } catch (error) {
    throw new CommandError(`${values.out}: ${messageOf(error)}`, { cause: error });
  }
  const { entryCount, byteLength } = table;
  io.stdout.write(
    `${JSON.stringify({ out: values.out, rowCount, refusedCount, entryCount, bytes: byteLength, seq })}\n`,
  );
  return refusedCount === 0 ? EXIT.ok : EXIT.someRefused;
}

/** @throws {UsageError} where writing would destroy the list, or something that is no file, such as a device. */
function refuseOutput(out: string, list: string): void {
  const there = statOf(out);
  if (there === null) return;
  if (!there.isFile()) throw new UsageError('--out: expected a file');
  const source = list === '-' ? null : statOf(list);
  if (source !== null && source.dev === there.dev && source.ino === there.ino) {
    throw new UsageError('--out: expected another file than LIST');
  }
}

/** What the path leads to, links followed; `null` if it leads nowhere. */
function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

function createTable(epoch: string): SuppressionTable {
  const seed = randomBytes(8).readBigUInt64LE();
  try {
    return SuppressionTable.create({ capacity: CAPACITY_AT_START, seed, epoch });
  } catch (error) {
    throw new UsageError(`--epoch: ${(error as Error).message}`);
  }
}

/** Enters every usable row and reports every other one on standard error. */
async function enterRows(holder: TableHolder, list: string, format: RowFormat, exact: boolean, io: Io) {
  const stream = list === '-' ? (io.stdin as AsyncIterable<Uint8Array>) : createReadStream(list);
  const progress = createProgress(io, 'rows');
  let rowCount = 0;
  let refusedCount = 0;
  const refuse = (line: number, field: string, message: string) => {
    refusedCount++;
    progress.clear();
    io.stderr.write(`line ${line}: ${field}: ${message}\n`);
  };
  try {
    for await (const row of readRows(stream, format)) {
      rowCount++;
      if (row.kind === 'refused') refuse(row.line, row.field, row.message);
      else if (!enterIdentifier(holder, row.identifier, row.rights, { exact })) {
        refuse(row.line, 'value', 'is a placeholder (all zeros, or the digest of nothing), which names nobody');
      }
      progress.at(rowCount);
    }
  } catch (error) {
    if (!isSystemError(error) && !(error instanceof GateError)) throw error;
    throw new CommandError(`${list}: ${messageOf(error)}`, { cause: error });
  }
  progress.end();
  return { rowCount, refusedCount };
}

/** The table as it is written: of the size its entries need, whatever it grew to on the way. */
function settled(holder: TableHolder): SuppressionTable {
  while (holder.growStep()) {}
  const { current } = holder;
  if (current === null) throw new Error('unreachable: the holder was made with a table');
  return compacted(current);
}

async function info(args: readonly string[], io: Io): Promise<number> {
  const { positionals } = parseOptions(args, {});
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError('expected one FILE');
  const table = await loadSet(path);
  const { createdAtMs, freshAtMs } = await readSnapshotFileHeader(path);
  const { epoch, seq, entryCount, kindMask, byteLength, stateDigest } = table;
  const answer = {
    epoch,
    seq,
    createdAt: new Date(createdAtMs).toISOString(),
    freshAt: freshAtMs === null ? null : new Date(freshAtMs).toISOString(),
    entryCount,
    kinds: BASE_KINDS.filter((kind) => kindMask & (1 << KIND_TAG[kind])),
    bytes: byteLength,
    bytesPerEntry: entryCount === 0 ? null : Math.round((100 * byteLength) / entryCount) / 100,
    stateDigest,
  };
  printJson(io, answer);
  return EXIT.ok;
}

async function lookup(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, { kind: { type: 'string' } });
  const [path, given, ...more] = positionals;
  if (path === undefined || given === undefined || more.length > 0) throw new UsageError('expected FILE and VALUE');
  if (values.kind === undefined) throw new UsageError('expected --kind KIND');
  const value = given === '-' ? (await text(io.stdin as AsyncIterable<Uint8Array>)).trim() : given;
  const checked = checkIdentifier(values.kind, value);
  if ('error' in checked) throw new UsageError(`${checked.error.field}: ${checked.error.message}`);
  const table = await loadSet(path);
  const rights = rightsOfIdentifier(table, checked.ok);
  io.stdout.write(`${JSON.stringify({ suppressed: rights !== 0, rights: rightsOfMask(rights), seq: table.seq })}\n`);
  return EXIT.ok;
}
