/**
 * A control plane on a real socket, and a client that knows nothing of it.
 * @module
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Ledger, openLedger } from '../../../src/ledger/index.js';
import type { LedgerOptions } from '../../../src/ledger/ledger-options.js';
import {
  CONTROL_SERVER_OPTIONS,
  type ControlEvent,
  type ControlPlane,
  type ControlPlaneOptions,
  createControlPlane,
  TokenSet,
} from '../../../src/sidecar/control-plane/index.js';
import { prepareEmbedded } from '../../ledger/embedded-folder.js';

/** One token of each role. */
export const TOKENS = {
  enforcer: 'enforcer-token-0123456789abcdef0123',
  intake: 'intake-token-0123456789abcdef012345',
  operator: 'operator-token-0123456789abcdef0123',
  auditor: 'auditor-token-0123456789abcdef01234',
} as const;
export type TestRole = keyof typeof TOKENS;

export const TOKEN_TEXT = Object.entries(TOKENS)
  .map(([role, token]) => `${role}:test-${role} ${token}`)
  .join('\n');

export const MAID = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
/** Text that must never come back. */
export const SECRET = 'jane.doe@example.com';

export interface TestLedger {
  readonly ledger: Ledger;
  close(): Promise<void>;
}

/** An embedded ledger of the test's own. */
export async function openTestLedger(options: LedgerOptions = {}): Promise<TestLedger> {
  const folder = await mkdtemp(join(tmpdir(), 'optgate-control-'));
  await prepareEmbedded(folder);
  const ledger = await openLedger(folder, options);
  const close = async () => {
    await ledger.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { ledger, close };
}

export interface Served {
  readonly plane: ControlPlane;
  readonly port: number;
  readonly url: string;
  readonly events: ControlEvent[];
  close(): Promise<void>;
}

/** Serves a control plane, with one token of each role unless told. */
export async function serve(options: Partial<ControlPlaneOptions> = {}): Promise<Served> {
  const events: ControlEvent[] = [];
  const plane = createControlPlane({
    ledger: null,
    relay: null,
    tokens: new TokenSet({ text: TOKEN_TEXT }),
    host: '127.0.0.1',
    status: () => ({ state: 'live' }),
    onEvent: (event) => void events.push(event),
    ...options,
  });
  const server = createServer(CONTROL_SERVER_OPTIONS, plane.app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await Promise.all([plane.close(), new Promise((resolve) => server.close(resolve))]);
  };
  return { plane, port, url: `http://127.0.0.1:${port}`, events, close };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what is there
  readonly json: any;
}

export interface Ask {
  readonly role?: TestRole | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array;
}

/** One request on a connection of its own; as the operator, unless told. */
export function ask(port: number, method: string, path: string, what: Ask = {}): Promise<Answer> {
  const { role = 'operator', json } = what;
  const body = json === undefined ? what.body : JSON.stringify(json);
  const headers = {
    ...(role === null ? {} : { authorization: `Bearer ${TOKENS[role]}` }),
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...what.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0 } = response;
        const text = Buffer.concat(pieces).toString('utf8');
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        resolve({ status, headers: response.headers, text, json: isJson && text !== '' ? JSON.parse(text) : null });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Checks that an answer is the problem with this code, and that it quotes nothing. */
export function expectProblem(answer: Answer, status: number, code: string, members: object = {}): void {
  expect(answer.json, answer.text).toMatchObject({ type: 'about:blank', status, code, ...members });
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.json.title).toMatch(/\w/);
  expect(answer.text).not.toContain(SECRET);
  expect(answer.text).not.toContain(MAID);
}
