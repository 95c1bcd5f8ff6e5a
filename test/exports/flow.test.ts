/**
 * The way of blocks through one thread or several: the same leaves, or the same refusal, however the file is cut; and
 * whoever stops early leaves nothing behind.
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { enterIdentifier } from '../../src/core/opt-out.js';
import { TableHolder } from '../../src/core/suppression/index.js';
import { type FilterOptions, filterRows, parseMapping } from '../../src/exports/index.js';
import { filter, optedOutTable, pieces, termsOf } from './people.js';
import { heldBack, threadsReady } from './ready-threads.js';

const RUNS = Number(process.env.OPTGATE_CASES ?? 1);
const OUT = 'digest@example.org';
const csv = {
  table: optedOutTable(),
  terms: termsOf(),
  format: 'csv',
  mapping: parseMapping('email=mail'),
} satisfies FilterOptions;

/** What comes of a file, refused or not. */
async function outcomeOf(file: Buffer, options: FilterOptions): Promise<unknown> {
  try {
    const { output, done } = filterRows(pieces(file, [97]), options);
    let text = '';
    for await (const piece of output) text += Buffer.from(piece).toString('latin1'); // at once: it may be lent
    return { output: text, counts: await done };
  } catch (error) {
    const { code, line } = error as { code: string; line: number };
    // where it is cut decides what is seen first of a row that is too long and has a stray quote
    const isEither = options.rowBytesMax !== undefined && options.rowBytesMax < 100 && code.startsWith('row.');
    return { code: isEither ? 'row' : code, line };
  }
}

describe('a file that may be damaged', () => {
  const cell = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(OUT, 'ok@x.com', '', 'x', '"q"', '"a\nb"', '"a""\nb"', `"${OUT}"`) },
    { weight: 1, arbitrary: fc.constantFrom('"', 'q"w', '"a"b', 'a,b') },
  );
  const end = fc.constantFrom('\n', '\n', '\r\n', '\r');
  const row = fc.tuple(cell, cell, end).map(([mail, note, lineEnd]) => `${mail},${note}${lineEnd}`);
  const settings = fc.record({
    blockBytes: fc.integer({ min: 1, max: 60 }),
    rowBytesMax: fc.constantFrom(40, 1000),
    onUnidentifiable: fc.constantFrom('keep' as const, 'drop' as const),
    isOutputLent: fc.boolean(),
    mode: fc.constantFrom('drop' as const, 'blank' as const),
    quote: fc.constantFrom('double' as const, 'double' as const, 'none' as const),
  });

  test('comes to the same in one block, in many, and begun with before its turn', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 30 }), settings, async (rows, some) => {
        const file = Buffer.from(`mail,note\n${rows.join('')}`);
        const options = { ...csv, ...some };
        const whole = await outcomeOf(file, { ...options, blockBytes: 1_000_000 });
        expect(await outcomeOf(file, options)).toEqual(whole);
        expect(await outcomeOf(file, { ...options, threads: 2 })).toEqual(whole);
      }),
      { numRuns: 300 * RUNS },
    );
  });

  test.each([1, 2])(
    'a quoted cell that never ends, in a last block that is just full, with %i threads',
    async (threads) => {
      const body = Buffer.from(`clean@x.com,"\n${OUT},secret row\n`);
      for (const blockBytes of [body.length, body.length / 2]) {
        const found = await outcomeOf(Buffer.concat([Buffer.from('mail,note\n'), body]), {
          ...csv,
          threads,
          blockBytes,
        });
        expect(found).toEqual({ code: 'row.quote_open', line: 2 });
      }
    },
  );
});

describe('where the next pieces have been begun with when', () => {
  const rowCount = 3000;
  const file = Buffer.from(`mail,note\n${'late@x.com,note\n'.repeat(rowCount)}`);
  const optOut = { kind: 'email', value: 'late@x.com' } as const;
  const happenings = [
    ['an opt-out comes', (holder: TableHolder) => enterIdentifier(holder, optOut, 127)],
    [
      'another table comes',
      (holder: TableHolder) => {
        const other = new TableHolder({ table: optedOutTable() });
        enterIdentifier(other, optOut, 127);
        if (other.current !== null) holder.replace(other.current);
      },
    ],
  ] as const;
  const settings = [1, 2].flatMap((threads) => [false, true].map((isOutputLent) => ({ threads, isOutputLent })));

  test.each(happenings)('%s, it is honoured in what is asked for then', async (_, happens) => {
    for (const { threads, isOutputLent } of settings) {
      const holder = new TableHolder({ table: optedOutTable() });
      const options = { ...csv, table: holder, blockBytes: 160, threads, threadsBytesMin: 500, isOutputLent };
      const ready = threads === 1 ? Promise.resolve() : threadsReady(threads - 1);
      const { output, done } = filterRows(heldBack(pieces(file, [50]), 1000, ready), options);
      let count = 0;
      for await (const _piece of output) {
        if (++count < 20) continue;
        await setTimeout(5); // a slow reader
        if (count === 20) happens(holder);
      }
      expect(count).toBe(20); // the header among them
      expect(await done).toMatchObject({ rowsIn: rowCount, droppedSuppressed: rowCount - 19 * 10 });
    }
  });
});

describe('who stops early', () => {
  test.each([1000, 3000, 6000])('leaves no thread behind, whenever that is (%i bytes)', async (threadsBytesMin) => {
    const workers: { threadId: number }[] = [];
    const onWorker = (worker: { threadId: number }) => workers.push(worker);
    process.on('worker', onWorker);
    const file = Buffer.from(`mail,note\n${'ok@x.com,note\n'.repeat(1000)}`);
    for (let stopAt = 1; stopAt < 18; stopAt++) {
      const options = { ...csv, threads: 2, threadsBytesMin, blockBytes: 500 };
      const { output } = filterRows(pieces(file, [250]), options);
      let count = 0;
      for await (const _ of output) if (++count === stopAt) break;
    }
    process.off('worker', onWorker);
    expect(workers.length).toBeGreaterThan(0);
    expect(workers.every(({ threadId }) => threadId === -1)).toBe(true); // ended
  });

  test('does not wait for an input that stalls', async () => {
    async function* stalling() {
      yield Buffer.from(`mail,note\n${'ok@x.com,note\n'.repeat(100)}`);
      await new Promise(() => {});
    }
    const { output } = filterRows(stalling(), { ...csv, blockBytes: 200 });
    for await (const _ of output) break;
  });
});

test('a file with more columns of identifiers than a batch takes is filtered all the same', async () => {
  const names = Array.from({ length: 257 }, () => 'mail').join(',');
  const row = (last: string) => `${'ok@x.com,'.repeat(256)}${last}`;
  const file = Buffer.from(`${names}\n${row('ok@x.com')}\n${row(OUT)}\n`);
  const { output } = await filter(pieces(file, [1000]), csv);
  expect(output.toString()).toBe(`${names}\n${row('ok@x.com')}\n`);
});

test('a mapping of nothing is refused', () => {
  expect(() => filterRows(pieces(Buffer.from('{}\n'), [1]), { ...csv, format: 'ndjson', mapping: [] })).toThrow(
    /^mapping: /,
  );
});
