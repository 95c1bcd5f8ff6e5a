/**
 * The socket door of the sidecar.
 * @module
 */
export { createSocketDoor, type SocketDoor, type SocketDoorOptions, type SocketDoorStatus } from './door.js';
export { SOCKET_LIMITS, type SocketLimits } from './limits.js';
export { type ListenAt, type Listening, SOCKET_MODE, SocketPathError } from './listen.js';
