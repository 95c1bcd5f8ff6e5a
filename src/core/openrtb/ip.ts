/**
 * Coarsens IP addresses: keeps the leading bits of an address and nothing else.
 *
 * What must stay true: a text that is not an address of the family asked for gives `undefined` and is never passed on
 * (Prebid Server Go sends `<nil>` for it, Java the full address). IPv6 is expanded before it is cut, and written as
 * RFC 5952 asks. An IPv6 address that carries an IPv4 one does not keep more of it than IPv4 itself would.
 * @module
 */

const DOT = 0x2e;
const COLON = 0x3a;
const GROUP_COUNT = 8;
const GROUP_BITS = 16;
const IPV4_BITS = 32;
const IPV6_BITS = 128;
/** Longest text of an IPv6 address: six groups and a dotted quad. */
const IPV6_LENGTH_MAX = 45;
/** 6to4 (RFC 3056): the 32 bits after this group are the IPv4 address of the site. */
const GROUP_6TO4 = 0x2002;

/** The groups of the address at hand; rewritten by every call. */
const groups = new Uint16Array(GROUP_COUNT);

/** HOT. The first `keepBits` bits of a dotted quad, or `undefined` where the text is no IPv4 address. */
export function coarsenIpv4(text: string, keepBits: number): string | undefined {
  const address = readIpv4(text, 0);
  if (address < 0) return undefined;
  const bits = clampBits(keepBits, IPV4_BITS);
  const kept = bits === 0 ? 0 : address & (-1 << (IPV4_BITS - bits));
  return `${kept >>> 24}.${(kept >>> 16) & 0xff}.${(kept >>> 8) & 0xff}.${kept & 0xff}`;
}

/** Longest text of an IPv4 address. */
export const IPV4_LENGTH_MAX = 15;

/**
 * HOT. The same of the address in `bytes[from..to)`, laid at `target` of the same bytes, which must have room for
 * `IPV4_LENGTH_MAX`; answers where it ends, -1 where the text is no IPv4 address.
 */
export function coarsenIpv4At(bytes: Uint8Array, from: number, to: number, keepBits: number, target: number): number {
  const address = readIpv4At(bytes, from, to);
  if (address < 0) return -1;
  const bits = clampBits(keepBits, IPV4_BITS);
  const kept = bits === 0 ? 0 : address & (-1 << (IPV4_BITS - bits));
  let at = target;
  for (let shift = 24; shift >= 0; shift -= 8) {
    const octet = (kept >>> shift) & 0xff;
    if (octet >= 100) bytes[at++] = 0x30 + Math.trunc(octet / 100);
    if (octet >= 10) bytes[at++] = 0x30 + (Math.trunc(octet / 10) % 10);
    bytes[at++] = 0x30 + (octet % 10);
    if (shift > 0) bytes[at++] = DOT;
  }
  return at;
}

/**
 * HOT. The first `keepBits` bits of an IPv6 address, or `undefined` where the text is none. An IPv4-mapped address belongs
 * in `device.ip` and is refused; of a 6to4 address no more than `ipv4KeepBits` of its IPv4 address stay.
 */
export function coarsenIpv6(text: string, keepBits: number, ipv4KeepBits: number): string | undefined {
  if (!readIpv6(text)) return undefined;
  if (isIpv4Mapped()) return undefined;
  let bits = clampBits(keepBits, IPV6_BITS);
  if (groups[0] === GROUP_6TO4) bits = Math.min(bits, GROUP_BITS + clampBits(ipv4KeepBits, IPV4_BITS));
  for (let index = 0; index < GROUP_COUNT; index++) {
    const kept = clampBits(bits - index * GROUP_BITS, GROUP_BITS);
    groups[index]! &= 0xffff << (GROUP_BITS - kept);
  }
  return ipv6Text();
}

/** HOT. A number of bits that cannot keep more than there is; anything that is no number keeps nothing. */
function clampBits(bits: number, most: number): number {
  return bits > 0 ? Math.min(Math.floor(bits), most) : 0;
}

