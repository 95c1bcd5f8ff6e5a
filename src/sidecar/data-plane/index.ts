/**
 * The HTTP data plane of the sidecar.
 * @module
 */
export { createDataPlane, type DataPlane, type DataPlaneOptions, isDataPath } from './data-plane.js';
export { DATA_LIMITS, DATA_SERVER_OPTIONS, type DataLimits, SOCKET_IDLE_MS } from './limits.js';
export { DATA_PROBLEMS, type DataProblemCode } from './problems.js';
export { createDataServer } from './server.js';
