/**
 * `optgate lineage`: which destinations were sent a person's data, and when.
 * @module
 */
import type { Identifier } from '../core/vocabulary.js';
import type { ExportRun } from '../ledger/index.js';
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readIdentifier } from './identifiers.js';
import { LEDGER_HELP, LEDGER_OPTION, type LedgerLocation, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

/** It only reads. */
const USE = { mayMake: false, sequence: false } as const;

export const lineage: Command = {
  help: `Usage: optgate lineage --kind KIND VALUE [--ledger URL|DIR]
       optgate lineage --identifier KIND:VALUE [--ledger URL|DIR]
       optgate lineage --index FILE.lineage,… [--set FILE] --kind KIND VALUE

Prints every export that held a person, oldest first, one a line:
  {"destination","purpose","finishedAt","runId","output":{"name","bytes","sha256"}}
Nothing is printed for who was in none. A clear value is looked for in every dialect; a digest finds what was sent as
that digest, or as the clear value it is a SHA-256 of. VALUE may be "-" to read it from standard input, out of the
shell's history.

Runs with --set are in no ledger; with --index the files are searched that they have left beside their outputs, and "index"
names the file. What is known of the run comes from the manifest beside it, and is null where that is gone.

Options:
  --kind KIND         kind of VALUE
  --identifier K:V    kind and value in one; a value of "-" is read from standard input
  --index FILE,…      lineage files instead of a ledger; may be given again, and names may hold * and ?
  --set FILE          with --index: the snapshot that the runs went by, or another one of the same ledger; without it the
                      ledger is asked for its seed, which fingerprints are made with
${LEDGER_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate lineage --kind email jane@example.com
  pbpaste | optgate lineage --index 'out/*.lineage' --set optouts.snap --kind email -
  optgate lineage --identifier eid:uidapi.com:AwAA… | jq -r .destination | sort -u

Exit codes: 0 answered, whatever the answer is, 2 wrong usage, 3 the ledger or a file failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      kind: { type: 'string', multiple: true },
      identifier: { type: 'string' },
      index: { type: 'string', multiple: true },
      set: { type: 'string' },
    });
    const { index, set } = values;
    if (set !== undefined && index === undefined) throw new UsageError('--set: expected with --index only');
    if (set !== undefined && values.ledger !== undefined) throw new UsageError('expected --set or --ledger, not both');
    const location = ledgerLocation(values.ledger, io);
    let [kinds, given]: [readonly string[] | undefined, readonly string[]] = [values.kind, positionals];
    if (values.identifier !== undefined) {
      if (kinds !== undefined || given.length > 0) throw new UsageError('expected --identifier alone');
      const [kind, value] = splitIdentifier(values.identifier);
      [kinds, given] = [[kind], [value]];
    }
    const identifier = await readIdentifier(kinds, given, io);
    const found =
      index === undefined
        ? (await withLedger(location, io, USE, (ledger) => ledger.exportsOf(identifier))).map(shown)
        : await searchFiles(index, { set, location }, identifier, io);
    for (const run of found) io.stdout.write(`${JSON.stringify(run)}\n`);
    return EXIT.ok;
  },
};

/** Runs of lineage files, which the snapshot or the ledger gives the seed for. */
async function searchFiles(
  given: readonly string[],
  { set, location }: { readonly set: string | undefined; readonly location: LedgerLocation },
  identifier: Identifier,
  io: Io,
): Promise<readonly object[]> {
  const { indexFiles, searchIndexes, seedOfSnapshot } = await import('./lineage-index.js');
  const files = indexFiles(given);
  const seed =
    set === undefined
      ? (await withLedger(location, io, USE, (ledger) => ledger.head())).seed
      : await seedOfSnapshot(set);
  return searchIndexes(files, identifier, seed);
}

/** `eid:uidapi.com:value` has a qualifier in its kind; the value may hold colons. */
function splitIdentifier(text: string): readonly [kind: string, value: string] {
  const [, kind, value] = /^((?:eid|account):[^:]*|[^:]*):(.*)$/s.exec(text) ?? [];
  if (kind === undefined || value === undefined) throw new UsageError('--identifier: expected KIND:VALUE');
  return [kind, value];
}

function shown({ destination, purpose, finishedAtMs, runId, manifest }: ExportRun): object {
  const { output } = manifest as { readonly output?: unknown };
  return { destination, purpose, finishedAt: timeText(finishedAtMs), runId, output };
}
