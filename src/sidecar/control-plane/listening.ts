/**
 * Where the control plane may listen: without tokens only where nobody but this machine can reach it.
 * @module
 */
import { isIP } from 'node:net';
import type { TokenSet } from './tokens.js';

/** True for names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1') return true;
  const address = /^::ffff:([0-9.]+)$/.exec(name)?.[1] ?? name;
  return isIP(address) === 4 && address.startsWith('127.');
}

/** Throws a TypeError where anyone on the network could write opt-outs, or take them away. */
export function refuseOpenListening(host: string, tokens: TokenSet): void {
  if (!tokens.isEmpty || isLoopback(host)) return;
  throw new TypeError(
    'control plane: tokens are required to listen anywhere but on loopback (127.0.0.1, ::1 or localhost); give a token file',
  );
}

/** The host in a `Host` header, without its port. */
export function hostOf(header: string | undefined): string {
  return (header ?? '').replace(/:\d*$/, '');
}
