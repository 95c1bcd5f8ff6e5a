/**
 * Puts servers on addresses: TCP, or a Unix socket that only its owner and group may use.
 *
 * A Unix socket that a killed process left behind is removed; one that somebody answers on is not touched.
 * @module
 */
import { chmodSync, existsSync, lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { addressText, type ListenAddress } from './config-values.js';

/** Connections that wait to be accepted. */
export const BACKLOG = 1024;
/** Linux has 108 bytes for it, with a zero at the end; other systems have 104. A longer one would be cut off unsaid. */
export const SOCKET_PATH_BYTES_MAX = 103;
/** How long somebody may take to answer on a Unix socket that is in the way. */
const PROBE_MS = 1000;

const SENTENCES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not listen there',
  ENAMETOOLONG: 'the system does not know paths of sockets as long as this',
  ENOENT: 'there is no such folder',
  ENOTFOUND: 'this host name is not known',
  ENOTSOCK: 'there is a file at this path, and it is not a socket',
};

/** A server could not be put on its address. */
export class ListenError extends Error {
  override readonly name = 'ListenError';

  constructor(
    /** As in the configuration: `127.0.0.1:8787`, `unix:/run/optgate.sock`. */
    readonly address: string,
    /** Of the system, such as EADDRINUSE. */
    readonly code: string,
  ) {
    super(`cannot listen on ${address}: ${SENTENCES[code] ?? 'the system refused'} (${code})`);
  }
}

/** A socket that listens, and by which number other threads of this process know it. */
export interface Listening {
  /** With the port the system chose, if 0 was asked for. */
  readonly address: ListenAddress;
  readonly fd: number;
}

/** Begins to listen. @throws {ListenError} */
export async function listenOn(server: Server, address: ListenAddress, socketMode: number): Promise<Listening> {
  if (address.kind === 'unix') await listenAtPath(server, address, socketMode);
  else await listening(server, { host: address.host, port: address.port, backlog: BACKLOG }, address);
  const bound = server.address();
  const isPort = address.kind === 'tcp' && typeof bound === 'object' && bound !== null;
  return { address: isPort ? { ...address, port: bound.port } : address, fd: fdOf(server) };
}

/** Begins to accept on a socket that another thread of this process listens on. @throws {ListenError} */
export function joinListening(server: Server, { address, fd }: Listening): Promise<void> {
  return listening(server, { fd, backlog: BACKLOG }, address);
}

/** Removes a Unix socket; whoever is connected stays so. */
export function removeSocket(address: ListenAddress): void {
  if (address.kind === 'unix') rmSync(address.path, { force: true });
}

/** The file has its mode from its first moment where the process can see to that; a worker thread cannot. */
async function listenAtPath(
  server: Server,
  address: ListenAddress & { readonly kind: 'unix' },
  mode: number,
): Promise<void> {
  await makeRoom(address);
  const umask = isMainThread ? process.umask(0o777 & ~mode) : null;
  const bound = listening(server, { path: address.path, backlog: BACKLOG }, address); // the file is made in this call
  if (umask !== null) process.umask(umask);
  await bound;
  chmodSync(address.path, mode);
}

function listening(server: Server, options: object, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      server.off('listening', done);
      reject(new ListenError(addressText(address), error.code ?? 'EUNKNOWN'));
    };
    const done = () => {
      server.off('error', fail);
      resolve();
    };
    server.once('error', fail).once('listening', done).listen(options);
  });
}

/** The number of the socket; Node tells it only here. */
function fdOf(server: Server): number {
  const fd = (server as unknown as { readonly _handle: { readonly fd: number } | null })._handle?.fd;
  if (fd === undefined || fd < 0) throw new Error('unreachable: a server that listens has a socket');
  return fd;
}

/** Removes what a process that was killed left behind. */
async function makeRoom(address: ListenAddress & { readonly kind: 'unix' }): Promise<void> {
  if (Buffer.byteLength(address.path) > SOCKET_PATH_BYTES_MAX) {
    throw new ListenError(addressText(address), 'ENAMETOOLONG');
  }
  // the system's own answer to a folder that is not there is EACCES
  if (!existsSync(dirname(address.path))) throw new ListenError(addressText(address), 'ENOENT');
  const found = lstatSync(address.path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(addressText(address), 'ENOTSOCK');
  if (await isAnswered(address.path)) throw new ListenError(addressText(address), 'EADDRINUSE');
  // somebody else may have put his own socket there meanwhile
  const now = lstatSync(address.path, { throwIfNoEntry: false });
  if (now !== undefined && now.ino !== found.ino) throw new ListenError(addressText(address), 'EADDRINUSE');
  rmSync(address.path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (isThere: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isThere);
    };
    const timer = setTimeout(() => end(true), PROBE_MS); // it hangs, so it is there
    socket.once('connect', () => end(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