/** HOT. The dotted quad that fills `text` from `from` on, as an unsigned integer; -1 where it is none. */
function readIpv4(text: string, from: number): number {
  let address = 0;
  let at = from;
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0 && text.charCodeAt(at++) !== DOT) return -1;
    const start = at;
    let value = 0;
    while (at < text.length && at - start < 3) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
      at++;
    }
    // "01" is octal to some readers and decimal to others: no address
    if (at === start || value > 255 || (at - start > 1 && text.charCodeAt(start) === 0x30)) return -1;
    address = address * 256 + value;
  }
  return at === text.length ? address : -1;
}

/** HOT. The same of bytes. */
function readIpv4At(bytes: Uint8Array, from: number, to: number): number {
  let address = 0;
  let at = from;
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0 && (at >= to || bytes[at++] !== DOT)) return -1;
    const start = at;
    let value = 0;
    while (at < to && at - start < 3) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
      at++;
    }
    if (at === start || value > 255 || (at - start > 1 && bytes[start] === 0x30)) return -1;
    address = address * 256 + value;
  }
  return at === to ? address : -1;
}

/** HOT. Fills `groups` with the address in `text`; false where it is none. Zone ids (`%eth0`) make it none. */
function readIpv6(text: string): boolean {
  if (text.length < 2 || text.length > IPV6_LENGTH_MAX) return false;
  let at = 0;
  let count = 0;
  let gapAt = -1;
  while (at < text.length) {
    if (text.charCodeAt(at) === COLON && text.charCodeAt(at + 1) === COLON) {
      if (gapAt >= 0) return false;
      gapAt = count;
      at += 2;
      if (at === text.length) break;
    } else if (count > 0) {
      if (text.charCodeAt(at) !== COLON) return false;
      at++;
    }
    if (count >= GROUP_COUNT) return false;
    const end = endOfGroup(text, at);
    if (text.charCodeAt(end) === DOT) {
      if (count > GROUP_COUNT - 2 || !readEmbeddedIpv4(text, at, count)) return false;
      count += 2;
      break;
    }
    if (end === at || end - at > 4) return false;
    groups[count++] = Number.parseInt(text.slice(at, end), 16);
    at = end;
    if (at < text.length && count === GROUP_COUNT) return false;
  }
  return gapAt < 0 ? count === GROUP_COUNT : openGap(gapAt, count);
}

function endOfGroup(text: string, from: number): number {
  let at = from;
  while (at < text.length && isHexDigit(text.charCodeAt(at))) at++;
  return at;
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

function readEmbeddedIpv4(text: string, from: number, group: number): boolean {
  const address = readIpv4(text, from);
  if (address < 0) return false;
  groups[group] = address >>> 16;
  groups[group + 1] = address & 0xffff;
  return true;
}

/** HOT. Moves the groups after `::` to the end and writes zeros between; the gap must stand for one group at least. */
function openGap(gapAt: number, count: number): boolean {
  if (count >= GROUP_COUNT) return false;
  groups.copyWithin(GROUP_COUNT - (count - gapAt), gapAt, count);
  groups.fill(0, gapAt, gapAt + GROUP_COUNT - count);
  return true;
}

/** HOT. `::ffff:0:0/96` (RFC 4291, 2.5.5.2). */
function isIpv4Mapped(): boolean {
  return (
    groups[5] === 0xffff && groups[0] === 0 && groups[1] === 0 && groups[2] === 0 && groups[3] === 0 && groups[4] === 0
  );
}

/** HOT. RFC 5952: lower case, no leading zeros, the first of the longest runs of two or more zero groups as `::`. */
function ipv6Text(): string {
  let runAt = -1;
  let runCount = 1;
  for (let index = 0; index < GROUP_COUNT; index++) {
    let end = index;
    while (end < GROUP_COUNT && groups[end] === 0) end++;
    if (end - index > runCount) {
      runAt = index;
      runCount = end - index;
    }
    if (end > index) index = end - 1;
  }
  let text = '';
  for (let index = 0; index < GROUP_COUNT; index++) {
    if (index === runAt) {
      text += '::';
      index += runCount - 1;
      continue;
    }
    if (text !== '' && !text.endsWith('::')) text += ':';
    text += groups[index]!.toString(16);
  }
  return text;
}
