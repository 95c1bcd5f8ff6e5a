/**
 * The watch on the server's clock: what was there when it was put back is as old as it was, and ages on.
 * @module
 */
import { expect, test } from 'vitest';
import { StepClock } from '../../src/ledger/step-clock.js';

/** A server's clock, and the sequencer's own; each step takes 2 ms. */
function watched() {
  let ownMs = 1_000;
  let serverMs = 1_750_000_000_000;
  const clock = new StepClock(() => ownMs);
  const pass = (ms: number, serverPassedMs = ms) => {
    ownMs += ms;
    serverMs += serverPassedMs;
  };
  const step = (nextXid: number, { waitingMs = 0, isHeld = false, isBehindHead = false } = {}) => {
    const askedMs = ownMs;
    pass(1);
    const asked = { serverMs, isBehindHead, nextXid: String(nextXid) };
    pass(1);
    const held = clock.look(asked, askedMs);
    clock.done({ waitingMs, isHeld });
    return held;
  };
  return { step, pass };
}

test('clocks that go alike, one that jumps ahead, and a thread that stood still: nothing is held', () => {
  const { step, pass } = watched();
  expect(step(5, { waitingMs: 400 })).toBeNull();
  pass(1_000);
  expect(step(6)).toBeNull();
  pass(1_000, 3_600_000);
  expect(step(7)).toBeNull();
  pass(60_000);
  expect(step(8)).toBeNull();
  pass(1_000, 990); // put right bit by bit
  expect(step(9)).toBeNull();
});

test('put back: rows from before are as old as the oldest was then, until they are gone', () => {
  const { step, pass } = watched();
  step(5, { waitingMs: 400 });
  pass(1_000, -3_600_000);
  expect(step(8, { waitingMs: 1_402, isHeld: true })).toEqual({ belowXid: '8', waitedMs: 1_402 });
  pass(500);
  expect(step(9, { isHeld: true })).toMatchObject({ belowXid: '8', waitedMs: 1_904 });
  pass(500, -3_600_000); // a second time: those that came in between are held with them
  expect(step(12, { isHeld: true })).toMatchObject({ belowXid: '12', waitedMs: 2_406 });
  pass(500);
  expect(step(13, { isHeld: false })).toMatchObject({ belowXid: '12' });
  expect(step(14)).toBeNull();
});

test('put back before the first step: the head says so, and its rows age from then on', () => {
  const { step, pass } = watched();
  expect(step(5, { isBehindHead: true, isHeld: true })).toMatchObject({ belowXid: '5', waitedMs: 2 });
  pass(300);
  expect(step(6, { isHeld: true })).toMatchObject({ belowXid: '5', waitedMs: 304 });
});
