/**
 * Style sheets and scripts of the public pages, read once and held in memory. Their addresses hold a digest of them, so that
 * browsers may keep them and still get a new one at once.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Asset {
  readonly bytes: Buffer;
  readonly mediaType: string;
  /** With its digest. */
  readonly url: string;
  readonly version: string;
  /** Pages of other sites may load it. */
  readonly isShared: boolean;
}

export type AssetName = 'choices.css' | 'choices.js' | 'embed.js' | 'theme.css';
export type Assets = Readonly<Partial<Record<AssetName, Asset>>>;

const VERSION_LENGTH = 12;
const FOLDER = new URL('../assets/choices/', import.meta.url);

/** @param stylesheet A site's own, after ours. */
export function loadAssets(basePath: string, stylesheet: Uint8Array | null): Assets {
  const read = (name: AssetName) => readFileSync(new URL(name, FOLDER));
  return {
    'choices.css': assetOf('choices.css', read('choices.css'), basePath),
    'choices.js': assetOf('choices.js', read('choices.js'), basePath),
    'embed.js': assetOf('embed.js', read('embed.js'), basePath),
    ...(stylesheet === null ? {} : { 'theme.css': assetOf('theme.css', Buffer.from(stylesheet), basePath) }),
  };
}

function assetOf(name: AssetName, bytes: Buffer, basePath: string): Asset {
  const version = createHash('sha256').update(bytes).digest('base64url').slice(0, VERSION_LENGTH);
  const mediaType = name.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8';
  const url = `${basePath}/assets/${name}?v=${version}`;
  return { bytes, mediaType, url, version, isShared: name === 'embed.js' };
}
