/**
 * What every command of the CLI is made of: its help, its streams, its exit codes, its way to refuse bad usage.
 * @module
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { DEFAULT_POLICY, type Policy } from '../core/policy/policy.js';

/** Documented in the README; scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** The run went to its end, and some lines or rows were refused, or something is wrong with what was verified; each was reported. */
  someRefused: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** A file, the policy or the system failed; what was being written was left out. */
  failed: 3,
} as const;

export interface Io {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Command {
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

/** True for what the operating system refused: its message holds paths and codes, and nothing that was read. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
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
    throw new UsageError(optionMessage(error as Error));
  }
}

/** What is wrong with an option; an unknown one may be a value that slipped, so it is named only if it looks like an option. */
function optionMessage({ message }: Error): string {
  const [firstLine = ''] = message.split('\n', 1);
  if (!firstLine.startsWith('Unknown option')) return firstLine;
  const name = /^Unknown option '(--?[A-Za-z][A-Za-z-]{0,29})'/.exec(firstLine)?.[1];
  return name === undefined ? 'unknown option' : `unknown option ${name}`;
}

/** Reads the policy file, or gives the default policy: only a file needs the schema, whose library is slow to load. */
export async function loadPolicy(path: string | undefined): Promise<Policy> {
  if (path === undefined) return DEFAULT_POLICY;
  const { readPolicyFile } = await import('../policy-file.js');
  try {
    return readPolicyFile(path);
  } catch (error) {
    throw new CommandError(`--policy ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** One value as JSON on a line, spread out for whoever reads it on a terminal. */
export function printJson(io: Io, value: object): void {
  io.stdout.write(`${JSON.stringify(value, null, io.stdout.isTTY === true ? 2 : 0)}\n`);
}

/** A whole number option. @throws {UsageError} */
export function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new UsageError(`--${name}: expected a whole number`);
  return value;
}
