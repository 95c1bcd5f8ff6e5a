#!/usr/bin/env node
/**
 * The `optgate` command: finds the sub-command, runs it, turns failures into a sentence and an exit code.
 * @module
 */
import { readFileSync } from 'node:fs';
import { check } from './check.js';
import { type Command, CommandError, EXIT, type Io, isSystemError, UsageError } from './command.js';
import { explain } from './explain.js';
import { restrict } from './restrict.js';
import { set } from './set.js';

const COMMANDS: readonly Command[] = [check, restrict, explain, set];

const HELP = `optgate keeps opted-out people's data from leaving.

Usage: optgate COMMAND [options]

Commands:
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

  optgate COMMAND --help shows a command's options and examples.
  optgate --version      shows the version.

Exit codes: 0 done, 1 done but some lines or rows were refused, 2 wrong usage, 3 a file or the system failed.`;

async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    io.stdout.write(`${version}\n`);
    return EXIT.ok;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? io.stderr : io.stdout).write(`${HELP}\n`);
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const shown = /^[A-Za-z-]{1,20}$/.test(name) ? `there is no command "${name}"` : 'there is no such command';
    io.stderr.write(`optgate: ${shown}; see "optgate --help"\n`);
    return EXIT.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout.write(`${command.help}\n`);
    return EXIT.ok;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`optgate ${name}: ${error.message}\nSee "optgate ${name} --help".\n`);
      return EXIT.usage;
    }
    if (error instanceof CommandError) {
      io.stderr.write(`optgate ${name}: ${error.message}\n`);
      return EXIT.failed;
    }
    // the message of an error nobody expected may quote what was being read
    const said = isSystemError(error) ? error.message : `unexpected ${(error as Error)?.name ?? 'error'}`;
    io.stderr.write(`optgate ${name}: ${said}\n`);
    return EXIT.failed;
  }
}

// A reader that has seen enough (`| head`) closes the pipe: that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`optgate: standard output: ${error.message}\n`);
  process.exit(EXIT.failed);
});

const { stdin, stdout, stderr } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, now: Date.now });
