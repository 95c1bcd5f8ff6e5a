/**
 * Webhooks that were made by the schema before ages counted: nothing is lost, and nothing of a denied opt-out is told any more.
 * @module
 */
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/ledger/database.js';
import { WEBHOOK_AGE_STATEMENTS } from '../../src/ledger/webhooks/schema.js';
import { BACKENDS } from '../ledger/both-databases.js';
import { email, useStand } from './stand.js';

const [backend] = BACKENDS;
if (backend === undefined) throw new Error('unreachable');

backend.describe(`webhooks of the schema before on ${backend.name}`, () => {
  const stand = useStand(backend);

  test('events wait, denied ones await nothing, and an import that broke off before is told of', async () => {
    await stand.add('crm', { events: ['opt_out.recorded', 'import.completed'] });
    await stand.add('force', { events: ['opt_out.in_force'] });
    const { requestId: denied } = await stand.optOut('denied-before');
    const { requestId } = await stand.optOut('waits');
    await stand.ledger.records.deny({ requestId: denied, basis: 'case 1' });
    async function* broken() {
      yield email('list-1');
      yield email('list-2');
      throw new Error('the list broke off');
    }
    await expect(stand.ledger.importOptOuts(broken(), { batchRows: 1 })).rejects.toThrow('broke off');

    const database = await openDatabase(stand.place.location);
    await database.query(`delete from optgate.webhook_event where kind = 'opt_out.denied'`);
    await database.query('update optgate.webhook_event set awaits_force = true, awaits_notices = true');
    for (const column of [
      ...['webhook drop column tried_since', 'webhook_delivery drop column refused_count'],
      'import_part drop column is_told',
    ]) {
      await database.query(`alter table optgate.${column}`);
    }
    await database.query('drop index optgate.request_open_import');
    for (const statement of WEBHOOK_AGE_STATEMENTS) await database.query(statement);
    const waiting = await database.query(
      `select request.public_id, awaits_force, awaits_notices from optgate.webhook_event as event
         join optgate.request on request.id = event.request_id where event.kind = 'opt_out.recorded' order by event.id`,
    );
    await database.close();
    expect(waiting).toEqual([
      { public_id: denied, awaits_force: false, awaits_notices: false },
      { public_id: requestId, awaits_force: true, awaits_notices: true },
    ]);
    stand.deliver({ importStalledMs: 1 });
    await stand.done('crm', 3);
    expect(stand.receiver.received.map(({ json }) => [json.event, json.identifiers.length])).toEqual([
      ['opt_out.recorded', 1],
      ['opt_out.recorded', 1],
      ['import.interrupted', 1],
    ]);
  });
});
