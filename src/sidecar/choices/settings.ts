/**
 * What the public pages are set up with, from the configuration; files are read here, once, and refused here.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IdentifierKind } from '../../core/vocabulary.js';
import { limitsOf, type SidecarConfig } from '../config-settings.js';
import { type PagesLimits, SEAL_KEY_BYTES_MIN, STYLESHEET_BYTES_MAX } from './limits.js';
import { type TrustedProxies, trustedProxies } from './origin.js';

/** `off`: only by contact. `browser`: for the id in a cookie alone. `form`: whoever knows an identifier may. */
export type OptInMode = 'off' | 'browser' | 'form';

/** A cookie of the site, and the kind of identifier in it. */
export interface CookieId {
  readonly cookie: string;
  readonly kind: IdentifierKind;
}

export interface ChoicesSettings {
  readonly siteName: string | null;
  /** How else somebody can opt out. */
  readonly contact: readonly string[];
  readonly policyUrl: string | null;
  readonly stylesheet: Uint8Array | null;
  /** Origins that may show the page in a frame. */
  readonly frameAncestors: readonly string[];
  readonly cookieIds: readonly CookieId[];
  /** Kinds that a page around ours may pass. */
  readonly embedKinds: readonly IdentifierKind[];
  readonly trusted: TrustedProxies;
  /** `YYYY-MM-DD` */
  readonly gpcUpdated: string | null;
  readonly optIn: OptInMode;
  readonly sealKey: Uint8Array;
  readonly limits: PagesLimits;
}

/** @throws {TypeError} for a file that cannot be used. */
export function readChoicesSettings(config: SidecarConfig): ChoicesSettings {
  const { 'publicPages.keyFile': keyFile, 'publicPages.stylesheet': stylesheet } = config;
  return {
    siteName: config['publicPages.siteName'],
    contact: config['publicPages.contact'],
    policyUrl: config['publicPages.policyUrl'],
    stylesheet: stylesheet === null ? null : readStylesheet(stylesheet),
    frameAncestors: config['publicPages.frameAncestors'],
    cookieIds: config['publicPages.cookies'],
    embedKinds: config['publicPages.embedKinds'],
    trusted: trustedProxies(config['publicPages.trustedProxies']),
    gpcUpdated: config['publicPages.gpcUpdated'],
    optIn: config['publicPages.optIn'],
    sealKey: keyFile === null ? randomBytes(SEAL_KEY_BYTES_MIN) : readKey(keyFile),
    limits: limitsOf(config, 'pages') as PagesLimits,
  };
}

function readKey(path: string): Uint8Array {
  const key = readOwn('publicPages.keyFile', path);
  if (key.length >= SEAL_KEY_BYTES_MIN) return key;
  throw new TypeError(`publicPages.keyFile: expected at least ${SEAL_KEY_BYTES_MIN} bytes, got ${key.length}`);
}

function readStylesheet(path: string): Uint8Array {
  const bytes = readOwn('publicPages.stylesheet', path);
  if (bytes.length <= STYLESHEET_BYTES_MAX) return bytes;
  throw new TypeError(`publicPages.stylesheet: expected at most ${STYLESHEET_BYTES_MAX} bytes, got ${bytes.length}`);
}

function readOwn(setting: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new TypeError(`${setting}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}
