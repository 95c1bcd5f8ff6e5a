/**
 * Where worker code is found: beside the module that starts it, or in the build if that module is TypeScript.
 * @module
 */
import { expect, test } from 'vitest';
import { workerUrl } from '../../../src/core/suppression/worker-url.js';

test.each([
  ['file:///app/dist/sync/follower.js', './load-worker.js', 'file:///app/dist/sync/load-worker.js'],
  ['file:///app/src/sync/follower.ts', './load-worker.js', 'file:///app/dist/sync/load-worker.js'],
  ['file:///app/src/sync/follower.ts', '../ledger/build-worker.js', 'file:///app/dist/ledger/build-worker.js'],
  ['file:///src/app/src/sync/follower.ts', './load-worker.ts', 'file:///src/app/dist/sync/load-worker.js'],
  ['file:///a%20b/src/sync/follower.ts', './load-worker.js', 'file:///a%20b/dist/sync/load-worker.js'],
  ['file:///app/src/sync/follower.js', './load-worker.js', 'file:///app/src/sync/load-worker.js'],
  ['file:///app/test/starter.ts', './load-worker.js', 'file:///app/test/load-worker.js'],
])('from %s, %s', (moduleUrl, relative, expected) => {
  expect(workerUrl(relative, moduleUrl).href).toBe(expected);
});
