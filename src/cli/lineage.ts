/**
 * `optgate lineage`: which destinations were sent a person's data, and when.
 * @module
 */
import type { ExportRun } from '../ledger/index.js';
import { type Command, EXIT, parseOptions, UsageError } from './command.js';
import { KINDS_TEXT, readIdentifier } from './identifiers.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { timeText } from './time.js';

export const lineage: Command = {
  help: `Usage: optgate lineage --kind KIND VALUE [--ledger URL|DIR]
       optgate lineage --identifier KIND:VALUE [--ledger URL|DIR]

Prints every export that held a person, oldest first, one a line:
  {"destination","purpose","finishedAt","runId","output":{"name","bytes","sha256"}}
Nothing is printed for who was in none. A clear value is looked for in every dialect; a digest finds what was sent as
that digest, or as the clear value it is a SHA-256 of. VALUE may be "-" to read it from standard input, out of the
shell's history.

Options:
  --kind KIND         kind of VALUE
  --identifier K:V    kind and value in one
${LEDGER_HELP}

Kinds: ${KINDS_TEXT}

Examples:
  optgate lineage --kind email jane@example.com
  optgate lineage --identifier eid:uidapi.com:AwAA… | jq -r .destination | sort -u

Exit codes: 0 answered, whatever the answer is, 2 wrong usage, 3 the ledger failed.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...LEDGER_OPTION,
      kind: { type: 'string', multiple: true },
      identifier: { type: 'string' },
    });
    const location = ledgerLocation(values.ledger, io);
    let [kinds, given]: [readonly string[] | undefined, readonly string[]] = [values.kind, positionals];
    if (values.identifier !== undefined) {
      if (kinds !== undefined || given.length > 0) throw new UsageError('expected --identifier alone');
      const [kind, value] = splitIdentifier(values.identifier);
      [kinds, given] = [[kind], [value]];
    }
    const identifier = await readIdentifier(kinds, given, io);
    const use = { mayMake: false, sequence: false };
    const runs = await withLedger(location, io, use, (ledger) => ledger.exportsOf(identifier));
    for (const run of runs) io.stdout.write(`${JSON.stringify(shown(run))}\n`);
    return EXIT.ok;
  },
};

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
