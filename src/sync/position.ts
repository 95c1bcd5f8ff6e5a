/**
 * Positions as text, `epoch.seq`: the token that a write returns, and what a follower asks a relay with.
 * @module
 */
import type { Position } from './source.js';

/** An epoch may hold dots itself, so it is the last one that counts. */
const POSITION = /^([\x21-\x7e]{1,36})\.(0|[1-9][0-9]{0,15})$/;

/** @example positionText({ epoch: 'e1', seq: 42 }) // 'e1.42' */
export function positionText({ epoch, seq }: Position): string {
  return `${epoch}.${seq}`;
}

/** The position that a text says; `null` if it says none. */
export function parsePosition(text: string): Position | null {
  const match = POSITION.exec(text);
  if (match === null) return null;
  const [, epoch = '', digits = ''] = match;
  const seq = Number(digits);
  return Number.isSafeInteger(seq) ? { epoch, seq } : null;
}
