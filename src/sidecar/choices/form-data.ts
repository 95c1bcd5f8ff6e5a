/**
 * What a form sends, as far as it is ours: a few named fields, within bounds.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { checkMediaType, readBytes } from '../control-plane/body.js';
import { DISCARD_BYTES_MAX, type PagesLimits } from './limits.js';

/** The fields of a form that was sent; of one that is there twice, the first. */
export interface FormData {
  text(name: string): string;
  all(name: string): readonly string[];
}

/** Throws a ProblemError. */
export async function readForm(request: IncomingMessage, { bodyBytesMax, bodyMs }: PagesLimits): Promise<FormData> {
  checkMediaType(request, ['application/x-www-form-urlencoded']);
  const limits = {
    jsonBytesMax: bodyBytesMax,
    discardBytesMax: DISCARD_BYTES_MAX,
    jsonBodyMs: bodyMs,
    stallMs: bodyMs,
  };
  const fields = new URLSearchParams((await readBytes(request, limits)).toString('utf8'));
  return { text: (name) => fields.get(name) ?? '', all: (name) => fields.getAll(name) };
}
