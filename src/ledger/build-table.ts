/**
 * Builds the table of a ledger as of its settled seq, from the rows of its keys.
 *
 * The rows are newer than that: they hold whatever is committed. What entries that are not settled did is undone, exactly:
 * the entries that name a key form a chain, the log is cut only where no chain is parted (order.ts), so those not settled
 * are the end of each chain, and the first of them says what the key had before. Everything is read in one view of the
 * database; the result must have the count and the digest that the head has for that seq.
 * @module
 */
import { GateError } from '../core/errors.js';
import { TableCopy } from '../core/suppression/copy.js';
import {
  CHANGE_BYTES,
  changeHigh,
  changeLow,
  changeRights,
  changeRightsBefore,
  changesView,
  changeVersion,
  SuppressionTable,
} from '../core/suppression/index.js';
import type { LoadedTable } from '../sync/source.js';
import type { Session } from './database.js';

/** Blocks of 8 KiB that one statement reads: about 200,000 rows. */
const SLICE_BLOCKS = 2048;
/** Entries of the log that one statement reads: at most 20 MiB. */
const UNSETTLED_PAGE_ENTRIES = 256;
const KEY_BYTES = 8;
const RIGHTS_BYTES = 2;
/** How much larger a table is made if an entry found no room. */
const ROOM_FACTOR = 1.1;
/** Keys that may have come since the head was counted, and room for few. */
const ROOM_KEYS = 1024;

interface BuildHead {
  readonly epoch: string;
  readonly seed: string;
  readonly settled_seq: string;
  readonly digest_high: string;
  readonly digest_low: string;
  readonly entry_count: string;
  readonly kind_mask: number;
  readonly given_kind_mask: number;
  /** Age of what is not in the table. */
  readonly lag_ms: number;
  readonly blocks: string;
}

const HEAD = `
select epoch, seed, settled_seq, digest_high, digest_low, entry_count, kind_mask, given_kind_mask,
  extract(epoch from clock_timestamp() - least(fresh_at,
    (select min(at) from optgate.change_log where seq > settled_seq)))::float8 * 1000 as lag_ms,
  pg_relation_size('optgate.suppression') / current_setting('block_size')::int8 as blocks
from optgate.head, optgate.meta`;

const SLICE = `
select string_agg(int8send(key), ''::bytea) as keys, string_agg(int2send(rights), ''::bytea) as rights
from optgate.suppression where ctid >= $1::tid and ctid < $2::tid and rights <> 0`;

export interface BuildOptions {
  /** Not 0: stop, and throw `sync.closed`. */
  readonly stop?: Int32Array;
  /** Called after every statement. */
  readonly onProgress?: () => void;
  /** Monotonic, in ms. */
  readonly now?: () => number;
}

/** The table, verified. Throws a GateError `ledger.damaged`, `table.memory`, `ledger.unavailable`, `sync.closed`. */
export async function buildTable(session: Session, options: BuildOptions = {}): Promise<LoadedTable> {
  await session.query('begin isolation level repeatable read read only');
  try {
    return await buildInView(session, options);
  } finally {
    await session.query('rollback').catch(() => {});
  }
}

async function buildInView(
  session: Session,
  { stop, onProgress = () => {}, now = () => performance.now() }: BuildOptions,
): Promise<LoadedTable> {
  const startedMs = now();
  const step = () => {
    if (stop !== undefined && Atomics.load(stop, 0) !== 0) throw new GateError('sync.closed');
    onProgress();
  };
  const [head] = await session.query<BuildHead>(HEAD);
  if (head === undefined) throw new GateError('ledger.not_migrated');
  const settledSeq = Number(head.settled_seq);
  const undone = await readUnsettled(session, settledSeq, step);
  const builder = new TableBuilder(head, undone.size);
  for (let block = 0; block < Number(head.blocks); block += SLICE_BLOCKS) {
    const [slice] = await session.query<{ keys: Uint8Array | null; rights: Uint8Array | null }>(SLICE, [
      `(${block},0)`,
      `(${block + SLICE_BLOCKS},0)`,
    ]);
    step();
    if (slice?.keys && slice.rights) builder.add(slice.keys, slice.rights, undone);
  }
  builder.addUndone(undone);
  const table = builder.finish(head);
  table.publish(settledSeq, null);
  return {
    share: table.share(),
    position: { epoch: head.epoch, seq: settledSeq },
    lagMs: Math.max(0, Math.ceil(head.lag_ms + now() - startedMs)),
    path: null,
  };
}

/** Rights at the settled seq of every key that an unsettled entry names, by {@link keyNumber}. */
type Undone = Map<bigint, UndoneKey>;

interface UndoneKey {
  version: number;
  rights: number;
}

