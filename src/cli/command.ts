/**
 * What every command of the CLI is made of: its help, its streams, its exit codes, its way to refuse bad usage.
 * @module
 */
import { readFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { DEFAULT_POLICY, type Policy } from '../core/policy/policy.js';
import { parsePolicy } from '../policy-file.js';

/** Documented in the README; scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** The run went to its end, and some lines or rows were refused; each was reported. */
  someRefused: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** A file, the policy or the system failed; what was being written was left out. */
  failed: 3,
} as const;

export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of `--help`, with examples. */
  readonly help: string;
  /** @returns An exit code. */
  run(args: readonly string[], io: Io): Promise<number>;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something outside failed that the user can mend; the message says what, and never holds an identifier. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** What an error says, with what the system says where that is the cause. */
export function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

type OptionsConfig = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends OptionsConfig> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true; strict: true }>
>;

/** Parses options strictly. @throws {UsageError} on an unknown option or a missing value. */
export function parseOptions<T extends OptionsConfig>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Reads the policy file, or gives the default policy. */
export function loadPolicy(path: string | undefined): Policy {
  if (path === undefined) return DEFAULT_POLICY;
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandError(`--policy ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return parsePolicy(json);
  } catch (error) {
    throw new CommandError(`--policy ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** A whole number option. @throws {UsageError} */
export function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new UsageError(`--${name}: expected a whole number`);
  return value;
}
