/**
 * The Python that runs the client in examples/python, or a skip that says so.
 * @module
 */
import { spawnSync } from 'node:child_process';

const found = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).status === 0;
if (!found && process.env.OPTGATE_REQUIRE_SERVICES === '1') {
  throw new Error('python3, 3.10 or later, is required (OPTGATE_REQUIRE_SERVICES=1)');
}
if (!found) process.stderr.write('skipped: no python3 of version 3.10 or later\n');

export const HAS_PYTHON = found;
