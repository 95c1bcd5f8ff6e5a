/**
 * The public pages of the sidecar: privacy choices.
 * @module
 */
export { PAGES_LIMITS, PAGES_SERVER_OPTIONS, type PagesLimits } from './limits.js';
export { PublicPages, type PublicPagesOptions } from './pages.js';
export { type ChoicesSettings, type CookieId, type OptInMode, readChoicesSettings } from './settings.js';
