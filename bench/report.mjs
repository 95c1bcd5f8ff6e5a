/**
 * Prints a bench's rows as a table and says which machine they come from.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { pathToFileURL } from 'node:url';
import { measure } from 'mitata';

/** Average nanoseconds of one call of `run`, which does `callCount` of them; also the fastest quarter's. */
export async function nanoseconds(run, callCount = 1) {
  const { avg, p25 } = await measure(run, { min_cpu_time: 400e6 });
  return { average: avg / callCount, quick: p25 / callCount };
}

/** A deterministic stream of 32-bit integers (xorshift32). */
export function createRandom(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export function printMachine() {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  console.log(`\n${cpu.model}, ${cpus().length} cores, ${gigabytes} GB, Node ${process.version}, commit ${commit}`);
}

/** Prints rows of strings as a Markdown table. */
export function printTable(title, header, rows) {
  const widths = header.map((cell, column) => Math.max(cell.length, ...rows.map((row) => String(row[column]).length)));
  const line = (cells) => `| ${cells.map((cell, column) => String(cell).padEnd(widths[column])).join(' | ')} |`;
  console.log(`\n### ${title}\n`);
  console.log(line(header));
  console.log(line(widths.map((width) => '-'.repeat(width))));
  for (const row of rows) console.log(line(row));
}

/** Whether the module was started itself, not imported by another bench. */
export const isMain = (url) => process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === url;

export const ns = (value) => (value < 1_000 ? `${value.toFixed(0)} ns` : `${(value / 1_000).toFixed(2)} µs`);
export const times = (ratio) => `${ratio.toFixed(ratio < 10 ? 1 : 0)}×`;
