/**
 * Whether a webhook may connect to an address: the registries of special-purpose addresses (RFC 6890, RFC 8190), as data.
 *
 * What must stay true: an IPv4 address is what it is in every wrapping in which it can travel inside an IPv6 address.
 * @module
 */
import { BlockList, isIP, isIPv4 } from 'node:net';

/**
 * `public`: may always be connected to. `private`: where the operator has said so. `refused`: never; link-local addresses and
 * the others at which clouds give out credentials are among them.
 */
export type AddressClass = 'public' | 'private' | 'refused';

const PRIVATE = blockListOf([
  '10.0.0.0/8',
  '100.64.0.0/10', // shared by a carrier
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1/128',
  'fc00::/7',
]);

/** Where clouds give out credentials, outside of the link-local addresses. */
const METADATA = blockListOf(['100.100.100.200/32', '168.63.129.16/32', 'fd00:ec2::254/128', 'fd20:ce::254/128']);

const REFUSED_IPV4 = blockListOf([
  '0.0.0.0/8',
  '169.254.0.0/16', // link-local
  '192.0.0.0/24',
  '192.0.2.0/24', // documentation, also 198.51.100 and 203.0.113
  '192.88.99.0/24',
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4', // multicast
  '240.0.0.0/4',
]);

/** Of the rest of IPv6 only global unicast is public, without what is carved out of it. */
const GLOBAL_IPV6 = blockListOf(['2000::/3']);
const REFUSED_IPV6 = blockListOf([
  '2001::/23', // Teredo, ORCHID and others
  '2001:db8::/32',
  '3fff::/20',
]);

/** What an address is; text that is none is `refused`. */
export function classOfAddress(address: string): AddressClass {
  if (isIP(address) !== 0 && METADATA.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')) return 'refused';
  if (isIPv4(address)) return PRIVATE.check(address) ? 'private' : REFUSED_IPV4.check(address) ? 'refused' : 'public';
  if (isIP(address) === 0 || address.includes('%')) return 'refused';
  const groups = groupsOf(address);
  const inside = wrappedIpv4(groups);
  if (inside !== null) return classOfAddress(inside);
  if (PRIVATE.check(address, 'ipv6')) return 'private';
  return GLOBAL_IPV6.check(address, 'ipv6') && !REFUSED_IPV6.check(address, 'ipv6') ? 'public' : 'refused';
}

export function mayConnect(address: string, allowPrivate: boolean): boolean {
  const kind = classOfAddress(address);
  return kind === 'public' || (kind === 'private' && allowPrivate);
}

/** IPv4-mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056). Anything else in ::/96 is no address to connect to. */
function wrappedIpv4(groups: readonly number[]): string | null {
  const [g0 = 0, g1 = 0, g2 = 0, g3, g4, g5, g6 = 0, g7 = 0] = groups;
  const isEmptyTo5 = g1 === 0 && g2 === 0 && g3 === 0 && g4 === 0;
  const isMapped = g0 === 0 && isEmptyTo5 && g5 === 0xffff;
  const isNat64 = g0 === 0x64 && g1 === 0xff9b && g2 === 0 && g3 === 0 && g4 === 0 && g5 === 0;
  if (isMapped || isNat64) return dotted(g6, g7);
  return g0 === 0x2002 ? dotted(g1, g2) : null;
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const before = groupsOfPart(head);
  if (tail === undefined) return before;
  const after = groupsOfPart(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function groupsOfPart(part: string): readonly number[] {
  return part.split(':').flatMap((group) => {
    if (group === '') return [];
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

function blockListOf(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = '', prefix] = subnet.split('/');
    list.addSubnet(net, Number(prefix), isIPv4(net) ? 'ipv4' : 'ipv6');
  }
  return list;
}
