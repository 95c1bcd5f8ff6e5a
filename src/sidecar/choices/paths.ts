/**
 * Where the public pages are.
 * @module
 */

export const BASE_PATH = '/privacy-choices';
export const PATHS = {
  form: BASE_PATH,
  embed: `${BASE_PATH}/embed`,
  status: `${BASE_PATH}/status`,
  honored: `${BASE_PATH}/honored`,
  optIn: `${BASE_PATH}/opt-in`,
  confirm: `${BASE_PATH}/opt-in/confirm`,
} as const;
export const ASSETS_PATH = `${BASE_PATH}/assets/`;
/** The statement of support that Global Privacy Control asks for. */
export const GPC_PATH = '/.well-known/gpc.json';
