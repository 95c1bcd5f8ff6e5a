/**
 * Following a set on NATS.
 * @module
 */
import { NATS_URL, withService } from '../services.js';
import { openNatsSubject } from './nats-stand.js';
import { sourceContract } from './source-contract.js';

const describe = await withService('NATS', NATS_URL);

describe('a set on NATS as a source', () => {
  sourceContract('nats', () => openNatsSubject({ publisher: { snapshotEveryMs: 300, takeoverMs: 200 } }));
});
