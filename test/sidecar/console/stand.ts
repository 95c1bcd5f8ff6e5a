/**
 * A console on a real socket, beside the API, and a client that keeps its cookie.
 * @module
 */
import { DEFAULT_POLICY } from '../../../src/core/policy/policy.js';
import { Console, type ConsoleOptions } from '../../../src/sidecar/console/index.js';
import { TokenSet } from '../../../src/sidecar/control-plane/index.js';
import {
  type Answer,
  type Ask,
  ask,
  type Served,
  serve,
  type TestRole,
  TOKEN_TEXT,
  TOKENS,
} from '../control-plane/stand.js';

export interface ServedConsole extends Served {
  readonly console: Console;
}

export const PROCESS = {
  version: '1.0.0',
  startedAtMs: 0,
  readiness: 'ready',
  table: { state: 'live', freshnessMs: 10, seqLag: 0, entryCount: 5, headSeq: 7 },
  canary: { ageMs: 1000, notInForceCount: 0 },
  isShedding: false,
  unknownDestinationCount: 0,
  policyVersion: 'test',
  workers: 1,
} as const;

/** Serves a console, with one token of each role unless told. */
export async function serveConsole(options: Partial<ConsoleOptions> = {}): Promise<ServedConsole> {
  const { tokens = new TokenSet({ text: TOKEN_TEXT }), ledger = () => null } = options;
  const own = new Console({
    tokens,
    ledger,
    hasLedger: ledger() !== null,
    process: () => PROCESS,
    policy: () => DEFAULT_POLICY,
    doors: () => null,
    ...options,
  });
  const served = await serve({ tokens, ledger: ledger(), mounts: [own] });
  const close = async () => {
    own.close();
    await served.close();
  };
  return { ...served, console: own, close };
}

/** Somebody with a browser: keeps the cookie and the CSRF value. */
export class Visitor {
  cookie = '';
  csrf = '';
  /** The last `Set-Cookie`. */
  setCookie = '';

  constructor(
    readonly port: number,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async ask(method: string, path: string, what: Ask = {}): Promise<Answer> {
    const cookie: Readonly<Record<string, string>> = this.cookie === '' ? {} : { cookie: this.cookie };
    const answer = await ask(this.port, method, path, {
      role: null,
      ...what,
      headers: { ...cookie, ...this.headers, ...what.headers },
    });
    const [set] = answer.headers['set-cookie'] ?? [];
    if (set !== undefined) {
      this.setCookie = set;
      this.cookie = set.split(';', 1)[0] ?? '';
    }
    const csrf = /name="csrf" (?:value|content)="([^"]+)"/.exec(answer.text)?.[1];
    if (csrf !== undefined) this.csrf = csrf;
    return answer;
  }

  form(path: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return this.ask('POST', path, { body: new URLSearchParams(fields).toString(), headers });
  }

  /** As a person does: opens the form, and sends it. */
  async signIn(role: TestRole): Promise<Answer> {
    await this.ask('GET', '/console/sign-in');
    return this.form('/console/sign-in', { csrf: this.csrf, token: TOKENS[role] });
  }

  /** The value that goes with changes. */
  change(method: string, path: string, what: Ask = {}): Promise<Answer> {
    return this.ask(method, path, { ...what, headers: { 'x-csrf-token': this.csrf, ...what.headers } });
  }
}

export async function signedIn(port: number, role: TestRole = 'operator'): Promise<Visitor> {
  const visitor = new Visitor(port);
  await visitor.signIn(role);
  await visitor.ask('GET', '/console');
  return visitor;
}
