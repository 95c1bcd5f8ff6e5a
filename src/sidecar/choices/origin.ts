/**
 * Where a request comes from: which address, for limits, and whether a form was sent from a page of our own.
 * @module
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { FORWARDED_COUNT_MAX } from './limits.js';

/** Proxies whose `X-Forwarded-*` is believed. */
export interface TrustedProxies {
  /** `undefined`: a Unix socket. */
  has(address: string | undefined): boolean;
}

/** @param members Addresses, networks such as `10.0.0.0/8`, and `unix` for whoever connects by a Unix socket. */
export function trustedProxies(members: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const member of members) {
    const [address = '', bits] = member.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (member === 'unix') continue;
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return {
    has(address) {
      if (address === undefined) return members.includes('unix');
      const version = isIP(address);
      return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

/** What requests of one sender are counted under: an IPv4 address, or the /64 of an IPv6 address. */
export function senderOf({ socket, headers }: IncomingMessage, trusted: TrustedProxies): string {
  let address = plainAddress(socket.remoteAddress);
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .slice(-FORWARDED_COUNT_MAX);
  // each trusted proxy has put down who asked it, so the last one that is not trusted is the sender
  while (trusted.has(address)) {
    const before = plainAddress(forwarded.pop()?.trim());
    if (before === undefined || isIP(before) === 0) break;
    address = before;
  }
  return networkOf(address ?? 'unix');
}

/** A peer that says for whom it asks, and is not believed: a proxy that nobody set up, or somebody who pretends. */
export function isUntrustedProxy({ socket, headers }: IncomingMessage, trusted: TrustedProxies): boolean {
  return headers['x-forwarded-for'] !== undefined && !trusted.has(plainAddress(socket.remoteAddress));
}

/** True where a browser says that the page a form was sent from is not ours. Programs say nothing, and are not refused. */
export function isForeign({ headers, socket }: IncomingMessage, trusted: TrustedProxies): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin } = headers;
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true;
  return new URL(origin).host !== hostAsked(headers, trusted.has(plainAddress(socket.remoteAddress)), origin);
}

function hostAsked(headers: IncomingHttpHeaders, isProxied: boolean, origin: string): string | null {
  const forwarded = isProxied ? headers['x-forwarded-host'] : undefined;
  const host = String(forwarded ?? headers.host ?? '');
  const url = `${new URL(origin).protocol}//${host}`; // so that a default port is left out of both or neither
  return host !== '' && URL.canParse(url) ? new URL(url).host : null;
}

function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/^\[(.*)\]$/, '$1');
}

/** Whoever has an IPv6 address has all of its /64. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? [];
  const [left, right] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
