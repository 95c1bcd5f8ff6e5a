/**
 * One task in a worker thread of its own: started, answered, ended. For work that would stop the event loop: reading,
 * checking, building and writing tables.
 *
 * A verifier holds keys and cannot be posted, so the worker asks for each verification and sleeps until it is answered.
 * @module
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { GateError, type GateErrorCode } from '../core/errors.js';
import type { Verifier } from '../core/suppression/index.js';

export interface TaskOptions {
  /** Ends the worker and rejects with `sync.closed`. */
  readonly signal?: AbortSignal | undefined;
  readonly verifier?: Verifier | undefined;
  /** What it is called when the thread itself fails. */
  readonly failureCode: GateErrorCode;
}

/** What a verification can come to, as numbers that threads can hand over. */
const VERDICTS = ['pending', 'ok', 'signature.unknown_key', 'signature.wrong'] as const;

type FromWorker =
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'failed';
      readonly code: GateErrorCode;
      readonly detail: string | undefined;
      readonly cause: unknown;
    }
  | {
      readonly kind: 'verify';
      readonly keyId: Uint8Array;
      readonly digest: Uint8Array;
      readonly signature: Uint8Array;
    };

interface WorkerSetup {
  readonly task: unknown;
  /** One word: the verdict that the worker waits for. */
  readonly verdict: Int32Array;
  readonly isVerifying: boolean;
}

/** Runs `task` in a new thread that was started from `url`. Throws the GateError that the task threw. */
export function runTask<Result>(url: URL, task: unknown, options: TaskOptions): Promise<Result> {
  const { signal, verifier, failureCode } = options;
  if (signal?.aborted === true) return Promise.reject(new GateError('sync.closed'));
  const verdict = new Int32Array(new SharedArrayBuffer(4));
  const setup: WorkerSetup = { task, verdict, isVerifying: verifier !== undefined };
  return new Promise<Result>((resolve, reject) => {
    const worker = new Worker(url, { workerData: setup, execArgv: [] });
    const end = (settle: () => void): void => {
      signal?.removeEventListener('abort', onAbort);
      settle();
      void worker.terminate();
    };
    const fail = (cause: unknown): void => end(() => reject(asTaskError(cause, failureCode)));
    const onAbort = (): void => end(() => reject(new GateError('sync.closed')));
    signal?.addEventListener('abort', onAbort, { once: true });
    worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'done':
          return end(() => resolve(message.result as Result));
        case 'failed':
          return end(() => reject(new GateError(message.code, message.detail, causeOf(message.cause))));
        case 'verify':
          Atomics.store(verdict, 0, VERDICTS.indexOf(verdictOn(message, verifier)));
          Atomics.notify(verdict, 0);
          return;
        default:
          return message satisfies never;
      }
    });
    worker.once('error', fail);
    worker.once('exit', (exitCode) => fail(new Error(`the thread ended with code ${exitCode}`)));
  });
}

/** The worker's side: does the one task it was started for. `work` throws GateErrors; anything else is a defect. */
export function serveTask<Task>(work: (task: Task, verifier: Verifier | undefined) => Promise<unknown>): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  const { task, verdict, isVerifying } = workerData as WorkerSetup;
  const verifier = isVerifying ? askingVerifier((message) => port.postMessage(message), verdict) : undefined;
  work(task as Task, verifier).then(
    (result) => port.postMessage({ kind: 'done', result } satisfies FromWorker),
    (error: unknown) => port.postMessage(failureOf(error)),
  );
}

function askingVerifier(post: (message: FromWorker) => void, verdict: Int32Array): Verifier {
  return {
    verify(keyId, digest, signature) {
      Atomics.store(verdict, 0, 0);
      post({ kind: 'verify', keyId, digest, signature });
      Atomics.wait(verdict, 0, 0);
      const code = VERDICTS[Atomics.load(verdict, 0)] ?? 'signature.wrong';
      if (code === 'signature.unknown_key' || code === 'signature.wrong') throw new GateError(code);
    },
  };
}

function verdictOn(
  { keyId, digest, signature }: Extract<FromWorker, { kind: 'verify' }>,
  verifier: Verifier | undefined,
): (typeof VERDICTS)[number] {
  try {
    if (verifier === undefined) return 'signature.unknown_key';
    verifier.verify(keyId, digest, signature);
    return 'ok';
  } catch (error) {
    return error instanceof GateError && error.code === 'signature.unknown_key' ? error.code : 'signature.wrong';
  }
}

function failureOf(error: unknown): FromWorker {
  if (!(error instanceof GateError)) throw error;
  const { code, detail, cause } = error;
  return { kind: 'failed', code, detail, cause: cause instanceof Error ? cause : undefined };
}

function causeOf(cause: unknown): ErrorOptions {
  return cause === undefined ? {} : { cause };
}

function asTaskError(cause: unknown, failureCode: GateErrorCode): GateError {
  const isMemory = (cause as { readonly code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return new GateError(isMemory ? 'table.memory' : failureCode, undefined, { cause });
}
