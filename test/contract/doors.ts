/**
 * The doors to the gate, each behind one interface: many requests with one context in, one answer each out.
 *
 * A new door is one more row in `DOORS`.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { decode, encode } from '@msgpack/msgpack';
import { connect } from '../../src/client/index.js';
import { createDataPlane, createDataServer } from '../../src/sidecar/data-plane/index.js';
import type { Desk } from '../../src/sidecar/door.js';
import { createSocketDoor } from '../../src/sidecar/socket/index.js';
import { RawClient } from '../sidecar/socket/stand.js';
import type { Answer, ContractCase, ContractContext } from './cases.js';

export interface OpenDoor {
  /** One answer each, in their order. All have the same context. */
  ask(cases: readonly ContractCase[], context: ContractContext): Promise<readonly Answer[]>;
  close(): Promise<void>;
}

export interface Door {
  readonly name: string;
  /** Why a case cannot be asked through this door; `null`: it can. */
  readonly cannotAsk: (asked: ContractCase) => string | null;
  readonly open: (desk: Desk) => Promise<OpenDoor>;
}

const CALL_DEADLINE_MS = 30_000;
/** Batches of this many: fewer than any door takes. */
const BATCH_ITEMS = 100;

const takesAll = () => null;
const takesValues = ({ value }: ContractCase) => (value === undefined ? 'it has no form in msgpack' : null);
const takesPlain = ({ context }: ContractCase) =>
  context.identifiers === undefined ? null : 'HTTP has no identifiers in its context';
const takesPlainValues = (asked: ContractCase) => takesValues(asked) ?? takesPlain(asked);

export const DOORS: readonly Door[] = [
  libraryDoor('library, check of bytes', ({ gate }, { bytes }, context) => {
    const decided = gate.checkBytes(bytes, { ...context, requireBidRequest: true });
    return decided.kind === 'refused' ? { code: decided.code } : { decision: decided.toJSON() };
  }),
  libraryDoor('library, filter of bytes', ({ gate }, { bytes }, context) => {
    const filtered = gate.filterBytes(bytes, { ...context, requireBidRequest: true });
    if (filtered.kind === 'refused') return { code: filtered.code };
    return { decision: filtered.decision.toJSON(), request: parsed(filtered.outgoing) };
  }),
  socketDoor('socket, JSON bytes', takesAll, 'check', ({ bytes }) => bytes),
  socketDoor('socket, msgpack', takesValues, 'check', ({ value }) => value),
  socketDoor('socket, filter of JSON bytes', takesAll, 'filter', ({ bytes }) => bytes),
  socketDoor('socket, filter of msgpack', takesValues, 'filter', ({ value }) => value),
  socketDoor('socket, batch', takesAll, 'check_batch', ({ bytes }) => bytes),
  clientDoor('Node client, check', (client) => async ({ bytes }, context) => ({
    decision: await client.check(bytes, context),
  })),
  clientDoor('Node client, filter', (client) => async ({ value, bytes }, context) => {
    const { decision, request } = await client.filter(value ?? bytes, context);
    return { decision, request };
  }),
  { name: 'Node client, batch', cannotAsk: takesAll, open: openClientBatch },
  httpDoor('HTTP, JSON', takesPlain, 'check', 'application/json', ({ bytes }) => bytes),
  httpDoor('HTTP, msgpack', takesPlainValues, 'check', 'application/msgpack', ({ value }) => encode(value)),
  httpDoor('HTTP, filter of JSON', takesPlain, 'filter', 'application/json', ({ bytes }) => bytes),
  httpDoor('HTTP, filter of msgpack', takesPlainValues, 'filter', 'application/msgpack', ({ value }) => encode(value)),
  { name: 'HTTP, batch of lines', cannotAsk: takesLines, open: openHttpLines },
];

export const PYTHON_DOORS: readonly Door[] = (['check', 'filter', 'check_batch', 'check_many'] as const).map((op) => ({
  name: `Python client, ${op}`,
  cannotAsk: takesAll,
  open: (desk) => openPython(desk, op),
}));

