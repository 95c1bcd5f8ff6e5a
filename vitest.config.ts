import { defineConfig } from 'vitest/config';

/** Where a machine-readable report goes besides the terminal; set by `.ci/run`. */
const reportFile = process.env.OPTGATE_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', { outputFile: reportFile }]],
  },
});
