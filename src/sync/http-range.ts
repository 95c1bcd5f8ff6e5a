/**
 * Serves a file that does not change, in whole or from some byte on (RFC 9110, sections 13 and 14).
 *
 * A range is honoured only for the very file it was asked of, by its strong entity tag; otherwise the whole file is sent.
 * @module
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendProblem } from './http-problem.js';

const READ_BYTES = 256 * 1024;

export interface FileAnswer {
  readonly path: string;
  /** Strong, with its quotes. */
  readonly entityTag: string;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Longest time in which a client takes nothing, after which it is let go of. */
  readonly stallMs: number;
}

/** Answers a GET or HEAD. Throws what opening the file throws, before anything was answered. */
export async function sendFile(request: IncomingMessage, response: ServerResponse, answer: FileAnswer): Promise<void> {
  const { entityTag } = answer;
  const headers = {
    ...answer.headers,
    etag: entityTag,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    'content-type': 'application/octet-stream',
  };
  if (matches(request.headers['if-none-match'], entityTag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const file = await open(answer.path, 'r');
  try {
    const { size } = await file.stat();
    const range = rangeOf(request, entityTag, size);
    if (range === 'unsatisfiable') {
      sendProblem(response, 'http.range', { headers: { 'content-range': `bytes */${size}` } });
      return;
    }
    const { from, to } = range ?? { from: 0, to: size };
    response.writeHead(range === null ? 200 : 206, {
      ...headers,
      'content-length': to - from,
      ...(range === null ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` }),
    });
    if (request.method === 'HEAD') response.end();
    else await pour(file, response, from, to, answer.stallMs);
  } finally {
    await file.close();
  }
}

/** Ends when everything is handed over, or when the client has gone. */
async function pour(
  file: FileHandle,
  response: ServerResponse,
  from: number,
  to: number,
  stallMs: number,
): Promise<void> {
  for (let at = from; at < to && !response.destroyed; ) {
    const { buffer, bytesRead } = await file.read(
      Buffer.allocUnsafeSlow(Math.min(READ_BYTES, to - at)),
      0,
      undefined,
      at,
    );
    if (bytesRead === 0) {
      response.destroy(); // shorter than it was: what is missing must not look like an end
      return;
    }
    at += bytesRead;
    await send(response, buffer.subarray(0, bytesRead), stallMs);
  }
  if (!response.destroyed) response.end();
}

/** Writes, and waits while the client is behind; one that takes nothing for `stallMs` is let go of. */
export function send(response: ServerResponse, bytes: Uint8Array, stallMs: number): Promise<void> {
  if (response.destroyed || response.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), stallMs);
    const end = () => {
      clearTimeout(timer);
      response.off('drain', end).off('close', end);
      resolve();
    };
    response.once('drain', end).once('close', end);
  });
}

/** Whether the tag is in a list of entity tags; compared weakly, as If-None-Match is. */
function matches(list: string | undefined, entityTag: string): boolean {
  if (list === undefined) return false;
  if (list.trim() === '*') return true;
  return list.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag);
}

/** One range of bytes, `to` not in it; `null`: there is none that counts, so everything is sent. */
function rangeOf(
  request: IncomingMessage,
  entityTag: string,
  fileBytes: number,
): { readonly from: number; readonly to: number } | 'unsatisfiable' | null {
  const ifRange = request.headers['if-range'];
  if (request.method !== 'GET' || (ifRange !== undefined && ifRange !== entityTag)) return null;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(request.headers.range ?? '');
  if (match === null) return null; // several ranges, or no range at all: may be ignored
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return null;
    const suffixBytes = Math.min(Number(last), fileBytes);
    return suffixBytes === 0 ? 'unsatisfiable' : { from: fileBytes - suffixBytes, to: fileBytes };
  }
  const from = Number(first);
  const to = last === '' ? fileBytes : Math.min(Number(last) + 1, fileBytes);
  if (last !== '' && Number(last) < from) return null; // no legal range
  return from >= fileBytes ? 'unsatisfiable' : { from, to };
}
