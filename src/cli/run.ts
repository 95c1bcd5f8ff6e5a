/**
 * Finds the sub-command, runs it, turns failures into a sentence and an exit code.
 *
 * A command's module is loaded when it is asked for: `check` does not pay for database drivers.
 * @module
 */
import { InputError } from '../core/errors.js';
import { ListError } from '../rows/list-error.js';
import { packageVersion } from '../version.js';
import { type Command, CommandError, EXIT, type Io, UsageError } from './command.js';
import { failureText, inputErrorText } from './failures.js';

interface CommandEntry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  load(): Promise<Command>;
}

interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandEntry[];
}

const GROUPS: readonly CommandGroup[] = [
  {
    title: 'Decide',
    commands: [
      {
        name: 'check',
        summary: 'decide for each bid request on standard input: allow, restrict or block',
        load: async () => (await import('./check.js')).check,
      },
      {
        name: 'restrict',
        summary: 'pass bid requests on as they may go out; drop those that may not',
        load: async () => (await import('./restrict.js')).restrict,
      },
      {
        name: 'explain',
        summary: 'decode privacy strings and show what they lead to, with citations',
        load: async () => (await import('./explain.js')).explain,
      },
      {
        name: 'set',
        summary: 'build, inspect and query suppression sets',
        load: async () => (await import('./set.js')).set,
      },
    ],
  },
  {
    title: 'Record',
    commands: [
      {
        name: 'opt-out',
        summary: "record a person's opt-out in the ledger",
        load: async () => (await import('./opt-out.js')).optOut,
      },
      {
        name: 'opt-in',
        summary: 'take an opt-out back, in two steps',
        load: async () => (await import('./opt-in.js')).optIn,
      },
      {
        name: 'import',
        summary: 'record a list of opt-outs: CSV or NDJSON',
        load: async () => (await import('./import.js')).importList,
      },
      {
        name: 'status',
        summary: 'show what is recorded for an identifier, and how far a request has come',
        load: async () => (await import('./status.js')).status,
      },
      {
        name: 'deadlines',
        summary: 'list the requests that are overdue, or nearly so',
        load: async () => (await import('./deadlines.js')).deadlines,
      },
      {
        name: 'deny',
        summary: 'deny a request on a documented basis',
        load: async () => (await import('./deny.js')).deny,
      },
      {
        name: 'inventory',
        summary: 'write the data inventory to a file, or put one in force',
        load: async () => (await import('./inventory.js')).inventory,
      },
      {
        name: 'report',
        summary: 'write the record of requests, yearly metrics, the report of a quarter',
        load: async () => (await import('./report.js')).report,
      },
    ],
  },
  {
    title: 'Export',
    commands: [
      {
        name: 'export',
        summary: 'write a file without the rows of people who have opted out, and its manifest',
        load: async () => (await import('./export.js')).exportCommand,
      },
      {
        name: 'lineage',
        summary: "show which destinations were sent a person's data, and when",
        load: async () => (await import('./lineage.js')).lineage,
      },
      {
        name: 'gap-notices',
        summary: 'write, for each destination, the opt-outs it is to be told of',
        load: async () => (await import('./gap-notices.js')).gapNoticesCommand,
      },
    ],
  },
  {
    title: 'Govern',
    commands: [
      {
        name: 'audit',
        summary: 'export, verify and search the audit trail: who did what',
        load: async () => (await import('./audit.js')).audit,
      },
      {
        name: 'retention',
        summary: 'erase identifiers of requests that were answered long ago',
        load: async () => (await import('./retention.js')).retention,
      },
      {
        name: 'erase',
        summary: 'erase the identifiers of one request',
        load: async () => (await import('./retention.js')).erase,
      },
    ],
  },
  {
    title: 'Sync',
    commands: [
      {
        name: 'publish',
        summary: 'publish the ledger to a fleet over NATS, or its set as Parquet for a warehouse',
        load: async () => (await import('./publish.js')).publish,
      },
      {
        name: 'follow',
        summary: 'follow a source as an enforcer does, and show how fresh it is',
        load: async () => (await import('./follow.js')).follow,
      },
    ],
  },
  {
    title: 'Serve',
    commands: [
      {
        name: 'serve',
        summary: 'run the sidecar: decisions over HTTP and sockets, opt-outs, probes, metrics',
        load: async () => (await import('./serve.js')).serve,
      },
      {
        name: 'webhook',
        summary: 'tell a CRM of opt-outs by signed requests: add, list, test, replay …',
        load: async () => (await import('./webhook.js')).webhook,
      },
      {
        name: 'config',
        summary: "show the sidecar's settings, and where each came from",
        load: async () => (await import('./config.js')).config,
      },
      {
        name: 'health',
        summary: 'ask a running sidecar whether it lives, or is ready',
        load: async () => (await import('./health.js')).health,
      },
    ],
  },
  {
    title: 'Ledger',
    commands: [
      {
        name: 'ledger',
        summary: 'migrate, snapshot, verify; new-epoch, enforcers, keygen',
        load: async () => (await import('./ledger.js')).ledger,
      },
    ],
  },
];
const COMMANDS = GROUPS.flatMap(({ commands }) => commands);

const HELP = `optgate keeps opted-out people's data from leaving.

Usage: optgate COMMAND [options]

${GROUPS.map(groupText).join('\n\n')}

  optgate COMMAND --help shows a command's options and examples.
  optgate --version      shows the version.

Exit codes: 0 done; 1 done, but some lines or rows were refused, or something is wrong with what was verified;
2 wrong usage; 3 a file, a service or the system failed.`;

function groupText({ title, commands }: CommandGroup): string {
  return `${title}:\n${commands.map(({ name, summary }) => `  ${name.padEnd(11)} ${summary}`).join('\n')}`;
}

/** Runs one command line, without the name of the program. @returns The exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    io.stdout.write(`${packageVersion()}\n`);
    return EXIT.ok;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? io.stderr : io.stdout).write(`${HELP}\n`);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    const shown = /^[A-Za-z-]{1,20}$/.test(name) ? `there is no command "${name}"` : 'there is no such command';
    io.stderr.write(`optgate: ${shown}; see "optgate --help"\n`);
    return EXIT.usage;
  }
  const command = await entry.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout.write(`${command.help}\n`);
    return EXIT.ok;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    return failure(name, error, io);
  }
}

function failure(name: string, error: unknown, io: Io): number {
  if (error instanceof UsageError || error instanceof InputError) {
    const said = error instanceof InputError ? inputErrorText(error) : error.message;
    io.stderr.write(`optgate ${name}: ${said}\nSee "optgate ${name} --help".\n`);
    return EXIT.usage;
  }
  // the message of an error nobody expected may quote what was being read
  const said = error instanceof CommandError || error instanceof ListError ? error.message : failureText(error);
  io.stderr.write(`optgate ${name}: ${said}\n`);
  return EXIT.failed;
}
