/**
 * `optgate inventory`: the data inventory of a ledger, out to a file and in again.
 * @module
 */
import { type Command, EXIT, type Io, parseOptions, UsageError } from './command.js';
import { untilInterrupted } from './interrupt.js';
import { LEDGER_HELP, LEDGER_OPTION, ledgerLocation, withLedger } from './ledger-location.js';
import { writeReport } from './report.js';

export const inventory: Command = {
  help: `Usage: optgate inventory export [FILE]
       optgate inventory import [--dry-run] [--remove-others] FILE

export      writes the data inventory of the ledger as YAML: who receives data, in which role, for which purposes, which
            categories of data, by which channels, under which contract, and where notices of opt-outs go. Without FILE
            to standard output.
import      puts the destinations of FILE into the ledger, all of them or none, and prints what changes:
              + "id" {…}      added
              ~ "id"          changed, with a line for each member
              - "id"          removed, only with --remove-others

Options:
  --dry-run           prints what would change, and changes nothing
  --remove-others     removes destinations that are not in FILE
${LEDGER_HELP}

Examples:
  optgate inventory export inventory.yaml
  optgate inventory import --dry-run inventory.yaml

Exit codes: 0 done, 2 wrong usage, 3 a file or the ledger failed; then nothing was changed.`,

  async run(args, io) {
    const [action, ...rest] = args;
    switch (action) {
      case 'export':
        return exportInventory(rest, io);
      case 'import':
        return importInventory(rest, io);
      default:
        throw new UsageError('expected "export" or "import"');
    }
  },
};

async function exportInventory(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, LEDGER_OPTION);
  const [path, ...more] = positionals;
  if (more.length > 0) throw new UsageError('expected one FILE');
  const location = ledgerLocation(values.ledger, io);
  const use = { mayMake: false, sequence: false };
  const destinations = await withLedger(location, io, use, (ledger) => ledger.destinations());
  const { inventoryText } = await import('./inventory-file.js');
  await untilInterrupted((stopped) => writeReport([inventoryText(destinations)], path, { io, stopped }));
  return EXIT.ok;
}

async function importInventory(args: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseOptions(args, {
    ...LEDGER_OPTION,
    'dry-run': { type: 'boolean' },
    'remove-others': { type: 'boolean' },
  });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError('expected one FILE');
  const location = ledgerLocation(values.ledger, io);
  const { readInventoryFile, changeLines } = await import('./inventory-file.js');
  const destinations = readInventoryFile(path);
  const isDryRun = values['dry-run'] === true;
  const options = { isDryRun, removesOthers: values['remove-others'] === true };
  const changes = await withLedger(location, io, { mayMake: !isDryRun, sequence: false }, (ledger) =>
    ledger.records.applyInventory(destinations, options),
  );
  for (const line of changes.flatMap(changeLines)) io.stdout.write(`${line}\n`);
  const what = isDryRun ? 'would change' : 'changed';
  io.stderr.write(`optgate: ${changes.length} of ${destinations.length} destinations ${what}\n`);
  return EXIT.ok;
}
