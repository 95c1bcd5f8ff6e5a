import { defineConfig } from 'vitest/config';

/** Where a machine-readable report goes besides the terminal; set by `.ci/run`. */
const reportFile = process.env.OPTGATE_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // minutes of killed servers and cut networks: `npm run test:fault`
    exclude: process.env.OPTGATE_FAULT === undefined ? ['**/node_modules/**', 'test/fault/**'] : ['**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Faults on real lines are found by deadlines; on a busy machine one may strike that was not meant. Shown as retried.
    retry: process.env.CI === undefined ? 0 : 2,
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
  },
});
