/**
 * The socket door of the sidecar.
 * @module
 */
export {
  createSocketDoor,
  type ListenAt,
  type SocketDoor,
  type SocketDoorOptions,
  type SocketDoorStatus,
} from './door.js';
export { SOCKET_LIMITS, type SocketLimits } from './limits.js';
