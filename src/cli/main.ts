#!/usr/bin/env node
/**
 * The `optgate` command as a process: its arguments, streams and exit code.
 * @module
 */
import { EXIT } from './command.js';
import { runCli } from './run.js';

// A reader that has seen enough (`| head`) closes the pipe: that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`optgate: standard output: ${error.message}\n`);
  process.exit(EXIT.failed);
});

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, env, now: Date.now });
