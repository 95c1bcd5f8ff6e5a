/**
 * The sidecar, for programs that run it within themselves; `optgate serve` is one.
 * @module
 */
export {
  ConfigError,
  type ConfigIssue,
  type ConfigSources,
  type Origin,
  type ResolvedConfig,
  resolveConfig,
  type SettingName,
  type SidecarConfig,
} from './config.js';
export { TokenError } from './control-plane/index.js';
export { ListenError } from './listen.js';
export { type ReloadResult, type Sidecar, type SidecarAddresses, type SidecarIo, startSidecar } from './main.js';
export { EventLog } from './observe/index.js';
export { PolicyFileError } from './policy-desk.js';
export { runSidecar } from './shutdown.js';
