/**
 * `optgate config`: every setting of the sidecar, its value, and where that came from.
 * @module
 */
import { originText, SETTING_NAMES, settingOf, variableOf } from '../sidecar/config.js';
import { type Command, EXIT, type Io, parseOptions } from './command.js';
import { SIDECAR_OPTIONS_HELP, sidecarConfig } from './sidecar-config.js';

export const config: Command = {
  help: `Usage: optgate config [options]

Shows what "optgate serve" with the same options would run with: every setting, its value, and where that came from. Starts
nothing and opens nothing but the file. Passwords in URLs and tokens are not shown. A table on a terminal, else JSON.

Options:
${SIDECAR_OPTIONS_HELP}
  --json                JSON also on a terminal

Examples:
  optgate config --config /etc/optgate.yaml
  OPTGATE_WORKERS=2 optgate config --data 0.0.0.0:8787 --json | jq '.settings.workers'

Exit codes: 0 it can be used, 2 it cannot; everything that is wrong is told.`,

  async run(args, io) {
    const { values } = parseOptions(
      args.filter((arg) => arg === '--json'),
      { json: { type: 'boolean' } },
    );
    const resolved = sidecarConfig(
      args.filter((arg) => arg !== '--json'),
      io,
    );
    const rows = SETTING_NAMES.map((name) => ({
      name,
      value: settingOf(name).show(resolved.config[name]),
      origin: originText(resolved.origins[name]),
      variable: variableOf(name),
      help: settingOf(name).help,
    }));
    if (io.stdout.isTTY === true && values.json !== true) printTable(rows, io);
    else printJson(rows, resolved.file, io);
    return EXIT.ok;
  },
};

interface Row {
  readonly name: string;
  readonly value: string | number | boolean | null | readonly string[];
  readonly origin: string;
  readonly variable: string;
  readonly help: string;
}

function printTable(rows: readonly Row[], io: Io): void {
  const cells = rows.map(({ name, value, origin, help }) => [name, valueText(value), origin, help] as const);
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) {
    io.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
  }
}

function valueText(value: Row['value']): string {
  if (value === null) return 'off';
  if (typeof value !== 'object') return String(value);
  return value.length === 0 ? 'off' : value.join(', ');
}

function printJson(rows: readonly Row[], file: string | null, io: Io): void {
  const settings = Object.fromEntries(
    rows.map(({ name, value, origin, variable }) => [name, { value, origin, variable }]),
  );
  io.stdout.write(`${JSON.stringify({ file, settings }, null, io.stdout.isTTY === true ? 2 : 0)}\n`);
}
