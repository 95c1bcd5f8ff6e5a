import { defineConfig } from 'vitest/config';

/** Where a machine-readable report goes besides the terminal; set by `.ci/run`. */
const reportFile = process.env.OPTGATE_TEST_REPORT;

/** Minutes of killed servers and processes, cut networks and deadlines that strike: `npm run test:fault`. */
const FAULT_FILES = ['test/fault/**', 'test/sync/nats-faults.test.ts', 'test/sync/http-faults.test.ts'];

/** Minutes of ledgers, DuckDB and killed processes around exports: `npm run test:exports`. */
const EXPORT_FILES = [
  'test/exports/parquet/**',
  'test/exports/kills.test.ts',
  'test/exports/run.test.ts',
  'test/cli/export.test.ts',
  'test/cli/export-files.test.ts',
  'test/cli/lineage.test.ts',
  'test/ledger/exports.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      '**/node_modules/**',
      ...(process.env.OPTGATE_FAULT === undefined ? FAULT_FILES : []),
      ...(process.env.OPTGATE_EXPORTS === undefined ? EXPORT_FILES : []),
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