async function readUnsettled(session: Session, settledSeq: number, step: () => void): Promise<Undone> {
  const undone: Undone = new Map();
  for (let after = settledSeq; ; ) {
    const rows = await session.query<{ seq: string; changes: Uint8Array }>(
      'select seq, changes from optgate.change_log where seq > $1::int8 order by seq limit $2::int8',
      [after, UNSETTLED_PAGE_ENTRIES],
    );
    step();
    for (const { changes } of rows) undo(undone, changes);
    after = Number(rows.at(-1)?.seq ?? after);
    if (rows.length < UNSETTLED_PAGE_ENTRIES) break;
  }
  for (let after: { xid: string; id: string } = { xid: '0', id: '0' }; ; ) {
    const rows = await session.query<{ xid: string; id: string; changes: Uint8Array }>(
      `select xid::text, id, changes from optgate.change_log
       where seq is null and (xid, id) > ($1::text::xid8, $2::int8) order by xid, id limit $3::int8`,
      [after.xid, after.id, UNSETTLED_PAGE_ENTRIES],
    );
    step();
    for (const { changes } of rows) undo(undone, changes);
    after = rows.at(-1) ?? after;
    if (rows.length < UNSETTLED_PAGE_ENTRIES) break;
  }
  return undone;
}

/**
 * Keeps, of every key, what the earliest of its records says was before it: the one with the lowest version, and of
 * those the one that made this version. (A record that only names a key has the same rights before and after.)
 */
function undo(undone: Undone, changes: Uint8Array): void {
  const view = changesView(changes);
  for (let at = 0; at < changes.length; at += CHANGE_BYTES) {
    const key = keyNumber(changeHigh(view, at), changeLow(view, at));
    const version = changeVersion(view, at);
    const rights = changeRightsBefore(view, at);
    const isMaker = rights !== changeRights(view, at);
    const known = undone.get(key);
    if (known === undefined) undone.set(key, { version, rights });
    else if (version < known.version || (version === known.version && isMaker)) {
      known.version = version;
      known.rights = rights;
    }
  }
}

function keyNumber(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

class TableBuilder {
  private table: SuppressionTable;
  private readonly seed: bigint;

  constructor(
    private readonly head: BuildHead,
    undoneCount: number,
  ) {
    this.seed = BigInt.asUintN(64, BigInt(head.seed));
    this.table = this.empty(Number(head.entry_count) + undoneCount + ROOM_KEYS);
  }

  /** HOT. Enters rows: keys of 8 bytes and rights of 2, big-endian, as the database sends them. */
  add(keys: Uint8Array, rights: Uint8Array, undone: Undone): void {
    const keyView = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
    const rightsView = new DataView(rights.buffer, rights.byteOffset, rights.byteLength);
    const count = keys.length / KEY_BYTES;
    const hasUndone = undone.size > 0;
    for (let index = 0; index < count; index++) {
      const high = keyView.getInt32(index * KEY_BYTES);
      const low = keyView.getInt32(index * KEY_BYTES + 4);
      if (hasUndone && undone.has(keyNumber(high, low))) continue;
      this.set(high, low, rightsView.getInt16(index * RIGHTS_BYTES));
    }
  }

  addUndone(undone: Undone): void {
    for (const [key, { rights }] of undone) {
      if (rights !== 0) this.set(Number(BigInt.asIntN(32, key >> 32n)), Number(BigInt.asIntN(32, key)), rights);
    }
  }

  /** The table, if it holds what the head says. */
  finish(head: BuildHead): SuppressionTable {
    const { table } = this;
    const hex = (half: string) => Number(half).toString(16).padStart(8, '0');
    if (table.entryCount !== Number(head.entry_count)) throw damaged('entries', head);
    if (table.stateDigest !== hex(head.digest_high) + hex(head.digest_low)) throw damaged('digest', head);
    return table;
  }

  private set(high: number, low: number, rights: number): void {
    while (this.table.setMixed(high, low, rights, 0, 0) === 'full') this.grow();
  }

  private empty(capacity: number): SuppressionTable {
    const table = SuppressionTable.create({ capacity, seed: this.seed, epoch: this.head.epoch });
    table.addKinds(this.head.kind_mask, this.head.given_kind_mask);
    return table;
  }

  /** Improbable luck: one key found no room. */
  private grow(): void {
    const source = this.table;
    for (let bucketCount = source.bucketCount; ; ) {
      bucketCount = Math.ceil(bucketCount * ROOM_FACTOR);
      const copy = new TableCopy(source, bucketCount);
      if (copy.step(Number.MAX_SAFE_INTEGER) !== 'complete') continue;
      this.table = copy.target;
      return;
    }
  }
}

function damaged(what: string, { settled_seq }: BuildHead): GateError {
  return new GateError('ledger.damaged', `${what} at seq ${settled_seq}`);
}
