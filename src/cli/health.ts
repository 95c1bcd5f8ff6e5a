/**
 * `optgate health`: asks a running sidecar whether it lives, or is ready; for health checks of containers and scripts.
 * @module
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { type Command, CommandError, EXIT, parseOptions, UsageError } from './command.js';
import { durationMs } from './time.js';

const DEFAULT_URL = 'http://127.0.0.1:8788';
const TIMEOUT_MS = 2_000;
/** The answer is a line; a server that says more is not the one that was meant. */
const ANSWER_BYTES_MAX = 65_536;

export const health: Command = {
  help: `Usage: optgate health [--ready] [--url URL | --socket PATH] [options]

Asks a running sidecar whether it lives (/healthz) or, with --ready, whether requests should be sent to it (/readyz), and
prints one line. It never starts anything.

Options:
  --url URL             where the sidecar serves its probes, http:// (default: ${DEFAULT_URL})
  --socket PATH         the same, on a Unix socket
  --ready               ready, not only alive: a table has been put into use, and the process is not about to end
  --max-staleness TIME  with --ready: also that the table is known to be complete to within this, such as 30s
  --timeout TIME        how long to wait for the answer (default: ${TIMEOUT_MS / 1_000}s)

Examples:
  optgate health
  optgate health --ready --max-staleness 30s || echo "stale, or not there yet"

Exit codes: 0 alive or ready, 1 it answered that it is not, 2 wrong usage, 3 there is no answer.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      url: { type: 'string' },
      socket: { type: 'string' },
      ready: { type: 'boolean' },
      'max-staleness': { type: 'string' },
      timeout: { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError('expected options alone');
    if (values.url !== undefined && values.socket !== undefined)
      throw new UsageError('--url and --socket: expected one');
    const isReady = values.ready === true;
    const maxStaleness = values['max-staleness'];
    if (maxStaleness !== undefined && !isReady) throw new UsageError('--max-staleness goes with --ready');
    durationMs('max-staleness', maxStaleness, 0);
    const timeoutMs = durationMs('timeout', values.timeout, TIMEOUT_MS);
    if (timeoutMs === 0) throw new UsageError('--timeout: expected more than 0');
    const query = maxStaleness === undefined ? '' : `?max_staleness=${maxStaleness}`;
    const path = isReady ? `/readyz${query}` : '/healthz';
    const place = values.socket === undefined ? placeOf(values.url ?? DEFAULT_URL) : { socketPath: values.socket };
    const { status, body } = await ask({ ...place, path }, timeoutMs);
    const isWell = status === 200;
    io.stdout.write(`${isWell ? (isReady ? 'ready' : 'alive') : refusalText(status, body)}\n`);
    return isWell ? EXIT.ok : EXIT.someRefused;
  },
};

function placeOf(text: string): RequestOptions {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 'http:' || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new UsageError('--url: expected http://host:port');
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : url.port };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The whole answer within the time, or a CommandError. */
function ask(options: RequestOptions, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const failed = (error: Error) => {
      const why = deadline.aborted
        ? `no answer within ${timeoutMs} ms`
        : ((error as NodeJS.ErrnoException).code ?? 'broke off');
      reject(new CommandError(`the sidecar cannot be reached: ${why}`, { cause: error }));
    };
    httpRequest({ ...options, agent: false, signal: deadline, headers: { connection: 'close' } }, (response) => {
      readBody(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), failed);
    })
      .on('error', failed)
      .end();
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += (part as Buffer).length;
    if (bytes > ANSWER_BYTES_MAX) throw Object.assign(new Error('too long'), { code: 'more than an answer' });
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

/** What a problem says; of anything else the status alone, as it may be anybody's. */
function refusalText(status: number, body: string): string {
  try {
    const { code, detail } = JSON.parse(body) as { readonly code?: unknown; readonly detail?: unknown };
    if (typeof code === 'string' && typeof detail === 'string' && /^[\x20-\x7e]{1,300}$/.test(code + detail)) {
      return `not ready: ${code}: ${detail}`;
    }
  } catch {
    // not a problem of ours
  }
  return `not well: status ${status}`;
}