function libraryDoor(name: string, one: (desk: Desk, asked: ContractCase, context: ContractContext) => Answer): Door {
  const open = async (desk: Desk): Promise<OpenDoor> => ({
    ask: async (cases, context) => cases.map((asked) => one(desk, asked, context)),
    close: async () => {},
  });
  return { name, cannotAsk: takesAll, open };
}

/** A socket door at a path of its own. */
async function socketOf(desk: Desk): Promise<{ readonly path: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'optgate-contract-'));
  const path = join(folder, 's');
  const door = createSocketDoor({ desk });
  await door.listen({ path });
  return {
    path,
    async close() {
      await door.drain(1);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function socketDoor(
  name: string,
  cannotAsk: Door['cannotAsk'],
  op: string,
  bodyOf: (asked: ContractCase) => unknown,
): Door {
  return { name, cannotAsk, open: (desk) => openSocket(desk, op, bodyOf) };
}

async function openSocket(desk: Desk, op: string, bodyOf: (asked: ContractCase) => unknown): Promise<OpenDoor> {
  const { path, close } = await socketOf(desk);
  const raw = await RawClient.connect(path);
  await raw.ask(0, 'hello', { protocol: 1 });
  return {
    close,
    async ask(cases, context) {
      if (op === 'check_batch') {
        const answers: Answer[] = [];
        for (const part of partsOf(cases)) {
          const [, , values] = await raw.ask(1, op, part.map(bodyOf), context);
          answers.push(...(values as object[]).map(asAnswer));
        }
        return answers;
      }
      raw.send(...cases.map((asked, id) => [id, op, bodyOf(asked), context]));
      const answers: Answer[] = [];
      for (let count = 0; count < cases.length; count++) {
        const [kind, id, value] = await raw.receive();
        answers[id ?? -1] = kind === 0 ? asAnswer(value as object) : { code: (value as { code: string }).code };
      }
      return answers;
    },
  };
}

/** A decision, perhaps with what may go out, or a refusal: as the socket says them. */
function asAnswer(value: object): Answer {
  const { error, request, ...decision } = value as { error?: { code: string }; request?: unknown };
  if (error !== undefined) return { code: error.code };
  return request === undefined ? { decision } : { decision, request: parsed(request) };
}

function parsed(request: unknown): unknown {
  return request instanceof Uint8Array ? JSON.parse(Buffer.from(request).toString('utf8')) : request;
}

type NodeClient = ReturnType<typeof connect>;

function clientDoor(
  name: string,
  using: (client: NodeClient) => (asked: ContractCase, context: ContractContext) => Promise<Answer>,
): Door {
  const open = async (desk: Desk): Promise<OpenDoor> => {
    const { client, close } = await clientOf(desk);
    const one = using(client);
    return {
      close,
      ask: (cases, context) =>
        Promise.all(
          cases.map((asked) =>
            one(asked, context)
              .then((answer) => ('request' in answer ? { ...answer, request: parsed(answer.request) } : answer))
              .catch((error: { code?: string }) => ({ code: String(error.code) })),
          ),
        ),
    };
  };
  return { name, cannotAsk: takesAll, open };
}

async function openClientBatch(desk: Desk): Promise<OpenDoor> {
  const { client, close } = await clientOf(desk);
  return {
    close,
    async ask(cases, context) {
      const results = await client.checkBatch(
        cases.map(({ bytes }) => ({ request: bytes })),
        context,
      );
      return results.map(asAnswer);
    },
  };
}

async function clientOf(desk: Desk): Promise<{ readonly client: NodeClient; close(): Promise<void> }> {
  const socket = await socketOf(desk);
  const client = connect({ path: socket.path, deadlineMs: CALL_DEADLINE_MS, queueMax: 10_000 });
  return {
    client,
    async close() {
      await client.close();
      await socket.close();
    },
  };
}

function httpDoor(
  name: string,
  cannotAsk: Door['cannotAsk'],
  operation: 'check' | 'filter',
  type: string,
  bodyOf: (asked: ContractCase) => Uint8Array,
): Door {
  const open = async (desk: Desk): Promise<OpenDoor> => {
    const http = await httpOf(desk);
    return {
      close: http.close,
      async ask(cases, context) {
        const answers: Answer[] = [];
        for (const asked of cases) {
          const { status, headers, body } = await http.post(`/v1/${operation}`, type, context, bodyOf(asked));
          answers.push(httpAnswer(operation, status, headers, body));
        }
        return answers;
      },
    };
  };
  return { name, cannotAsk, open };
}

function httpAnswer(operation: string, status: number, headers: IncomingHttpHeaders, body: Buffer): Answer {
  const isPacked = headers['content-type'] === 'application/msgpack';
  const value = body.length === 0 ? null : isPacked ? decode(body) : JSON.parse(body.toString('utf8'));
  if (status >= 400) return { code: (value as { code: string }).code };
  if (operation === 'check') return { decision: value as object };
  const list = (name: string) => headers[name]?.toString().split(',') ?? [];
  const decision = {
    action: headers['optgate-action'],
    strip: list('optgate-strip'),
    reasons: list('optgate-reasons'),
    seq: headers['optgate-seq'] === undefined ? null : Number(headers['optgate-seq']),
    stale: headers['optgate-stale'] === 'true',
  };
  return { decision, request: status === 204 ? null : value };
}

function takesLines(asked: ContractCase): string | null {
  if (asked.bytes.includes(0x0a) || asked.bytes.length === 0) return 'it is not one line';
  return takesPlain(asked);
}

async function openHttpLines(desk: Desk): Promise<OpenDoor> {
  const http = await httpOf(desk);
  return {
    close: http.close,
    async ask(cases, context) {
      const lines = Buffer.concat(cases.flatMap(({ bytes }) => [bytes, Buffer.of(0x0a)]));
      const { body } = await http.post('/v1/check-batch', 'application/x-ndjson', context, lines);
      return body
        .toString('utf8')
        .trim()
        .split('\n')
        .map((line) => asAnswer(JSON.parse(line)));
    },
  };
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function httpOf(desk: Desk): Promise<{
  post(path: string, type: string, context: ContractContext, body: Uint8Array): Promise<HttpAnswer>;
  close(): Promise<void>;
}> {
  const server = createDataServer(createDataPlane({ desk }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    post(path, type, { secGpc, minSeq, identifiers: _, ...context }, body) {
      const query = new URLSearchParams({ ...context, ...(minSeq === undefined ? {} : { min_seq: minSeq }) });
      const headers = { 'content-type': type, ...(secGpc === undefined ? {} : { 'sec-gpc': secGpc }) };
      return new Promise((resolve, reject) => {
        const asking = httpRequest({ port, agent, method: 'POST', path: `${path}?${query}`, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
          );
        });
        asking.on('error', reject);
        asking.end(body);
      });
    },
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function openPython(desk: Desk, op: string): Promise<OpenDoor> {
  const socket = await socketOf(desk);
  const child = spawn('python3', ['test/contract/python_door.py', socket.path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(cases, context) {
      const answers: Answer[] = [];
      for (const part of partsOf(cases)) {
        const bodies = part.map(({ bytes }) => bytes.toString('base64'));
        child.stdin.write(`${JSON.stringify({ op, bodies, context })}\n`);
        const { value, done } = await lines.next();
        if (done === true) throw new Error('the Python client ended');
        answers.push(
          ...(JSON.parse(value) as object[]).map((one) => (op === 'filter' ? filterAnswer(one) : asAnswer(one))),
        );
      }
      return answers;
    },
    async close() {
      await ended(child);
      await socket.close();
    },
  };
}

function filterAnswer(value: object): Answer {
  const { error, decision, request } = value as {
    error?: { code: string };
    decision?: object;
    request?: string | null;
  };
  if (error !== undefined || decision === undefined) return { code: String(error?.code) };
  return { decision, request: request == null ? null : JSON.parse(Buffer.from(request, 'base64').toString('utf8')) };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.stdin?.end();
  });
}

function partsOf<T>(items: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < items.length; from += BATCH_ITEMS) parts.push(items.slice(from, from + BATCH_ITEMS));
  return parts;
}
