/**
 * The public pages on a real socket, with an embedded ledger, and a client that knows nothing of them.
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe } from 'vitest';
import { type Ledger, openLedger } from '../../../src/ledger/index.js';
import { type ChoicesSettings, PublicPages, readChoicesSettings } from '../../../src/sidecar/choices/index.js';
import type { PublicPagesOptions } from '../../../src/sidecar/choices/pages.js';
import { resolveConfig, type SettingName } from '../../../src/sidecar/config.js';
import { createDatabase, POSTGRES_URL, withService } from '../../services.js';
import { openTestLedger, type TestLedger } from '../control-plane/stand.js';

export const EMAIL = 'jane.doe@example.com';

export function settingsOf(settings: Partial<Record<SettingName, unknown>> = {}): ChoicesSettings {
  return readChoicesSettings(resolveConfig({ settings: { 'publicPages.enabled': true, ...settings } }).config);
}

/** A ledger of the test's own: in PostgreSQL where there is one, since an embedded one is slow on a busy machine. */
export async function openPagesLedger(): Promise<TestLedger> {
  if ((await withService('PostgreSQL', POSTGRES_URL)) !== describe) return openTestLedger({ tokenWaitMs: 20_000 });
  const database = await createDatabase();
  const ledger = await openLedger(database.url, { tokenWaitMs: 20_000 });
  const close = async () => {
    await ledger.close();
    await database.drop();
  };
  return { ledger, close };
}

export interface ServedPages {
  readonly pages: PublicPages;
  readonly port: number;
  readonly url: string;
  readonly failures: unknown[];
  close(): Promise<void>;
}

export async function servePages(
  ledger: Ledger | null,
  settings: Partial<Record<SettingName, unknown>> = {},
  options: Partial<PublicPagesOptions> = {},
): Promise<ServedPages> {
  const failures: unknown[] = [];
  const pages = new PublicPages({
    settings: settingsOf(settings),
    ledger: () => ledger,
    onFailure: (error) => void failures.push(error),
    ...options,
  });
  const server = createServer((incoming, response) => {
    if (!pages.handle(incoming, response)) response.writeHead(404).end('none of ours');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    await pages.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { pages, port, url: `http://127.0.0.1:${port}`, failures, close };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request on a connection of its own. A `form` is sent as a browser without scripts sends it. */
export function ask(
  port: number,
  path: string,
  what: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly form?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
    readonly body?: string | Uint8Array;
  } = {},
): Promise<Answer> {
  const body = what.form === undefined ? what.body : formOf(what.form).toString();
  const headers = {
    ...(what.form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...what.headers,
  };
  const method = what.method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(pieces).toString(),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function formOf(form: NonNullable<Parameters<typeof ask>[2]>['form'] = {}): URLSearchParams {
  const fields = new URLSearchParams();
  const pairs: Iterable<readonly [string, string]> = Symbol.iterator in form ? form : Object.entries(form);
  for (const [name, value] of pairs) fields.append(name, value);
  return fields;
}

/** The hidden fields of the form on a page. */
export function hiddenIn(page: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [, name = '', value = ''] of page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)) {
    fields[name] = value;
  }
  return fields;
}

/** Opens the page and sends its form, as a browser without scripts does. */
export async function submit(
  port: number,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
  path = '/privacy-choices',
): Promise<Answer> {
  const page = await ask(port, path, { headers });
  const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1]?.replaceAll('&amp;', '&');
  return ask(port, action ?? path, { headers, form: { choice: 'all', ...hiddenIn(page.text), ...fields } });
}

export function receiptIn({ headers, text }: Answer): string {
  const receipt = /receipt=(r_[A-Za-z0-9_-]{22})/.exec(String(headers.location))?.[1];
  if (receipt === undefined) throw new Error(`no receipt: ${text.slice(0, 500)}`);
  return receipt;
}
