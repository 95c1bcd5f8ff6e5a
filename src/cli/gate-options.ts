/**
 * The options that `check` and `restrict` share, and the gate they ask for.
 * @module
 */
import { type BytesContext, createGate, type Gate, type Refusal } from '../core/gate.js';
import type { SuppressionTable } from '../core/suppression/index.js';
import { LineError } from '../rows/lines.js';
import { readSnapshotFile } from '../snapshot-file.js';
import { CommandError, type Io, loadPolicy, messageOf, parseOptions, UsageError } from './command.js';

export const GATE_OPTIONS = {
  set: { type: 'string' },
  policy: { type: 'string' },
  destination: { type: 'string' },
  state: { type: 'string' },
  'sec-gpc': { type: 'string' },
  'with-request': { type: 'boolean' },
} as const;

export const GATE_OPTIONS_HELP = `  --set FILE          suppression set made by "optgate set build"; without it only signals are judged
  --policy FILE       policy, JSON; every default is in docs/policy.md
  --destination ID    recipient in the policy's data inventory; without it any third party is assumed
  --state CA          state of the person, where you know better than the request
  --sec-gpc 1         value of the Sec-GPC header the requests came with`;

export interface GateSetup {
  readonly gate: Gate;
  readonly context: BytesContext;
  readonly withRequest: boolean;
}

/** Builds the gate that the options describe. @throws {UsageError | CommandError} */
export async function setUpGate(args: readonly string[], io: Io): Promise<GateSetup> {
  const { values, positionals } = parseOptions(args, GATE_OPTIONS);
  if (positionals.length > 0) throw new UsageError('expected no file name: requests are read from standard input');
  if (values.state !== undefined && !/^(US-)?[A-Za-z]{2}$/.test(values.state)) {
    throw new UsageError('--state: expected two letters, such as CA');
  }
  if (values['sec-gpc'] !== undefined && !/^[01]$/.test(values['sec-gpc']))
    throw new UsageError('--sec-gpc: expected 1 or 0');
  const policy = await loadPolicy(values.policy);
  const { destination } = values;
  if (destination !== undefined && !policy.destinations.some(({ id }) => id === destination)) {
    io.stderr.write(`optgate: --destination ${destination} is not in the policy; treated as an unknown third party\n`);
  }
  return {
    gate: createGate({ policy, table: values.set === undefined ? 'none' : await loadSet(values.set), now: io.now }),
    context: { destination, state: values.state, secGpc: values['sec-gpc'], requireBidRequest: true },
    withRequest: values['with-request'] === true,
  };
}

/** The suppression set in a file. @throws {CommandError} */
export async function loadSet(path: string): Promise<SuppressionTable> {
  try {
    return await readSnapshotFile(path);
  } catch (error) {
    throw new CommandError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The answer, unless the line was refused. @throws {LineError} */
export function unlessRefused<T extends { readonly kind: string }>(answer: T | Refusal): T {
  if (answer.kind === 'refused') throw new LineError((answer as Refusal).code);
  return answer as T;
}
