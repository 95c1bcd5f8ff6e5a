/**
 * Writes what a server says: answers, errors, and the end of a connection.
 * @module
 */
import type { Decision } from '../../core/policy/decision.js';
import {
  CONNECTION_ERRORS,
  type ConnectionErrorCode,
  REQUEST_ERRORS,
  type RequestErrorCode,
} from '../../wire/errors.js';
import { MsgpackWriter } from '../../wire/msgpack-writer.js';
import { FRAME_KIND } from '../../wire/protocol.js';
import { DECISION_MEMBER_COUNT, decisionBytes } from './decision-bytes.js';

/** HOT. A frame that answers request `id`; returns what `endFrame` needs. */
export function beginAnswer(out: MsgpackWriter, id: number): number {
  return begin(out, FRAME_KIND.answer, id);
}

export function writeError(out: MsgpackWriter, id: number, code: RequestErrorCode, field?: string): void {
  const frame = begin(out, FRAME_KIND.error, id);
  writeFault(out, code, REQUEST_ERRORS[code], field);
  out.endFrame(frame);
}

/** The error that stands in the place of one item's answer. */
export function writeItemError(out: MsgpackWriter, code: RequestErrorCode, field?: string): void {
  out.mapHeader(1);
  out.text('error');
  writeFault(out, code, REQUEST_ERRORS[code], field);
}

/** The last frame of a connection. */
export function fatalFrame(code: ConnectionErrorCode): Buffer {
  const out = new MsgpackWriter(256);
  const frame = begin(out, FRAME_KIND.fatal, null);
  writeFault(out, code, CONNECTION_ERRORS[code]);
  out.endFrame(frame);
  return out.take();
}

export function goodbyeFrame(): Buffer {
  const out = new MsgpackWriter(64);
  const frame = begin(out, FRAME_KIND.goodbye, null);
  out.nil();
  out.endFrame(frame);
  return out.take();
}

/**
 * HOT. A decision, its fields named as in its JSON form.
 * @param more Members that the caller writes behind those of the decision.
 */
export function writeDecision(out: MsgpackWriter, decision: Decision, explain: boolean, more = 0): void {
  out.mapHeader(DECISION_MEMBER_COUNT + 1 + (explain ? 1 : 0) + more);
  out.raw(decisionBytes(decision));
  out.text('seq');
  if (decision.seq === null) out.nil();
  else out.wholeNumber(decision.seq);
  if (!explain) return;
  out.text('explain');
  out.value(decision.explain());
}

function begin(out: MsgpackWriter, kind: number, id: number | null): number {
  const frame = out.beginFrame();
  out.arrayHeader(3);
  out.wholeNumber(kind);
  if (id === null) out.nil();
  else out.wholeNumber(id);
  return frame;
}

function writeFault(out: MsgpackWriter, code: string, message: string, field?: string): void {
  out.mapHeader(field === undefined ? 2 : 3);
  out.text('code');
  out.text(code);
  out.text('message');
  out.text(message);
  if (field === undefined) return;
  out.text('field');
  out.text(field);
}
