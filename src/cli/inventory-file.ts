/**
 * The data inventory as a YAML file, and what changes between two of them.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { LineCounter, parseDocument, stringify } from 'yaml';
import type { Destination } from '../core/index.js';
import type { InventoryChange } from '../ledger/records/inventory.js';
import { PolicyError, parsePolicy } from '../policy-file.js';
import { CommandError } from './command.js';

/** Longest inventory that is read. */
export const INVENTORY_BYTES_MAX = 32 * 2 ** 20;

/**
 * The destinations in a file, complete. JSON is YAML too.
 * @throws {CommandError} with everything that is wrong, by line or path, without quoting what was read.
 */
export function readInventoryFile(path: string): readonly Destination[] {
  const text = readText(path);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new CommandError(`${path}: is not YAML (line ${line}, column ${col}): ${error.code}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    throw new CommandError(`${path}: expected no aliases`);
  }
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.length !== 1 || keys[0] !== 'destinations') {
    throw new CommandError(`${path}: expected "destinations", a list, and nothing else`);
  }
  try {
    return parsePolicy(value).destinations;
  } catch (fault) {
    if (!(fault instanceof PolicyError)) throw fault;
    throw new CommandError(`${path}: ${fault.message.replace(/^policy: /, '')}`);
  }
}

function readText(path: string): string {
  try {
    if (statSync(path).size > INVENTORY_BYTES_MAX)
      throw new CommandError(`${path}: expected at most ${INVENTORY_BYTES_MAX.toLocaleString('en-US')} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

export function inventoryText(destinations: readonly Destination[]): string {
  return stringify({ destinations }, { lineWidth: 0 });
}

/** The change as lines: `+` added, `-` removed, `~` changed with every member that differs. */
export function changeLines({ id, before, after }: InventoryChange): readonly string[] {
  const name = JSON.stringify(id);
  if (before === null) return [`+ ${name} ${JSON.stringify(membersOf(after))}`];
  if (after === null) return [`- ${name}`];
  const [old, now] = [membersOf(before), membersOf(after)];
  const members = Object.keys({ ...old, ...now }).filter(
    (one) => JSON.stringify(old[one]) !== JSON.stringify(now[one]),
  );
  const shown = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value));
  return [`~ ${name}`, ...members.map((member) => `    ${member}: ${shown(old[member])} -> ${shown(now[member])}`)];
}

function membersOf(destination: Destination | null): Readonly<Record<string, unknown>> {
  const { id: _, ...members } = destination ?? { id: '' };
  return members;
}
