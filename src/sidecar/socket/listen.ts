/**
 * Listens at a path or on a port.
 *
 * A socket file that a killed process left behind is removed only after nobody answered there; a file that is no socket
 * is never removed.
 * @module
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

export type ListenAt =
  | { readonly path: string /** Default: 0660, owner and group. */; readonly mode?: number }
  | { readonly host?: string; readonly port: number };

export interface Listening {
  readonly server: Server;
  /** The path, or `host:port` with the port that was given where 0 was asked for. */
  readonly address: string;
  /** Listens no more; those who are connected stay. A socket file is removed. */
  close(): Promise<void>;
}

/** Why a path cannot be listened at. */
export class SocketPathError extends Error {
  override readonly name = 'SocketPathError';
  constructor(
    readonly code: 'socket.in_use' | 'socket.not_a_socket' | 'socket.path_too_long',
    readonly path: string,
  ) {
    super(`${code}: ${SENTENCES[code]} (${path})`);
  }
}

const SENTENCES = {
  'socket.in_use': 'another process answers at this path',
  'socket.not_a_socket': 'there is a file at this path, and it is not a socket',
  'socket.path_too_long': 'the system does not know paths of sockets as long as this',
};

export const SOCKET_MODE = 0o660;
/** Linux has 108 bytes for it, with a zero at the end; other systems have 104. A longer one would be cut off unsaid. */
export const SOCKET_PATH_BYTES_MAX = 103;
/** Longest wait for an answer of whoever listens at a path already. */
const PROBE_MS = 2_000;

/**
 * @throws {SocketPathError} where the path cannot be used; whatever else the system says, as it says it.
 */
export async function listen(at: ListenAt, handle: (socket: Socket) => void): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true }, handle);
  if ('path' in at) await listenAtPath(server, at.path, at.mode ?? SOCKET_MODE);
  else await started(server, () => server.listen({ port: at.port, host: at.host ?? '127.0.0.1' }));
  return {
    server,
    address: addressOf(server),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function listenAtPath(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) throw new SocketPathError('socket.path_too_long', path);
  try {
    await bind(server, path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await removeStale(path);
    await bind(server, path, mode);
  }
}

/** The file has its mode from its first moment where the process can see to that; a worker thread cannot. */
async function bind(server: Server, path: string, mode: number): Promise<void> {
  const umask = isMainThread ? process.umask(0o777 & ~mode) : null;
  try {
    const listening = started(server, () => server.listen({ path }));
    if (umask !== null) process.umask(umask); // the file is made while listen() is called
    await listening;
  } finally {
    if (umask !== null) process.umask(umask);
  }
  chmodSync(path, mode);
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new SocketPathError('socket.not_a_socket', path);
  if (await isAnswered(path)) throw new SocketPathError('socket.in_use', path);
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now === undefined) return;
  // Somebody else may have put his own socket there meanwhile.
  if (now.ino !== found.ino || !now.isSocket()) throw new SocketPathError('socket.in_use', path);
  unlinkSync(path);
}

/** Whether anybody is there: only a refusal proves that nobody is. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(PROBE_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

function started(server: Server, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.removeListener('listening', succeeded);
      reject(error);
    };
    const succeeded = (): void => {
      server.removeListener('error', failed);
      resolve();
    };
    server.once('error', failed);
    server.once('listening', succeeded);
    begin();
  });
}

function addressOf(server: Server): string {
  const address = server.address();
  if (typeof address === 'string' || address === null) return address ?? '';
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
