import { defineConfig } from 'vitest/config';

/** Where a machine-readable report goes besides the terminal; set by `.ci/run`. */
const reportFile = process.env.OPTGATE_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // minutes of killed servers, cut networks and deadlines that strike: `npm run test:fault`
    exclude: [
      '**/node_modules/**',
      ...(process.env.OPTGATE_FAULT === undefined
        ? ['test/fault/**', 'test/sync/nats-faults.test.ts', 'test/sync/http-faults.test.ts']
        : []),
    ],
    globalSetup: 'test/global-setup.ts',
    maxWorkers: 2,
    // what is waited for comes late on a busy machine, and that is no failure
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
  },
});
