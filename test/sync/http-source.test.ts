/**
 * Following a relay over HTTP.
 * @module
 */
import { describe } from 'vitest';
import { openHttpSubject } from './http-stand.js';
import { sourceContract } from './source-contract.js';

describe('an HTTP relay as a source', () => {
  // small enough to be trimmed, and with snapshots often enough for that
  sourceContract('http', () => openHttpSubject({ feed: { ringBytesMax: 32_768, snapshotEveryMs: 300 } }));
});
