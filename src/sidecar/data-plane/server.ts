/**
 * An HTTP server for a data plane: slow clients are cut off, and what is no HTTP is answered as a problem.
 * @module
 */
import { createServer, type RequestListener, type Server, type ServerOptions, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PROBLEM_TYPE } from '../../sync/http-problem.js';
import type { Desk } from '../door.js';
import type { DataPlane } from './data-plane.js';
import { isMidAnswer, noteHungUp } from './exchange.js';
import { DATA_SERVER_OPTIONS, SOCKET_IDLE_MS } from './limits.js';
import { DATA_PROBLEMS, type DataProblemCode, problemText } from './problems.js';

/**
 * @param options Take the place of those in `DATA_SERVER_OPTIONS`.
 * @param listener What requests go to, where more is served than the data plane: it hands on those of `isDataPath`.
 */
export function createDataServer(
  plane: DataPlane,
  options: ServerOptions = {},
  listener: RequestListener = plane,
): Server {
  const server = createServer({ ...DATA_SERVER_OPTIONS, ...options }, listener);
  server.on('checkContinue', plane.checkContinue);
  server.on('clientError', plane.clientError);
  server.timeout = SOCKET_IDLE_MS;
  return server;
}

/** Answers what the parser of node:http did not make a request of, or not in time. */
export function answerClientError(desk: Desk, error: NodeJS.ErrnoException, socket: Duplex): void {
  const code = clientErrorCode(error.code);
  if (code === null || !socket.writable || isMidAnswer(socket)) {
    socket.destroy();
    return;
  }
  desk.refused('http', code);
  noteHungUp(socket);
  const text = problemText(code);
  const [status] = DATA_PROBLEMS[code];
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${text.length}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${text}`, () => socket.destroy());
}

function clientErrorCode(code: string | undefined): DataProblemCode | null {
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return null;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'http.timeout';
    case 'HPE_INVALID_EOF_STATE':
      return 'body.incomplete';
    case 'HPE_HEADER_OVERFLOW':
      return 'http.headers_too_large';
    default:
      return 'http.malformed';
  }
}
