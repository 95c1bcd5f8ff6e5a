/**
 * The files that pages load: scripts, styles and pictures of the console, and uPlot from its package.
 *
 * Read once, at the start. All are below one name made from the content of all, so a browser may keep them for good, and
 * never has two versions together.
 * @module
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const FOLDER = fileURLToPath(new URL('../assets/console/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** Of the package uplot. */
const CHART_FILES = { 'vendor/uPlot.esm.js': 'uPlot.esm.js', 'vendor/uPlot.min.css': 'uPlot.min.css' } as const;

interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly packed: Buffer;
}

export class Assets {
  /** Path of all files, with a slash at its end. */
  readonly base: string;
  readonly #files = new Map<string, Asset>();

  constructor() {
    const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).map((name) => name.replaceAll('\\', '/'));
    for (const name of names) if (TYPES[extname(name)] !== undefined) this.#add(name, join(FOLDER, name));
    const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
    for (const [name, file] of Object.entries(CHART_FILES)) this.#add(name, join(charts, file));
    const hash = createHash('sha256');
    for (const name of [...this.#files.keys()].sort()) hash.update(name).update(this.#files.get(name)?.bytes ?? '');
    this.base = `/console/assets/${hash.digest('hex').slice(0, 16)}/`;
  }

  /** Answers if the path, below the console's own, is one of a file; else false, and nothing was done. */
  serve(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    const prefix = this.base.slice('/console'.length);
    const asset = path.startsWith(prefix) ? this.#files.get(path.slice(prefix.length)) : undefined;
    if (asset === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
    const isPacked = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    const bytes = isPacked ? asset.packed : asset.bytes;
    response.setHeader('cache-control', 'public, max-age=31536000, immutable');
    response.setHeader('vary', 'accept-encoding');
    if (isPacked) response.setHeader('content-encoding', 'gzip');
    response.writeHead(200, { 'content-type': asset.type, 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return true;
  }

  #add(name: string, file: string): void {
    const bytes = readFileSync(file);
    this.#files.set(name, { type: TYPES[extname(name)] ?? '', bytes, packed: gzipSync(bytes) });
  }
}
