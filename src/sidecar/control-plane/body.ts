/**
 * Bodies, read with an end in sight: at most so many bytes, in at most so much time.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { hasRepeatedKeys } from '../../core/openrtb/repeated-keys.js';
import { ProblemError } from './problems.js';

export interface BodyLimits {
  readonly jsonBytesMax: number;
  /** What is read of a body that is too large, and thrown away, so that its sender gets to read the answer. */
  readonly discardBytesMax: number;
  /** Longest time for the whole of a JSON body. */
  readonly jsonBodyMs: number;
  /** Longest time without a byte of a body that may take long. */
  readonly stallMs: number;
}

/** The media type of a body, if it is one of `types`, in UTF-8 and not compressed. Throws a ProblemError. */
export function checkMediaType<T extends string>({ headers }: IncomingMessage, types: readonly T[]): T {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';').map((part) => part.trim());
  const known = types.find((candidate) => candidate === type.toLowerCase());
  const isUtf8 = parameters.every((parameter) => /^(?:$|charset="?utf-8"?$)/i.test(parameter));
  const encoding = headers['content-encoding'] ?? 'identity';
  if (known !== undefined && isUtf8 && encoding.toLowerCase() === 'identity') return known;
  throw new ProblemError('http.media_type', { detail: `expected ${types.join(' or ')} in UTF-8, not compressed` });
}

/** The value of a JSON body. Throws a ProblemError, which quotes nothing of it. */
export async function readJson(request: IncomingMessage, limits: BodyLimits): Promise<unknown> {
  checkMediaType(request, ['application/json']);
  const bytes = await readBytes(request, limits);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ProblemError('json.not_utf8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProblemError('json.invalid');
  }
  if (hasRepeatedKeys(text, value)) throw new ProblemError('json.duplicate_key');
  return value;
}

/** All bytes of a body. Throws a ProblemError. */
export function readBytes(request: IncomingMessage, limits: BodyLimits): Promise<Buffer> {
  const { jsonBytesMax, discardBytesMax, jsonBodyMs } = limits;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (fault: ProblemError | null) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      request.on('error', () => {}); // what comes after the answer concerns nobody
      if (fault === null) resolve(Buffer.concat(chunks));
      else reject(fault);
    };
    const tooLarge = () => new ProblemError('http.too_large', { detail: `expected at most ${jsonBytesMax} bytes` });
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= jsonBytesMax) chunks.push(chunk);
      else chunks.length = 0;
      if (bytes > jsonBytesMax + discardBytesMax) end(tooLarge());
    };
    const onEnd = () => end(bytes > jsonBytesMax ? tooLarge() : null);
    const onClose = () => end(cutOff());
    const timer = setTimeout(() => end(new ProblemError('http.timeout')), jsonBodyMs);
    if (Number(request.headers['content-length'] ?? 0) > jsonBytesMax + discardBytesMax) end(tooLarge());
    else request.on('data', onData).once('end', onEnd).once('close', onClose).once('error', onClose);
  });
}

/**
 * The chunks of a body that may be long. Throws a ProblemError where it stands still, is cut off or is too large, and the
 * reason of `signal`.
 */
export async function* readChunks(
  request: IncomingMessage,
  bytesMax: number,
  { stallMs }: BodyLimits,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await inTime(chunks.next(), stallMs, signal);
      if (done === true) return;
      bytes += value.length;
      if (bytes > bytesMax) throw new ProblemError('http.too_large', { detail: `expected at most ${bytesMax} bytes` });
      yield value;
    }
  } finally {
    request.on('error', () => {});
  }
}

/** Only while a chunk is waited for does time count: whoever takes the rows may be slow. */
async function inTime<T>(next: Promise<T>, stallMs: number, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProblemError('http.timeout')), stallMs);
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([next, late]);
  } catch (error) {
    next.catch(() => {});
    throw error instanceof ProblemError || signal.aborted ? error : cutOff();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function cutOff(): ProblemError {
  return new ProblemError('http.bad_request', { detail: 'the body was cut off' });
}
