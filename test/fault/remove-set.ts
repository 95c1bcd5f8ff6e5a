/**
 * Removes what a test has put onto a NATS server that it shares with others.
 * @module
 */
import { connect } from '@nats-io/transport-node';
import { natsNames } from '../../src/sync/nats-names.js';
import { NATS_URL } from '../services.js';
import { removeSet } from '../sync/nats-stand.js';

export async function removeFromServer(set: string): Promise<void> {
  const connection = await connect({ servers: new URL(NATS_URL).host });
  await removeSet(connection, natsNames(set));
  await connection.close();
}
