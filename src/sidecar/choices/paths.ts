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

/** What a request for a path is counted as: its last words. */
export function pageNameAt(path: string): string {
  if (path === GPC_PATH) return 'gpc';
  if (path === PATHS.form) return 'form';
  if (path.startsWith(ASSETS_PATH)) return 'assets';
  const isKnown = Object.values(PATHS).some((known) => known === path);
  return isKnown ? path.slice(BASE_PATH.length + 1).replaceAll('/', '-') : 'other';
}
