/**
 * What an input made the code do that no input did before: the blocks of code it ran (V8's own coverage), and the places of
 * the table it put which kinds of values at, since in code driven by a table the blocks alone say little.
 * @module
 */
import { type Profiler, Session } from 'node:inspector';
import { KIND, KIND_MASK, MARKS, NEXT, NODE, ROW, tape } from '../../src/core/openrtb/tape.js';

/** Code that is watched. */
const WATCHED = /\/src\/core\/(openrtb|identity)\//;
const MARK_COUNT = 17;

const session = new Session();

/** Starts to count blocks; slows everything. */
export function startCoverage(): void {
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
}

/** The blocks that ran since this was asked last. */
export function takeBlocks(): Set<string> {
  let scripts: Profiler.ScriptCoverage[] = [];
  // a session of this thread answers before `post` returns
  session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
    scripts = result;
  });
  const blocks = new Set<string>();
  for (const { url, functions } of scripts) {
    if (!WATCHED.test(url)) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        if (count > 0) blocks.add(`${url.slice(url.lastIndexOf('/'))}:${startOffset}:${endOffset}`);
      }
    }
  }
  return blocks;
}

/** Of the request that was scanned last: place and kind of each value; also each of its marks if `withMarks`. */
export function placesOnTape(withMarks: boolean): Set<number> {
  const places = new Set<number>();
  const end = tape[NEXT] ?? 0;
  for (let row = 0; row < end; row++) {
    const kind = tape[row * ROW + KIND] ?? 0;
    const place = ((tape[row * ROW + NODE] ?? 0) * (KIND_MASK + 1) + (kind & KIND_MASK)) * (MARK_COUNT + 1);
    places.add(place);
    if (!withMarks) continue;
    for (let mark = 0; mark < MARK_COUNT; mark++) if ((kind & MARKS & (1 << mark)) !== 0) places.add(place + mark + 1);
  }
  return places;
}
